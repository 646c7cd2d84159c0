/** What people type in Slack, as they meant it. Pure. */

/**
 * Slack's markup back to what was typed: links, mentions and channels as text, entities as characters, the assistant's own mention gone.
 * One pass over the text, so that nothing that a person typed is read twice.
 */
export function plainText(text: string, botUserId: string): string {
  return text
    .replaceAll(`<@${botUserId}>`, ' ')
    .replace(/<([^<>]{1,4000})>/g, (whole, inner: string) => (MARKUP.test(inner) ? unwrap(inner) : whole))
    .replace(/&(amp|lt|gt);/g, (_whole, name: string) => ENTITIES[name] ?? '')
    .trim()
}

/** What Slack puts between angle brackets; anything else there was typed. */
const MARKUP = /^(?:[@#!][A-Za-z0-9]|(?:https?|ftps?|ssh):\/\/|mailto:|tel:)/

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>' }

function unwrap(inner: string): string {
  const bar = inner.indexOf('|')
  const target = bar < 0 ? inner : inner.slice(0, bar)
  const label = bar < 0 ? '' : inner.slice(bar + 1)
  if (/^[@#!]/.test(target)) return unwrapMention(target, label)
  if (label === '') return target
  // Slack makes links of what looks like one; then the label is what was typed.
  const bare = target.replace(/^(?:https?:\/\/|mailto:|tel:)/, '')
  return label === target || bare === label || bare === `${label}/` ? label : `${label} (${target})`
}

function unwrapMention(target: string, label: string): string {
  if (target.startsWith('!')) return label === '' ? `@${target.slice(1).split('^')[0] ?? ''}` : label
  return label === '' ? target : `${target.slice(0, 1)}${label}`
}

export type Ask =
  | { kind: 'submit'; text: string }
  | { kind: 'list' }
  | { kind: 'help' }
  | { kind: 'task'; verb: TaskVerb; taskId: number; note: string }
  /** A word that needs a task's number, without one. */
  | { kind: 'incomplete'; verb: TaskVerb }

const TASK_VERBS = ['status', 'log', 'files', 'cancel', 'retry', 'approve', 'reject'] as const
export type TaskVerb = (typeof TASK_VERBS)[number]

/** `/task …`, or what follows a mention. Only exact forms are commands: "cancel 3 of my meetings" asks for work. */
export function parseAsk(text: string): Ask {
  const trimmed = text.trim()
  const lower = trimmed.toLowerCase()
  if (lower === '' || lower === 'help') return { kind: 'help' }
  if (lower === 'list') return { kind: 'list' }
  const alone = TASK_VERBS.find((verb) => verb === lower)
  if (alone !== undefined) return { kind: 'incomplete', verb: alone }
  const match = /^([a-z]+)\s+#?([1-9][0-9]{0,14})(?:\s+(\S[\s\S]*))?$/i.exec(trimmed)
  const verb = TASK_VERBS.find((each) => each === match?.[1]?.toLowerCase())
  const note = match?.[3] ?? ''
  if (verb === undefined || (note !== '' && verb !== 'reject')) return { kind: 'submit', text: trimmed }
  return { kind: 'task', verb, taskId: Number(match?.[2]), note }
}
