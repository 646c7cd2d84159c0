/**
 * One pass over bytes for all secrets at once. Four bytes that something begins with are looked for as two pairs, read as 16-bit numbers
 * where memory holds them: one look-up a pair, whatever the number of secrets. What that lets through is then compared byte by byte.
 * Invariant: what is found depends on the bytes only, never on how they were cut into chunks.
 */
import type { Candidate, Match, Tail } from './redact-match.ts'

const WINDOW = 4
const PAIRS = 65_536
/** Candidates are kept apart by their first byte, so that the first pair of one and the second of another mean nothing together. */
const GROUPS = 8
const FIRST_TWO = 0xff
/** What is held back differs in length from chunk to chunk. */
const JOINT_ROOM = 1024

export interface Scanner {
  /**
   * By two neighbouring bytes as memory holds them, a bit for each group: in the lower half that they are bytes 1 and 2 of something
   * (bits 0-7), or any byte and byte 1 (8-15); in the upper half that they may come right after such: bytes 3 and 4, or bytes 2 and 3.
   */
  halves: Int32Array
  /** Whether a candidate may begin with this byte. */
  firstBytes: Uint8Array
  /** By the four bytes of the window, as a 32-bit number. */
  candidates: ReadonlyMap<number, readonly Candidate[]>
}

export function createScanner(candidates: readonly Candidate[]): Scanner {
  const halves = new Int32Array(PAIRS)
  const firstBytes = new Uint8Array(256)
  const byAnchor = new Map<number, Candidate[]>()
  for (const candidate of candidates) {
    const bytes = candidate.anchor.map((set) => [...set.keys()].filter((byte) => set[byte] === 1))
    const [b0 = [], b1 = [], b2 = [], b3 = []] = bytes
    for (const byte of b0) {
      const group = 1 << (byte % GROUPS)
      firstBytes[byte] = 1
      mark(halves, [[byte], b1], group)
      mark(halves, [EVERY_BYTE, [byte]], group << GROUPS)
      mark(halves, [b2, b3], group << (2 * GROUPS))
      mark(halves, [b1, b2], group << (3 * GROUPS))
    }
    for (const head of pairs(b0, b1)) {
      for (const rest of pairs(b2, b3)) {
        const anchor = (head << 16) | rest
        const known = byAnchor.get(anchor)
        if (known === undefined) byAnchor.set(anchor, [candidate])
        else known.push(candidate)
      }
    }
  }
  return { halves, firstBytes, candidates: byAnchor }
}

const EVERY_BYTE = Array.from({ length: 256 }, (_, byte) => byte)

function pairs(first: readonly number[], second: readonly number[]): number[] {
  return first.flatMap((a) => second.map((b) => (a << 8) | b))
}

function mark(
  halves: Int32Array,
  [first, second]: readonly [readonly number[], readonly number[]],
  bits: number,
): void {
  for (const a of first) for (const b of second) halves[asHeld(a, b)] = (halves[asHeld(a, b)] ?? 0) | bits
}

const LOW_FIRST = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The number that memory holds where these two bytes stand in a row. */
function asHeld(first: number, second: number): number {
  return LOW_FIRST ? first | (second << 8) : (first << 8) | second
}

interface Found extends Match {
  /** Where its candidate begins: at or before `start`. */
  anchor: number
}

interface Search {
  data: Buffer
  /** Nothing comes after these bytes. */
  final: boolean
  found: Found[]
}

export class RedactScan {
  readonly #scanner: Scanner
  readonly #marker: Buffer
  #carry: Buffer = Buffer.alloc(0)
  #joint: Buffer = Buffer.alloc(0)
  /** The byte before the carry, for shapes that begin a word. */
  #before = 0
  /** Up to here in the carry all is written or hidden already. */
  #done = 0
  #tails: Tail[] = []
  count = 0

  constructor(scanner: Scanner, marker: Buffer) {
    this.#scanner = scanner
    this.#marker = marker
  }

  push(chunk: Buffer): Buffer {
    return this.#run(this.#carry.length === 0 ? chunk : this.#joined(chunk), false)
  }

  end(): Buffer {
    return this.#carry.length === 0 ? this.#carry : this.#run(this.#carry, true)
  }

  /** What was held back, and the chunk. In the same memory each time: a large one for each chunk would cost more than looking through it. */
  #joined(chunk: Buffer): Buffer {
    const length = this.#carry.length + chunk.length
    if (this.#joint.length < length) this.#joint = Buffer.allocUnsafeSlow(length + JOINT_ROOM)
    this.#carry.copy(this.#joint)
    chunk.copy(this.#joint, this.#carry.length)
    return this.#joint.subarray(0, length)
  }

  #run(data: Buffer, final: boolean): Buffer {
    this.#stretch(data)
    const found: Found[] = []
    const until = keptUntil(found, this.#search({ data, final, found }))
    const out = this.#render(data, until, found)
    this.#before = data[until - 1] ?? this.#before
    // A copy: the caller may use its chunk again, and a few bytes must not keep a large one alive.
    this.#carry = Buffer.from(data.subarray(until))
    this.#done = Math.max(0, this.#done - until)
    return out
  }

  /** Goes on with matches that were still open where the last chunk ended. */
  #stretch(data: Buffer): void {
    if (this.#tails.length === 0) return
    const from = this.#done
    const open: Tail[] = []
    for (const tail of this.#tails) {
      const end = tail.swallow(data, from)
      this.#done = Math.max(this.#done, end)
      if (end === data.length) open.push(tail)
    }
    this.#tails = open
  }

  /** Fills `found`; answers where it had to stop for want of bytes (data.length when it had not). */
  #search(search: Search): number {
    const { halves } = this.#scanner
    const { data, final } = search
    const odd = data.byteOffset % 2
    const held = new Uint16Array(data.buffer, data.byteOffset + odd, (data.length - odd) >> 1)
    const last = Math.max(0, data.length - WINDOW + 1)
    let stop = this.#matchWithin(search, 0, Math.min(odd, last))
    if (stop !== null) return stop
    let before = 0
    let next = 0
    for (; next + 4 <= held.length; next += 4) {
      const a = halves[held[next] ?? 0] ?? 0
      const b = halves[held[next + 1] ?? 0] ?? 0
      const c = halves[held[next + 2] ?? 0] ?? 0
      const d = halves[held[next + 3] ?? 0] ?? 0
      const mayBegin = (before & (a >>> 16)) | (a & (b >>> 16)) | (b & (c >>> 16)) | (c & (d >>> 16))
      before = d
      if (mayBegin === 0) continue
      // What these eight bytes have shown begins with the two before them or with one of their first six.
      const from = odd + 2 * next - 2
      stop = this.#matchWithin(search, from, Math.min(from + 8, last))
      if (stop !== null) return stop
    }
    stop = this.#matchWithin(search, odd + 2 * next - 2, last)
    return stop ?? (final ? data.length : this.#mayBegin(data, last))
  }

  /** Looks at each place by itself. Answers the one where more bytes are needed; null when there is none. */
  #matchWithin(search: Search, from: number, to: number): number | null {
    const { halves } = this.#scanner
    const { data } = search
    for (let at = Math.max(0, from); at < to; at++) {
      const one = (halves[asHeld(data[at] ?? 0, data[at + 1] ?? 0)] ?? 0) & FIRST_TWO
      if (one === 0) continue
      const two = halves[asHeld(data[at + 2] ?? 0, data[at + 3] ?? 0)] ?? 0
      if ((one & (two >>> 16)) !== 0 && !this.#matchAt(search, at)) return at
    }
    return null
  }

  /** False when a candidate here needs more bytes to be decided. */
  #matchAt({ data, final, found }: Search, at: number): boolean {
    const candidates = this.#scanner.candidates.get(data.readInt32BE(at))
    if (candidates === undefined) return true
    const before = data[at - 1] ?? this.#before
    const matches: Found[] = []
    for (const candidate of candidates) {
      const result = candidate.match(data, at, before, final)
      if (result === 'more') return false
      if (result === 'no') continue
      const end = result.tail?.swallow(data, result.end) ?? result.end
      matches.push({ ...result, end, anchor: at })
    }
    found.push(...matches)
    return true
  }

  /** The first of the last three bytes with which something could begin. */
  #mayBegin(data: Buffer, from: number): number {
    const { halves, firstBytes } = this.#scanner
    for (let at = from; at < data.length; at++) {
      const [first = 0, second, third] = data.subarray(at)
      if (firstBytes[first] !== 1) continue
      if (second === undefined) return at
      const one = (halves[asHeld(first, second)] ?? 0) & FIRST_TWO
      if (one !== 0 && (third === undefined || (one & ((halves[asHeld(second, third)] ?? 0) >>> (3 * GROUPS))) !== 0))
        return at
    }
    return data.length
  }

  #render(data: Buffer, until: number, found: readonly Found[]): Buffer {
    const parts: Buffer[] = []
    for (const match of found) {
      if (match.anchor >= until) continue
      if (match.start >= this.#done) {
        parts.push(data.subarray(this.#done, match.start), this.#marker)
        this.count++
      }
      this.#done = Math.max(this.#done, match.end)
      if (match.end === data.length && match.tail !== null) this.#tails.push(match.tail)
    }
    if (this.#done < until) {
      parts.push(data.subarray(this.#done, until))
      this.#done = until
    }
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
  }
}

/**
 * Sorts what was found by where it hides, and answers up to where it can be written: a match whose hidden part begins only after `until`
 * is found again with the next bytes, from its anchor on.
 */
function keptUntil(found: Found[], until: number): number {
  let kept = until
  for (const match of found.toReversed()) if (match.anchor < kept && match.start >= kept) kept = match.anchor
  found.sort((a, b) => a.start - b.start || b.end - a.end)
  return kept
}
