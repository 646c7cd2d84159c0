/** What the reader found in a command text: plain data, for the parts that judge it. */

/** One word of a call. `text` is what the program would get; where that is decided at run time, it is the source text and `isStatic` is false. */
export interface Arg {
  text: string
  isStatic: boolean
  /** A pattern that the shell replaces by the names of files. */
  isGlob?: boolean
}

/** One program that the text would run, however deep it stands. */
export interface Call {
  /** Without its folder; '' when it is computed at run time. */
  name: string
  /** As written, without its quotes. */
  path: string
  args: readonly Arg[]
  /** More arguments come at run time (xargs, find -exec). */
  hasMoreArgs: boolean
  /** Wrappers around it, outermost first. */
  via: readonly string[]
}

/** A redirection to or from a file. */
export interface FileUse {
  mode: 'reads' | 'writes'
  target: Arg
}

export interface Reading {
  calls: readonly Call[]
  files: readonly FileUse[]
  /** Names of variables that are set. */
  assigned: readonly string[]
  /** Names of functions that are defined. */
  functions: readonly string[]
  /** Why parts cannot be told before they run, a sentence each. */
  unreadable: readonly string[]
  /** Text handed to another shell (`sh -c`, eval) that is no valid shell: it will fail there, or be read in another way than here. */
  doubtful: readonly string[]
  /** Nothing but commands with plain words: no expansions, loops, functions, assignments or here-documents anywhere. */
  isPlain: boolean
  /** A function that starts itself again and again. */
  isForkBomb: boolean
  /** Set when the text cannot be read at all: then nothing else here counts. */
  problem: string | null
}

export const READ_LIMITS = {
  maxBytes: 64 * 1024,
  maxScriptBytes: 256 * 1024,
  maxNodes: 20_000,
  maxCalls: 1000,
  maxDepth: 12,
} as const

export function staticArg(text: string): Arg {
  return { text, isStatic: true }
}

/** The text of all arguments when every one is static, else undefined. */
export function joinStatic(args: readonly Arg[]): string | undefined {
  return args.every((arg) => arg.isStatic) ? args.map((arg) => arg.text).join(' ') : undefined
}

/** What a call runs in turn. */
export type Inner =
  | { kind: 'call'; words: readonly Arg[]; hasMoreArgs: boolean }
  | { kind: 'script'; text: string }
  | { kind: 'unreadable'; why: string }

/** What stands on the input of a call, as far as it can be told. */
export type Input = { kind: 'none' } | { kind: 'text'; text: string } | { kind: 'unknown' }
