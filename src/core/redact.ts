import { formsOfSecrets } from './redact-forms.ts'
import { keyBlockTail } from './redact-key-block.ts'
import { type Candidate, exactCandidate, shapeCandidate } from './redact-match.ts'
import { createScanner, RedactScan } from './redact-scan.ts'
import { KEY_BLOCK_STARTS, TOKEN_SHAPES } from './redact-shapes.ts'

/** What stands in place of each secret. */
export const SECRET_MARK = '[secret hidden]'

/** Hides secrets in text before it is stored, streamed, posted or uploaded. */
export interface Redactor {
  /** The same text with every known secret and well-known token replaced; `count` says how many were. */
  text(text: string): { text: string; count: number }
  /** For bytes that come in chunks: a secret that crosses a border is found too. One per log. */
  stream(): RedactStream
}

export interface RedactStream {
  /** Bytes that are safe to store now, in memory that is used again with the next call; what could be the beginning of a secret is held back (a few KiB at most, or the longest secret). */
  push(chunk: Buffer): Buffer
  /** What was held back, at the end. */
  end(): Buffer
  readonly count: number
}

/**
 * Finds the exact values of `secrets` (also in base64, hex, URL and JSON spelling) and tokens of well-known shapes.
 * Secrets shorter than 6 bytes are ignored. Making one takes some milliseconds: make it once.
 */
export function createRedactor(options: { secrets: readonly string[] }): Redactor {
  const candidates: Candidate[] = [
    ...formsOfSecrets(options.secrets).map(exactCandidate),
    ...TOKEN_SHAPES.map((shape) => shapeCandidate(shape)),
    ...KEY_BLOCK_STARTS.map((hide) => shapeCandidate({ hide }, keyBlockTail)),
  ]
  const scanner = createScanner(candidates)
  const mark = Buffer.from(SECRET_MARK)
  return {
    text(text) {
      const scan = new RedactScan(scanner, mark)
      const parts = [scan.push(Buffer.from(text)), scan.end()]
      return scan.count === 0 ? { text, count: 0 } : { text: Buffer.concat(parts).toString(), count: scan.count }
    },
    stream: () => new RedactScan(scanner, mark),
  }
}
