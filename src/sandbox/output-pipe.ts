import { closeSync, constants, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'

/** Takes output; the chunk is only valid until what it returns has settled. */
export type OutputSink = (chunk: Buffer) => void | Promise<void>

const CHUNK_BYTES = 256 * 1024
/** The most that Linux lets an ordinary user keep in one pipe: all that can have been written before a step's end was reported. */
const MAX_PIPE_BYTES = 1024 * 1024
/** Of pipes that are gone, for those to come: a new one for each task would make V8 collect garbage for it every few tasks. */
const spareBuffers: Buffer[] = []

/**
 * The reading end of a task's output. A named pipe, because /dev/stdout of a socket cannot be opened by name.
 * Held open for writing as well, so that it never ends by itself: a step's end is told elsewhere, and a process left
 * in the background may keep its end for as long as it likes. One buffer, whatever is printed.
 */
export class OutputPipe implements Disposable {
  readonly #descriptor: number
  readonly #socket: Socket
  readonly #buffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #sink: OutputSink | undefined
  #taking: Promise<void> | undefined
  #failure: unknown

  constructor(path: string) {
    this.#descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    this.#socket = new Socket({
      fd: this.#descriptor,
      readable: true,
      writable: false,
      onread: {
        buffer: this.#buffer,
        callback: (bytes) => this.#take(bytes),
      },
    })
    this.#socket.on('error', (error) => {
      this.#failure ??= error
    })
    this.#socket.pause()
  }

  /** Gives everything that comes to `sink`, until `drain`. */
  flowTo(sink: OutputSink): void {
    this.#sink = sink
    this.#failure = undefined
    this.#socket.resume()
  }

  /** Gives the sink what has been written up to now, and stops. Throws what the sink threw. */
  async drain(): Promise<void> {
    this.#socket.pause()
    const sink = this.#sink
    this.#sink = undefined
    await this.#taking
    let left = MAX_PIPE_BYTES
    while (sink !== undefined && this.#failure === undefined && left > 0) {
      const bytes = this.#readNow()
      if (bytes === 0) break
      left -= bytes
      await this.#giving(sink(this.#buffer.subarray(0, bytes)))
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** May be called twice. */
  [Symbol.dispose](): void {
    this.#sink = undefined
    if (this.#socket.destroyed) return
    this.#socket.destroy()
    const giveBack = () => void spareBuffers.push(this.#buffer)
    // Whoever was given a part of it may still be reading there.
    Promise.resolve(this.#taking).then(giveBack, giveBack)
  }

  async #giving(taking: void | Promise<void>): Promise<void> {
    this.#taking = Promise.resolve(taking)
    try {
      await this.#taking
    } finally {
      this.#taking = undefined
    }
  }

  /** False: stop reading until what was given has been taken. */
  #take(bytes: number): boolean {
    if (this.#sink === undefined || bytes <= 0) return false
    try {
      const taking = this.#sink(this.#buffer.subarray(0, bytes))
      if (taking === undefined) return true
      this.#taking = taking.then(
        () => this.#taken(),
        (error: unknown) => this.#taken(error),
      )
    } catch (error) {
      this.#taken(error)
    }
    return false
  }

  #taken(error?: unknown): void {
    this.#taking = undefined
    this.#failure ??= error
    if (this.#sink !== undefined && this.#failure === undefined) this.#socket.resume()
  }

  #readNow(): number {
    try {
      return readSync(this.#descriptor, this.#buffer)
    } catch (error) {
      // EAGAIN is how an empty pipe answers.
      if (isEmptyPipe(error)) return 0
      throw error
    }
  }
}

/** Takes away what a task that is gone has left in the pipe, so that the next one begins with an empty one. */
export function emptyPipe(path: string): void {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const buffer = spareBuffers.at(-1) ?? Buffer.allocUnsafe(CHUNK_BYTES)
  try {
    while (readSync(descriptor, buffer) > 0);
  } catch (error) {
    if (!isEmptyPipe(error)) throw error
  } finally {
    closeSync(descriptor)
  }
}

function isEmptyPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}
