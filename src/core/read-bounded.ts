import type { Readable } from 'node:stream'

/** All of a stream in memory; undefined when it is larger, and then the stream is over all the same. */
export async function readBounded(stream: Readable, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > maxBytes) {
      stream.destroy()
      return undefined
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
