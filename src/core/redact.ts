import { formsOfSecrets } from './redact-forms.ts'
import { keyBlockTail } from './redact-key-block.ts'
import { exactCandidate, shapeCandidate } from './redact-match.ts'
import { createScanner, RedactScan, type Scanner } from './redact-scan.ts'
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
 * Secrets shorter than 6 bytes are ignored. Its first use takes some milliseconds: make it once.
 */
export function createRedactor(options: { secrets: readonly string[] }): Redactor {
  let scanner: Scanner | undefined
  const mark = Buffer.from(SECRET_MARK)
  const stream = () => {
    // With the first text: a command that only reads hides nothing.
    scanner ??= scannerFor(options.secrets)
    return new RedactScan(scanner, mark)
  }
  return {
    text(text) {
      const scan = stream()
      const parts = [scan.push(Buffer.from(text)), scan.end()]
      return scan.count === 0 ? { text, count: 0 } : { text: Buffer.concat(parts).toString(), count: scan.count }
    },
    stream,
  }
}

function scannerFor(secrets: readonly string[]): Scanner {
  return createScanner([
    ...formsOfSecrets(secrets).map(exactCandidate),
    ...TOKEN_SHAPES.map((shape) => shapeCandidate(shape)),
    ...KEY_BLOCK_STARTS.map((hide) => shapeCandidate({ hide }, keyBlockTail)),
  ])
}
