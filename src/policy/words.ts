import type { Assignment, Word, WordPart } from 'unbash'
import { type Arg, staticArg } from './reading.ts'

const MAX_EXPANSIONS = 64

/** The arguments that one word becomes: one, or several where it has braces that can be expanded without running anything. */
export function readWord(word: Word): Arg[] {
  if (!isStaticParts(word.parts)) return [{ text: word.text, isStatic: false }]
  const hasOpenBraces = word.parts?.some((part) => part.type === 'BraceExpansion') ?? false
  const isPlain = word.parts?.every(
    (part) => part.type === 'BraceExpansion' || part.type === 'Literal' || part.type === 'Glob',
  )
  if (hasOpenBraces && isPlain) return expandBraces(word.text).map(staticArg)
  // Braces mixed with quotes: what they become depends on the quotes, so it is left open.
  const isGlob = word.parts?.some((part) => part.type === 'Glob' || part.type === 'ExtendedGlob') ?? false
  return [{ text: word.value, isStatic: !hasOpenBraces, isGlob }]
}

export function readAssignment(assignment: Assignment): Arg {
  const { value } = assignment
  const isStatic =
    value.type === 'Word' ? isStaticParts(value.parts) : value.elements.every((e) => isStaticParts(e.parts))
  const text = value.type === 'Word' && isStatic ? `${assignment.name}=${value.value}` : assignment.text
  return { text, isStatic }
}

function isStaticParts(parts: readonly WordPart[] | undefined): boolean {
  return (parts ?? []).every((part) => {
    switch (part.type) {
      case 'Literal':
      case 'Glob':
      case 'SingleQuoted':
      case 'AnsiCQuoted':
      case 'BraceExpansion':
      case 'ExtendedGlob':
        return true
      case 'DoubleQuoted':
      case 'LocaleString':
        return part.parts.every((inner) => inner.type === 'Literal')
      default:
        return false
    }
  })
}

/** `{a,b}c` as bash expands it, for lists only, innermost last; too many of them stay as they are. */
function expandBraces(text: string): string[] {
  let open = [text]
  const done: string[] = []
  while (open.length > 0 && open.length + done.length <= MAX_EXPANSIONS) {
    const next: string[] = []
    for (const item of open) {
      const parts = splitFirstList(item)
      if (parts === undefined) done.push(item)
      else for (const choice of parts.choices) next.push(parts.before + choice + parts.after)
    }
    open = next
  }
  return open.length > 0 ? [text] : done
}

function splitFirstList(text: string): { before: string; choices: string[]; after: string } | undefined {
  const start = text.indexOf('{')
  if (start === -1) return undefined
  let depth = 0
  let from = start + 1
  const choices: string[] = []
  for (let at = start; at < text.length; at += 1) {
    const character = text[at]
    if (character === '{') depth += 1
    else if (character === ',' && depth === 1) {
      choices.push(text.slice(from, at))
      from = at + 1
    } else if (character === '}') {
      depth -= 1
      if (depth > 0) continue
      if (choices.length === 0) return undefined
      choices.push(text.slice(from, at))
      return { before: text.slice(0, start), choices, after: text.slice(at + 1) }
    }
  }
  return undefined
}
