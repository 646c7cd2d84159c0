import { Readable } from 'node:stream'

const BLOCK_BYTES = 128 * 1024

export interface Part {
  length: number
  /** Fills `target` from `at` on; answers how much, 0 at the end. */
  read(at: number, target: Buffer): Promise<number>
}

/** Parts one after another as one stream; `close` runs once, however it ends. A part that turns out shorter ends the stream with an error. */
export function partStream(parts: readonly Part[], close: () => Promise<void>): Readable {
  let index = 0
  let at = 0
  const next = async (): Promise<Buffer | null> => {
    for (;;) {
      const part = parts[index]
      if (part === undefined) return null
      if (at < part.length) {
        const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, part.length - at))
        const count = await part.read(at, block)
        if (count === 0) throw new Error('the file became shorter while it was read')
        at += count
        return block.subarray(0, count)
      }
      index++
      at = 0
    }
  }
  return new Readable({
    read() {
      next().then(
        (block) => this.push(block),
        (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
      )
    },
    destroy(error, done) {
      close().then(
        () => done(error),
        (trouble: unknown) => done(error ?? (trouble instanceof Error ? trouble : null)),
      )
    },
  })
}
