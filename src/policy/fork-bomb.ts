import { type Function as FunctionNode, forEachChild, type SyntaxNode } from 'unbash'

const MAX_NODES = 5000

/** A function that starts itself more than once, or once in the background or through a pipe, with nothing that could end it. */
export function isForkBomb(node: FunctionNode): boolean {
  const name = node.name.value
  let selfCalls = 0
  let spread = false
  let branches = false
  let nodes = 0

  function visit(child: SyntaxNode, isSpread: boolean): void {
    nodes += 1
    if (nodes > MAX_NODES) return
    if (child.type === 'If' || child.type === 'Case' || child.type === 'AndOr' || child.type === 'While')
      branches = true
    if (child.type === 'Command' && child.name?.value === name) {
      selfCalls += 1
      if (isSpread) spread = true
    }
    const spreads = isSpread || child.type === 'Pipeline' || (child.type === 'Statement' && child.background === true)
    forEachChild(child, (inner) => visit(inner, spreads))
  }

  visit(node.body, false)
  return selfCalls > 0 && spread && !branches
}
