import { dropForbiddenCharacters, findForbiddenCharacter } from '../core/characters.ts'
import { PLAN_LIMITS, type Plan, replySchema } from '../core/plan.ts'
import { findObjects } from './find-objects.ts'
import type { JsonObject, JsonValue } from './lenient-json.ts'

/** What one reply of the model is. `declined`: prose in which it says that it will not, to be believed only when it says so to the end. */
export type ReadReply =
  | { kind: 'plan'; plan: Plan }
  | { kind: 'answer'; answer: string }
  | { kind: 'declined'; why: string }
  | { kind: 'invalid'; why: string }

/** How the server said that the reply ended; anything but a normal stop means that some of it is missing. */
export type FinishReason = 'stop' | 'length' | 'too_large' | 'other'

const FINISH_PROBLEMS: Record<Exclude<FinishReason, 'stop'>, string> = {
  length: 'the reply was cut off because it was too long; make it shorter',
  too_large: 'the reply was larger than 256 KiB',
  other: 'the reply did not end normally',
}

/**
 * From the model's text to a plan or an answer; never throws. Wrappers and syntax are mended, meaning is not:
 * commands come out of exactly one JSON object that was sent in full, or not at all.
 */
export function readReply(text: string, finish: FinishReason): ReadReply {
  if (finish !== 'stop') return invalid(FINISH_PROBLEMS[finish])
  if (Buffer.byteLength(text) > PLAN_LIMITS.maxReplyBytes) return invalid(FINISH_PROBLEMS.too_large)
  if (text.trim() === '') return invalid('the reply was empty')
  const found = findObjects(text)
  if (found.kind === 'unusable') return invalid(found.why)
  const withCommands = found.objects.filter((object) => object.has('commands'))
  const [only] = withCommands
  if (only === undefined) return withoutCommands(text, found.objects)
  if (withCommands.length > 1) return invalid('there are two objects with "commands"; exactly one is needed')
  return fromObject(only)
}

function withoutCommands(text: string, objects: readonly JsonObject[]): ReadReply {
  const [first] = objects
  if (first !== undefined) {
    const keys = [...first.keys()].map((key) => `"${key.slice(0, 30)}"`).slice(0, 5)
    const seen = keys.length === 0 ? 'no keys' : `the keys ${keys.join(', ')}`
    return invalid(`the JSON object has ${seen}, and not the key "commands"`)
  }
  const why = declining(text)
  return why === undefined ? invalid('there is no JSON object in the reply') : { kind: 'declined', why }
}

function fromObject(object: JsonObject): ReadReply {
  // A null where a key is optional says the same as no key.
  const present = [...object].filter(([, value]) => value !== null)
  const parsed = replySchema.safeParse(Object.fromEntries(present.map(([key, value]) => [key, plain(value)])))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return invalid(`"${issue?.path.join('.') ?? ''}": ${issue?.message ?? 'it has the wrong shape'}`)
  }
  const reply = parsed.data
  if (reply.commands.length === 0) return fromAnswer(reply.answer)
  for (const [index, command] of reply.commands.entries()) {
    const forbidden = findForbiddenCharacter(command)
    if (forbidden !== undefined) return invalid(`command ${index + 1} holds ${forbidden}`)
  }
  const hosts = reply.network_hosts ?? []
  const badHost = hosts.find((host) => !/^[A-Za-z0-9.*_:-]+$/.test(host))
  if (badHost !== undefined) {
    return invalid('"network_hosts" takes host names only, such as "example.org", without scheme or path')
  }
  const reason = dropForbiddenCharacters(reply.network_reason ?? '')
  const summary = dropForbiddenCharacters(reply.summary ?? '').trim()
  return {
    kind: 'plan',
    plan: { commands: reply.commands, summary, network: reply.network ? { reason, hosts } : null },
  }
}

function fromAnswer(answer: string | undefined): ReadReply {
  const text = dropForbiddenCharacters(answer ?? '').trim()
  return text === '' ? invalid('there are no commands and no "answer"') : { kind: 'answer', answer: text }
}

function plain(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]))
  if (Array.isArray(value)) return value.map(plain)
  return value
}

const DECLINING = [
  "i can't",
  'i cannot',
  'i can not',
  "i'm sorry",
  'i am sorry',
  'sorry, ',
  "i'm unable",
  'i am unable',
  "i'm not able",
  'i am not able',
  "i won't",
  'i will not',
  'i must decline',
  'i have to decline',
  'as an ai',
]

/** The sentence in which prose without any JSON declines; undefined when it does not, within its first lines. */
function declining(text: string): string | undefined {
  const prose = dropForbiddenCharacters(withoutThoughts(text)).trim().slice(0, 600)
  const lower = prose.toLowerCase().replaceAll('’', "'")
  const begins = DECLINING.map((phrase) => lower.indexOf(phrase)).filter((index) => index !== -1 && index < 200)
  if (begins.length === 0) return undefined
  return (prose.split('\n', 1)[0] ?? '').slice(0, 300)
}

/** Text after the last closed think block. */
export function withoutThoughts(text: string): string {
  const ends = ['</think>', '</thinking>', '</reasoning>', '</thought>'].map((tag) => {
    const at = text.lastIndexOf(tag)
    return at === -1 ? 0 : at + tag.length
  })
  return text.slice(Math.max(...ends))
}

function invalid(why: string): ReadReply {
  return { kind: 'invalid', why }
}
