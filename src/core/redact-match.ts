/** Shapes and exact values compiled for matching at one place of a buffer: greedy, forward only, so that the work at each place is bounded. */
import type { TokenShape } from './redact-shapes.ts'

/** One byte of a set, `min` to `max` times. */
interface Atom {
  set: Uint8Array
  min: number
  max: number
}

/** What may stretch a match without bound and without holding anything back. Answers where it ends; data.length means perhaps later. */
export interface Tail {
  swallow(data: Buffer, from: number): number
}

export interface Match {
  /** Hidden from here … */
  start: number
  /** … to before here. */
  end: number
  tail: Tail | null
}

/** `more`: cannot be told before more bytes have come. */
export type MatchResult = Match | 'no' | 'more'

export interface Candidate {
  /** The sets of its first four bytes. */
  anchor: readonly Uint8Array[]
  match(data: Buffer, at: number, before: number, final: boolean): MatchResult
}

export function exactCandidate(value: Buffer): Candidate {
  return {
    anchor: [...value.subarray(0, 4)].map((byte) => setOf((other) => other === byte)),
    match(data, at, _before, final) {
      const length = Math.min(value.length, data.length - at)
      if (data.compare(value, 0, length, at, at + length) !== 0) return 'no'
      if (length < value.length) return final ? 'no' : 'more'
      return { start: at, end: at + length, tail: null }
    },
  }
}

export function shapeCandidate(shape: TokenShape, makeTail?: () => Tail): Candidate {
  const keep = parseAtoms(shape.keep ?? '', shape.anyCase === true)
  const hide = parseAtoms(shape.hide, shape.anyCase === true)
  const follows = parseAtoms(shape.follows ?? '', shape.anyCase === true)
  const open = hide.at(-1)
  const tailOfAtom = open?.max === Number.POSITIVE_INFINITY ? setTail(open.set) : null
  if (open !== undefined && tailOfAtom !== null) open.max = open.min
  return {
    anchor: anchorOf([...keep, ...hide]),
    match(data, at, before, final) {
      if (shape.wordStart === true && WITHIN_WORD[before] === 1) return 'no'
      const start = follow(keep, { data, at, final })
      if (typeof start === 'string') return start
      const end = follow(hide, { data, at: start, final })
      if (typeof end === 'string') return end
      const after = follow(follows, { data, at: end, final })
      if (typeof after === 'string') return after
      return { start, end, tail: makeTail?.() ?? tailOfAtom }
    },
  }
}

function follow(atoms: readonly Atom[], from: { data: Buffer; at: number; final: boolean }): number | 'no' | 'more' {
  const { data, final } = from
  let at = from.at
  for (const { set, min, max } of atoms) {
    const stop = Math.min(data.length, at + max)
    const begin = at
    while (at < stop && set[data[at] ?? 0] === 1) at++
    if (at === data.length && at - begin < max && !final) return 'more'
    if (at - begin < min) return 'no'
  }
  return at
}

function setTail(set: Uint8Array): Tail {
  return {
    swallow(data, from) {
      let at = from
      while (at < data.length && set[data[at] ?? 0] === 1) at++
      return at
    },
  }
}

const ATOM = /(\[(?:\\.|[^\]\\])+\]|\\.|[^\\[{])(?:\{(\d+)(,?)(\d*)\}|(\?))?/gy

function parseAtoms(source: string, anyCase: boolean): Atom[] {
  const atoms: Atom[] = []
  let length = 0
  for (const [whole, one = '', low, comma, high, maybe] of source.matchAll(ATOM)) {
    length += whole.length
    const min = maybe === undefined ? Number(low ?? 1) : 0
    const openMax = high === '' && comma === ',' ? Number.POSITIVE_INFINITY : min
    const max = maybe === undefined ? Number(high === '' || high === undefined ? openMax : high) : 1
    atoms.push({ set: bytesOf(one, anyCase), min, max })
  }
  if (length !== source.length) throw new Error(`not a token shape: ${source}`)
  return atoms
}

const known = new Map<string, Uint8Array>()

function bytesOf(one: string, anyCase: boolean): Uint8Array {
  const key = `${anyCase} ${one}`
  const found = known.get(key)
  if (found !== undefined) return found
  const pattern = new RegExp(`^${one}$`, anyCase ? 'si' : 's')
  const set = setOf((byte) => pattern.test(String.fromCharCode(byte)))
  known.set(key, set)
  return set
}

/** Its first four bytes as sets; what is not certain by then can be any byte. */
function anchorOf(atoms: readonly Atom[]): readonly Uint8Array[] {
  const sets: Uint8Array[] = []
  for (const { set, min, max } of atoms) {
    for (let count = 0; count < min && sets.length < 4; count++) sets.push(set)
    if (max > min) break
  }
  while (sets.length < 4) sets.push(setOf(() => true))
  return sets
}

export function setOf(has: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (has(byte) ? 1 : 0))
}

/** Not m, n, r, t: they end a colour sequence or a written-out \n, and would hide the token after it. */
const WITHIN_WORD = setOf((byte) => /[a-lo-qsu-zA-Z0-9_]/.test(String.fromCharCode(byte)))
