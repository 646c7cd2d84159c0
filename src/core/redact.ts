/** Hides secrets in text before it is stored, streamed, posted or uploaded. */
export interface Redactor {
  /** The same text with every known secret and well-known token replaced; `count` says how many were. */
  text(text: string): { text: string; count: number }
  /** For bytes that come in chunks: a secret that crosses a border is found too. One per log. */
  stream(): RedactStream
}

export interface RedactStream {
  /** Bytes that are safe to store now; what could be the beginning of a secret is held back. */
  push(chunk: Buffer): Buffer
  /** What was held back, at the end. */
  end(): Buffer
  readonly count: number
}
