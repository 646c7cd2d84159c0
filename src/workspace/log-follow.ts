import { type FSWatcher, watch } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Clock } from '../ports/clock.ts'
import type { LogLine } from '../ports/workspace.ts'
import { logLine, MAX_LINE_BYTES } from './log-lines.ts'
import { gap } from './log-tail.ts'
import { LogView } from './log-view.ts'

const BLOCK_BYTES = 256 * 1024
/** Only for what no file event tells: that the task is over, or a machine out of watches. */
const SAFETY_NET_MS = 1000

export interface FollowOptions {
  taskId: number
  /** From the tasks folder down to the log's: the deepest that exists is watched. */
  folders: readonly [string, ...string[]]
  offset: number
  signal: AbortSignal
  clock: Clock
  isOver(): Promise<boolean>
  onChange?: ((listener: () => void) => Disposable) | undefined
}

/** Lines as they come. Reads only when asked for the next line, so a slow consumer slows nothing but itself. */
export async function* followLog(options: FollowOptions): AsyncGenerator<LogLine> {
  const folder = options.folders.at(-1) ?? options.folders[0]
  using alarm = new Alarm(options)
  const reader = new LineReader(options.taskId, options.offset)
  for (;;) {
    await alarm.arm()
    const over = await options.isOver()
    for await (const line of reader.newLines(folder, options.signal)) {
      yield line
      if (options.signal.aborted) return
    }
    if (options.signal.aborted) return
    if (over) {
      yield* reader.rest()
      return
    }
    await alarm.wait()
  }
}

class LineReader {
  readonly #taskId: number
  /** Next byte to read. */
  #offset: number
  /** Bytes of a line whose end has not come. */
  #open = Buffer.alloc(0)
  /** Within a line that was too long and has been given already. */
  #skipping = false

  constructor(taskId: number, offset: number) {
    this.#taskId = taskId
    this.#offset = offset
  }

  async *newLines(folder: string, signal: AbortSignal): AsyncGenerator<LogLine> {
    await using view = LogView.open(folder)
    for (const run of view.runs) {
      if (run.end <= this.#offset) continue
      if (run.start > this.#offset) {
        yield* this.rest()
        yield gap(this.#taskId, this.#offset, run.start)
        this.#offset = run.start
      }
      while (this.#offset < run.end && !signal.aborted) {
        const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, run.end - this.#offset))
        const count = await view.read(this.#offset, block)
        if (count === 0) return
        yield* this.#lines(block.subarray(0, count))
      }
    }
  }

  /** The unfinished last line. */
  *rest(): Generator<LogLine> {
    const bytes = this.#open
    this.#open = Buffer.alloc(0)
    this.#skipping = false
    if (bytes.length > 0) yield logLine(bytes, { offset: this.#offset - bytes.length, nextOffset: this.#offset })
  }

  *#lines(block: Buffer): Generator<LogLine> {
    const data = this.#open.length === 0 ? block : Buffer.concat([this.#open, block])
    const start = this.#offset - this.#open.length
    this.#offset += block.length
    let from = 0
    for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, from)) {
      const line = { offset: start + from, nextOffset: start + end + 1 }
      if (!this.#skipping) yield logLine(data.subarray(from, end), line)
      this.#skipping = false
      from = end + 1
    }
    this.#open = this.#skipping ? Buffer.alloc(0) : Buffer.from(data.subarray(from))
    if (this.#open.length > MAX_LINE_BYTES) {
      this.#skipping = true
      const bytes = this.#open
      this.#open = Buffer.alloc(0)
      yield logLine(bytes, { offset: start + from, nextOffset: this.#offset })
    }
  }
}

/** Wakes on file events of the log, on the caller's word, and by the safety net. Armed before each reading, so that nothing is missed between. */
class Alarm implements Disposable {
  readonly #options: FollowOptions
  readonly #unlisten: Disposable | undefined
  readonly #onAbort = (): void => this.#ring()
  #watcher: FSWatcher | null = null
  #watched: string | null = null
  #rung = false
  #wake: (() => void) | null = null

  constructor(options: FollowOptions) {
    this.#options = options
    options.signal.addEventListener('abort', this.#onAbort)
    this.#unlisten = options.onChange?.(() => this.#ring())
  }

  async arm(): Promise<void> {
    this.#rung = this.#options.signal.aborted
    // Again after each new watch: a folder made just before it would otherwise go unseen.
    for (;;) {
      const deepest = await deepestExisting(this.#options.folders)
      if (deepest === null || deepest === this.#watched) return
      if (!this.#watch(deepest)) return
    }
  }

  wait(): Promise<void> {
    if (this.#rung) return Promise.resolve()
    return new Promise((resolve) => {
      const net = this.#options.clock.after(SAFETY_NET_MS, () => this.#ring())
      this.#wake = () => {
        net[Symbol.dispose]()
        resolve()
      }
    })
  }

  [Symbol.dispose](): void {
    this.#unwatch()
    this.#unlisten?.[Symbol.dispose]()
    this.#options.signal.removeEventListener('abort', this.#onAbort)
  }

  #changed(event: string): void {
    // A rename may be the watched folder itself going away; a new watch finds out.
    if (event === 'rename') this.#unwatch()
    this.#ring()
  }

  #watch(folder: string): boolean {
    this.#unwatch()
    try {
      this.#watcher = watch(folder, (event) => this.#changed(event))
      this.#watcher.on('error', () => this.#unwatch())
      this.#watched = folder
      return true
    } catch {
      // Out of watches, or gone in between: the safety net goes on.
      return false
    }
  }

  #ring(): void {
    this.#rung = true
    this.#wake?.()
    this.#wake = null
  }

  #unwatch(): void {
    this.#watcher?.close()
    this.#watcher = null
    this.#watched = null
  }
}

async function deepestExisting(folders: readonly string[]): Promise<string | null> {
  for (const folder of folders.toReversed()) {
    const there = await access(folder).then(
      () => true,
      () => false,
    )
    if (there) return folder
  }
  return null
}
