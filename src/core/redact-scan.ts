/**
 * One pass over bytes for all secrets at once, after Wu and Manber: two bytes at the end of a four-byte window say how far the window can
 * jump, so that most bytes are not looked at and the cost does not grow with the number of secrets.
 * Invariant: what is found depends on the bytes only, never on how they were cut into chunks.
 */
import type { Candidate, Match, Tail } from './redact-match.ts'

const WINDOW = 4
const PAIRS = 65_536

export interface Scanner {
  /** By the last two bytes of the window: how far no candidate can begin; 0 when one may begin here. */
  jumps: Uint8Array
  /** Whether a candidate may begin with these two bytes, and with this one. */
  firstPairs: Uint8Array
  firstBytes: Uint8Array
  /** By the four bytes of the window, as a 32-bit number. */
  candidates: ReadonlyMap<number, readonly Candidate[]>
}

export function createScanner(candidates: readonly Candidate[]): Scanner {
  const jumps = new Uint8Array(PAIRS).fill(WINDOW - 1)
  const firstPairs = new Uint8Array(PAIRS)
  const firstBytes = new Uint8Array(256)
  const byAnchor = new Map<number, Candidate[]>()
  for (const candidate of candidates) {
    const bytes = candidate.anchor.map((set) => [...set.keys()].filter((byte) => set[byte] === 1))
    const [b0 = [], b1 = [], b2 = [], b3 = []] = bytes
    for (const pair of pairs(b0, b1)) firstPairs[pair] = 1
    for (const byte of b0) firstBytes[byte] = 1
    lower(jumps, pairs(b0, b1), 2)
    lower(jumps, pairs(b1, b2), 1)
    lower(jumps, pairs(b2, b3), 0)
    for (const head of pairs(b0, b1)) {
      for (const rest of pairs(b2, b3)) {
        const anchor = (head << 16) | rest
        const known = byAnchor.get(anchor)
        if (known === undefined) byAnchor.set(anchor, [candidate])
        else known.push(candidate)
      }
    }
  }
  return { jumps, firstPairs, firstBytes, candidates: byAnchor }
}

function pairs(first: readonly number[], second: readonly number[]): number[] {
  return first.flatMap((a) => second.map((b) => (a << 8) | b))
}

function lower(jumps: Uint8Array, at: readonly number[], to: number): void {
  for (const pair of at) jumps[pair] = Math.min(jumps[pair] ?? to, to)
}

interface Found extends Match {
  /** Where its candidate begins: at or before `start`. */
  anchor: number
}

export class RedactScan {
  readonly #scanner: Scanner
  readonly #marker: Buffer
  #carry: Buffer = Buffer.alloc(0)
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
    return this.#run(this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]), false)
  }

  end(): Buffer {
    return this.#run(this.#carry, true)
  }

  #run(data: Buffer, final: boolean): Buffer {
    this.#stretch(data)
    const found: Found[] = []
    const until = keptUntil(found, this.#search(data, final, found))
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
  #search(data: Buffer, final: boolean, found: Found[]): number {
    const { jumps, firstPairs } = this.#scanner
    const last = data.length - WINDOW
    let at = 0
    while (at <= last) {
      const jump = jumps[((data[at + 2] ?? 0) << 8) | (data[at + 3] ?? 0)] ?? 0
      if (jump > 0) {
        at += jump
        continue
      }
      const head = ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0)
      if (firstPairs[head] === 1 && !this.#matchAt(data, at, final, found)) return at
      at++
    }
    return final ? data.length : this.#mayBegin(data, at)
  }

  /** False when a candidate here needs more bytes to be decided. */
  #matchAt(data: Buffer, at: number, final: boolean, found: Found[]): boolean {
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

  /** The first of the last bytes with which something could begin. */
  #mayBegin(data: Buffer, from: number): number {
    const { firstBytes, firstPairs } = this.#scanner
    for (let at = from; at < data.length; at++) {
      if (firstBytes[data[at] ?? 0] !== 1) continue
      if (at + 1 === data.length || firstPairs[((data[at] ?? 0) << 8) | (data[at + 1] ?? 0)] === 1) return at
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
