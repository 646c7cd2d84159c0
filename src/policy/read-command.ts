/**
 * The only reader of shell text: nobody else parses any. It visits every command wherever it stands:
 * substitutions, functions, loops, redirections, and what wrappers and shells are told to run in turn.
 * Nothing is taken for harmless because it could not be followed: that is noted as unreadable.
 */
import {
  type Command,
  type CommandNode,
  forEachChild,
  type HereDoc,
  type ParsedScript,
  type Pipeline,
  parse,
  type Redirection,
  type SyntaxNode,
} from 'unbash'
import { findForbiddenCharacter } from '../core/characters.ts'
import { isForkBomb } from './fork-bomb.ts'
import { hiddenCode, hiddenCodeOf } from './hidden-code.ts'
import type { Input } from './reading.ts'
import { type Arg, type Call, type FileUse, joinStatic, READ_LIMITS, type Reading } from './reading.ts'
import { unwrap } from './unwrap.ts'
import { readAssignment, readWord } from './words.ts'

interface Place {
  input: Input
  depth: number
  via: readonly string[]
}

const PLAIN_NODES: ReadonlySet<SyntaxNode['type']> = new Set([
  'Statement',
  'AndOr',
  'Pipeline',
  'Negation',
  'Command',
  'Word',
  'Literal',
  'Glob',
  'SingleQuoted',
  'DoubleQuoted',
  'BraceExpansion',
  'Redirect',
  'FileDescriptor',
] as const)

/** Reads one command text; never throws. A text that cannot be read in full has a `problem` and must not be allowed. */
export function readCommand(text: string): Reading {
  const forbidden = findForbiddenCharacter(text)
  const reader = new CommandReader()
  if (forbidden !== undefined) reader.give(`it holds ${forbidden}`)
  else if (Buffer.byteLength(text) > READ_LIMITS.maxBytes) reader.give('it is longer than 64 KiB')
  else reader.script(text, { input: { kind: 'none' }, depth: 0, via: [] })
  return reader.reading()
}

class CommandReader {
  readonly #calls: Call[] = []
  readonly #files: FileUse[] = []
  readonly #assigned: string[] = []
  readonly #functions: string[] = []
  readonly #unreadable = new Set<string>()
  readonly #doubtful = new Set<string>()
  #isForkBomb = false
  #isPlain = true
  #problem: string | null = null
  #nodes = 0
  #bytes = 0

  reading(): Reading {
    return {
      calls: this.#calls,
      files: this.#files,
      assigned: this.#assigned,
      functions: this.#functions,
      unreadable: [...this.#unreadable],
      doubtful: [...this.#doubtful],
      isForkBomb: this.#isForkBomb,
      isPlain: this.#isPlain,
      problem: this.#problem,
    }
  }

  /** The first problem stays: later ones follow from it. */
  give(problem: string): void {
    this.#problem ??= problem
  }

  /** A fault of the text itself; inside a text for another shell it is that shell's to refuse, and a person's to look at. */
  #fault(problem: string, place: Place): void {
    if (place.depth === 0) this.give(problem)
    else this.#doubtful.add(problem)
  }

  script(text: string, place: Place): void {
    this.#bytes += text.length
    if (place.depth > READ_LIMITS.maxDepth) {
      this.give('commands inside commands are nested too deeply')
      return
    }
    if (this.#bytes > READ_LIMITS.maxScriptBytes) {
      this.give('it holds too much text inside text')
      return
    }
    try {
      this.#visitScript(parse(text), place)
    } catch (error) {
      // The parser recovers from anything it knows of; what it throws on is no command that we can vouch for.
      this.give(`it cannot be parsed (${error instanceof Error ? error.message.slice(0, 100) : 'unknown'})`)
    }
  }

  #visitScript(script: ParsedScript, place: Place): void {
    const [error] = script.errors ?? []
    if (error !== undefined) this.#fault(`it is not valid shell: ${error.message}`, place)
    this.#children(script, place)
  }

  #children(node: SyntaxNode, place: Place): void {
    forEachChild(node, (child) => this.#visit(child, place))
  }

  #visit(node: SyntaxNode, place: Place): void {
    // With a problem nothing else counts; and substitutions are parsed only when they are visited.
    if (this.#problem !== null) return
    this.#nodes += 1
    if (!PLAIN_NODES.has(node.type)) this.#isPlain = false
    if (this.#nodes > READ_LIMITS.maxNodes) {
      this.give('it has too many parts')
      return
    }
    switch (node.type) {
      case 'Script':
        this.#visitScript(node, place)
        break
      case 'Pipeline':
        this.#pipeline(node, place)
        break
      case 'Command':
        this.#command(node, place)
        break
      case 'Redirected':
        this.#children(node, { ...place, input: inputOf(node.redirects, place.input) })
        break
      case 'Function':
        this.#functions.push(node.name.value)
        if (isForkBomb(node)) this.#isForkBomb = true
        this.#children(node, { ...place, input: { kind: 'unknown' } })
        break
      case 'Redirect':
        this.#redirect(node)
        this.#children(node, place)
        break
      case 'HereDoc':
        if (node.closing === undefined)
          this.#fault(`the here-document is not closed by "${node.delimiter?.value ?? ''}"`, place)
        this.#children(node, place)
        break
      case 'CommandExpansion':
      case 'ProcessSubstitution':
      case 'ArithmeticCommandExpansion':
        if (node.script === undefined) this.give('a substitution cannot be read')
        this.#children(node, place)
        break
      case 'Assignment':
        this.#assigned.push(node.name)
        this.#note(hiddenCodeOf(node.name, node.value.type === 'Word' ? node.value.value : ''))
        this.#children(node, place)
        break
      default:
        this.#children(node, place)
        break
    }
  }

  #pipeline(node: Pipeline, place: Place): void {
    let { input } = place
    for (const command of node.commands) {
      this.#visit(command, { ...place, input })
      input = printed(command)
    }
  }

  #command(node: Command, place: Place): void {
    const input = inputOf(node.redirects, place.input)
    this.#children(node, { ...place, input })
    if (node.name === undefined) return
    const words = [
      ...readWord(node.name),
      ...node.args.flatMap((arg) => (arg.type === 'Word' ? readWord(arg) : [readAssignment(arg)])),
    ]
    this.#call(words, false, { ...place, input })
  }

  #call(words: readonly Arg[], hasMoreArgs: boolean, place: Place): void {
    const [first, ...args] = words
    if (first === undefined) return
    if (this.#calls.length >= READ_LIMITS.maxCalls) {
      this.give('it has too many parts')
      return
    }
    if (place.via.length > READ_LIMITS.maxDepth) {
      this.give('wrappers are nested too deeply')
      return
    }
    const name = first.isStatic ? baseName(first.text) : ''
    const call: Call = { name, path: first.text, args, hasMoreArgs, via: place.via }
    this.#calls.push(call)
    this.#noteUnreadableName(call, first)
    this.#note(hiddenCode(call))
    for (const inner of unwrap(call, place.input)) {
      const inside = { ...place, via: [...place.via, name] }
      if (inner.kind === 'call') this.#call(inner.words, inner.hasMoreArgs, inside)
      else if (inner.kind === 'script') this.script(inner.text, { ...inside, depth: place.depth + 1 })
      else this.#unreadable.add(inner.why)
    }
  }

  #note(why: string | undefined): void {
    if (why !== undefined) this.#unreadable.add(why)
  }

  #noteUnreadableName(call: Call, word: Arg): void {
    const shown = word.text.slice(0, 60)
    if (!word.isStatic) this.#unreadable.add(`the program's name is computed: ${shown}`)
    else if (call.name === '') this.#unreadable.add('the name of a program is empty')
    else if (/[*?[{]/.test(call.name) && call.name !== '[' && call.name !== '[[' && call.name !== '{') {
      this.#unreadable.add(`the program's name is a pattern: ${shown}`)
    } else if (!/^[\x20-\x7e]*$/.test(call.name)) {
      this.#unreadable.add(`the program's name has letters that can look like others: ${shown}`)
    }
  }

  #redirect(node: Extract<Redirection, { type: 'Redirect' }>): void {
    const [target, ...more] = node.target === undefined ? [] : readWord(node.target)
    if (target === undefined) {
      this.give('a redirection has no target')
      return
    }
    const isDescriptor =
      (node.operator === '>&' || node.operator === '<&') && (/^[0-9]*-?$/.test(target.text) || !target.isStatic)
    if (isDescriptor) return
    const mode = node.operator === '<' || node.operator === '<&' ? 'reads' : 'writes'
    for (const each of [target, ...more]) this.#files.push({ mode, target: each })
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** What redirections put on the input of a command; the last one counts. */
function inputOf(redirects: readonly Redirection[], outer: Input): Input {
  let input = outer
  for (const redirect of redirects) {
    if (
      (redirect.descriptor?.type === 'FileDescriptor' && redirect.descriptor.value !== 0) ||
      redirect.descriptor?.type === 'FileDescriptorVariable'
    )
      continue
    if (redirect.type === 'HereDoc') input = { kind: 'text', text: hereText(redirect) }
    else if (redirect.type === 'HereString')
      input = hereString(redirect.target === undefined ? [] : readWord(redirect.target))
    else if (redirect.operator === '<' || redirect.operator === '<>') input = fileInput(redirect.target?.parts)
    else if (redirect.operator === '<&') input = { kind: 'unknown' }
  }
  return input
}

/** A file is a script by name, as in `sh script.sh`; what a process substitution prints is not known. */
function fileInput(parts: readonly { type: string }[] | undefined): Input {
  return parts?.some((part) => part.type === 'ProcessSubstitution') ? { kind: 'unknown' } : { kind: 'none' }
}

function hereString(words: readonly Arg[]): Input {
  const text = joinStatic(words)
  return text === undefined ? { kind: 'unknown' } : { kind: 'text', text }
}

function hereText(node: HereDoc): string {
  return node.operator === '<<-' ? node.body.text.replace(/^\t+/gm, '') : node.body.text
}

/** What a command of a pipeline hands on to the next, where that is plain from its words. */
function printed(node: CommandNode): Input {
  if (node.type !== 'Command' || node.name === undefined) return { kind: 'unknown' }
  const words = node.args.flatMap((arg) => (arg.type === 'Word' ? readWord(arg) : [readAssignment(arg)]))
  const name = joinStatic(readWord(node.name))
  if (name === 'cat' && words.length === 0) return inputOf(node.redirects, { kind: 'unknown' })
  const text = joinStatic(words)
  if (text === undefined) return { kind: 'unknown' }
  if (name === 'echo') return { kind: 'text', text: unescaped(text.replace(/^(?:-[neE]+ )+/, '')) }
  if (name === 'printf') return printfText(words.map((word) => word.text))
  return { kind: 'unknown' }
}

function printfText([format = '', ...values]: readonly string[]): Input {
  if (!format.includes('%')) return { kind: 'text', text: unescaped(format) }
  return /^(?:%[sb](?:\\n|\s)?)+$/.test(format) ? { kind: 'text', text: values.join(' ') } : { kind: 'unknown' }
}

function unescaped(text: string): string {
  return text.replace(/\\x([0-9a-fA-F]{1,2})|\\0?([0-7]{1,3})|\\n/g, (all, hex?: string, octal?: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    return octal === undefined ? (all === '\\n' ? '\n' : all) : String.fromCharCode(Number.parseInt(octal, 8))
  })
}
