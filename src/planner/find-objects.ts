import { type JsonObject, type JsonValue, readJson } from './lenient-json.ts'

export type FoundObjects = { kind: 'found'; objects: readonly JsonObject[] } | { kind: 'unusable'; why: string }

const THINK_TAGS = ['think', 'thinking', 'reasoning', 'thought'] as const

/**
 * Top-level JSON objects of a reply, in order. Prose and fences around them are skipped; closed think blocks are not looked into.
 * Anything that begins as an object and does not end as one makes the whole reply unusable: what follows a broken or cut part
 * cannot be told from what belongs into it. Every branch moves on from where reading stopped, so the whole is linear.
 */
export function findObjects(text: string): FoundObjects {
  // ASCII letters only, so that every index is the same in both.
  const lower = text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  const scan: Scan = { text, lower, at: 0, previous: '', objects: [] }
  while (scan.at < text.length) {
    const why = advance(scan)
    if (why !== undefined) return { kind: 'unusable', why }
  }
  return { kind: 'found', objects: scan.objects }
}

interface Scan {
  readonly text: string
  readonly lower: string
  at: number
  /** The last character that was no space: tells an object in the open from one inside brackets. */
  previous: string
  objects: JsonObject[]
}

/** Moves past one thing; answers why the reply cannot be used, if it cannot. */
function advance(scan: Scan): string | undefined {
  const character = scan.text[scan.at] ?? ''
  if (character === '<') return skipTag(scan)
  if (character === '{' || (character === '[' && beginsListOfObjects(scan.text, scan.at))) return takeValue(scan)
  if (character.trim() !== '') scan.previous = character
  scan.at += 1
  return undefined
}

function skipTag(scan: Scan): string | undefined {
  const tag = thinkTagAt(scan.lower, scan.at)
  if (tag?.kind === 'unclosed') return 'a think block is not closed, so its end cannot be told from the reply'
  // Some chat templates open the block themselves, so that only its end is in the reply: all before it was thought.
  if (tag?.kind === 'end') scan.objects = []
  scan.at = tag?.next ?? scan.at + 1
  scan.previous = '<'
  return undefined
}

function takeValue(scan: Scan): string | undefined {
  const read = readJson(scan.text, scan.at)
  if (read.kind === 'broken') return read.why
  const wasInside = scan.previous === '{' || scan.previous === '['
  scan.previous = read.kind === 'prose' ? '{' : '}'
  scan.at = read.next
  if (read.kind === 'prose') return undefined
  if (!isObject(read.value)) return 'it is a list; exactly one object is needed'
  if (wasInside) return 'the object is inside other brackets'
  scan.objects.push(read.value)
  return undefined
}

type ThinkTag = { kind: 'block'; next: number } | { kind: 'end'; next: number } | { kind: 'unclosed' }

function thinkTagAt(lower: string, at: number): ThinkTag | undefined {
  for (const name of THINK_TAGS) {
    if (lower.startsWith(`</${name}>`, at)) return { kind: 'end', next: at + name.length + 3 }
    if (!lower.startsWith(`<${name}>`, at)) continue
    const end = lower.indexOf(`</${name}>`, at)
    return end === -1 ? { kind: 'unclosed' } : { kind: 'block', next: end + name.length + 3 }
  }
  return undefined
}

/** `[` and then `{` with nothing but space between, within a bounded look ahead: anything further is prose. */
function beginsListOfObjects(text: string, at: number): boolean {
  return text
    .slice(at + 1, at + 200)
    .trimStart()
    .startsWith('{')
}

function isObject(value: JsonValue): value is JsonObject {
  return value instanceof Map
}
