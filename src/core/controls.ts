/** Buttons and words in a thread. A button's id is `verb:taskId`, with the plan's short hash where a plan is decided. */

export const VERBS = [
  'cancel',
  'retry',
  'rerun',
  'approve',
  'reject',
  'edit',
  'replan',
  'resume',
  'restart',
  'discard',
  'apply',
  'upload',
  'log',
  'files',
  'status',
  'help',
] as const
export type Verb = (typeof VERBS)[number]

export interface Control {
  verb: Verb
  taskId: number
  /** Short hash of the plan that is decided; null for verbs that decide no plan. */
  hash: string | null
}

const VERB_SET: ReadonlySet<string> = new Set(VERBS)

export function encodeControl(control: Control): string {
  return [control.verb, control.taskId, ...(control.hash === null ? [] : [control.hash])].join(':')
}

/** Reads a button's id; undefined for anything that is not ours. */
export function parseControl(id: string): Control | undefined {
  const match = /^([a-z]+):([1-9][0-9]{0,14})(?::([0-9a-f]{8}))?$/.exec(id)
  const verb = match?.[1]
  if (match === null || verb === undefined || !isVerb(verb)) return undefined
  return { verb, taskId: Number(match[2]), hash: match[3] ?? null }
}

function isVerb(text: string): text is Verb {
  return VERB_SET.has(text)
}

const WORDS: Record<string, Verb> = {
  cancel: 'cancel',
  stop: 'cancel',
  abort: 'cancel',
  retry: 'retry',
  again: 'rerun',
  approve: 'approve',
  yes: 'approve',
  go: 'approve',
  reject: 'reject',
  no: 'reject',
  status: 'status',
  log: 'log',
  logs: 'log',
  files: 'files',
  help: 'help',
}
const IDLE_WORDS: ReadonlySet<string> = new Set(['wait', 'thanks', 'thank you', 'thx', 'ok', 'okay'])

export type ThreadWords = { kind: 'control'; verb: Verb } | { kind: 'idle' } | { kind: 'refinement'; text: string }

/**
 * What a reply in a task's thread means. `text` comes without the bot's mention. Control words match exactly,
 * ignoring case, a leading `!`, and final punctuation; thanks and emoji alone mean nothing; all else refines.
 */
export function parseThreadWords(text: string): ThreadWords {
  const trimmed = text.trim()
  const word = trimmed
    .toLowerCase()
    .replace(/^!\s*/, '')
    .replace(/[\s.!?…]+$/u, '')
  const verb = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined
  if (verb !== undefined) return { kind: 'control', verb }
  if (IDLE_WORDS.has(word) || isOnlyEmoji(trimmed)) return { kind: 'idle' }
  return { kind: 'refinement', text: trimmed }
}

function isOnlyEmoji(text: string): boolean {
  return /^(?::[a-z0-9_+-]+:|\p{Extended_Pictographic}|\p{Emoji_Component}|\s)*$/iu.test(text) && !/[0-9#*]/.test(text)
}
