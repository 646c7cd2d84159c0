/** The bytes of one log going to disk: in large chunks, in order, never more than two buffers of them in memory, and within a size limit. */
import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync, write } from 'node:fs'
import { promisify } from 'node:util'
import type { Clock } from '../ports/clock.ts'
import { WorkspaceError } from '../ports/workspace.ts'
import { listSegments, segmentPath } from './log-view.ts'
import { orMissing, workspaceError } from './paths.ts'

const BUFFER_BYTES = 512 * 1024
/** Most tasks print little, and memory by the half megabyte has to be collected again. */
const FIRST_BUFFER_BYTES = 8 * 1024
const CHECK_EVERY_MS = 1000
const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW
/** Of the limit, half is for the head; the tail has up to four segments of an eighth each, so at least three eighths are kept. */
const HEAD_SHARE = 1 / 2
const SEGMENT_SHARE = 1 / 8
const OLD_TAIL_SEGMENTS = 3

const writeLater = promisify(write)

interface OpenSegment {
  descriptor: number
  start: number
  size: number
  limit: number
}

export class LogFile {
  readonly #folder: string
  readonly #limitBytes: number
  readonly #clock: Clock
  /** Starts of the segments after the head, oldest first. */
  readonly #tailStarts: number[]
  #segment: OpenSegment
  #filling = Buffer.allocUnsafe(FIRST_BUFFER_BYTES)
  #spare = Buffer.alloc(0)
  #filled = 0
  #flushing: Promise<void> | null = null
  #failure: WorkspaceError | null = null
  #checkedAt: number
  /** Where the next byte goes, counting all that were ever written. */
  offset: number
  /** Whether the next byte begins a line. */
  atLineStart: boolean

  private constructor(options: { folder: string; limitBytes: number; clock: Clock }, begin: LogBegin) {
    this.#folder = options.folder
    this.#limitBytes = options.limitBytes
    this.#clock = options.clock
    this.#tailStarts = begin.tailStarts
    this.#segment = begin.segment
    this.#checkedAt = options.clock.now()
    this.offset = begin.segment.start + begin.segment.size
    this.atLineStart = begin.atLineStart
  }

  /** Goes on at the end of what is there already. Throws WorkspaceError. */
  static open(options: { folder: string; limitBytes: number; clock: Clock }): LogFile {
    try {
      return new LogFile(options, beginLog(options.folder, options.limitBytes))
    } catch (error) {
      throw workspaceError(error)
    }
  }

  /** Takes the bytes at once where there is room; otherwise, and when the disk is slow, the promise is the back-pressure. */
  append(bytes: Buffer): void | Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (bytes.length === 0) return
    if (bytes.length > this.#filling.length - this.#filled) this.#grow()
    if (bytes.length > BUFFER_BYTES - this.#filled) return this.#appendInParts(bytes)
    this.#take(bytes)
    if (this.#filled > BUFFER_BYTES / 2) return this.#halfEmpty()
  }

  /** All that was appended is in the file, and the file is still there. */
  async flush(): Promise<void> {
    while (this.#filled > 0 || this.#flushing !== null) await (this.#flushing ?? this.#startFlush())
    this.#check(true)
    if (this.#failure !== null) throw this.#failure
  }

  async close(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing
    // The number may soon be another file's.
    this.#failure ??= new WorkspaceError('workspace_lost', "the task's log is closed")
    closeSync(this.#segment.descriptor)
  }

  /** To its full size, at once: who prints more than a little may print a lot. */
  #grow(): void {
    if (this.#filling.length === BUFFER_BYTES) return
    const filling = Buffer.allocUnsafe(BUFFER_BYTES)
    this.#filling.copy(filling, 0, 0, this.#filled)
    this.#filling = filling
  }

  async #appendInParts(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + BUFFER_BYTES - this.#filled)
      this.#take(part)
      at += part.length
      await this.#halfEmpty()
    }
  }

  #take(bytes: Buffer): void {
    bytes.copy(this.#filling, this.#filled)
    this.#filled += bytes.length
    this.offset += bytes.length
    if (bytes.length > 0) this.atLineStart = bytes.at(-1) === 0x0a
    if (this.#flushing === null) this.#startFlush()
  }

  async #halfEmpty(): Promise<void> {
    while (this.#filled > BUFFER_BYTES / 2 && this.#failure === null) await this.#flushing
    if (this.#failure !== null) throw this.#failure
  }

  /** Never rejects: a failure is kept and thrown to the next caller. */
  #startFlush(): Promise<void> {
    const flushing = this.#writeAll().finally(() => {
      this.#flushing = null
      if (this.#filled > 0) this.#startFlush()
    })
    this.#flushing = flushing
    return flushing
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#filled > 0) {
        const batch = this.#filling.subarray(0, this.#filled)
        // One that has grown stays: the other grows to its size.
        const next = this.#spare.length < this.#filling.length ? Buffer.allocUnsafe(this.#filling.length) : this.#spare
        this.#spare = this.#filling
        this.#filling = next
        this.#filled = 0
        if (this.#failure === null) await this.#writeBatch(batch)
        this.#check(false)
      }
    } catch (error) {
      this.#failure ??= workspaceError(error)
      this.#filled = 0
    }
  }

  async #writeBatch(batch: Buffer): Promise<void> {
    let rest = batch
    while (rest.length > 0) {
      const room = this.#segment.limit - this.#segment.size
      if (rest.length > room) {
        const part = rest.subarray(0, room > 0 ? cutPoint(rest, room) : 0)
        await this.#writeFully(part)
        rest = rest.subarray(part.length)
        this.#roll()
      } else {
        await this.#writeFully(rest)
        return
      }
    }
  }

  async #writeFully(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await writeLater(this.#segment.descriptor, bytes, at, bytes.length - at)
      at += bytesWritten
      this.#segment.size += bytesWritten
    }
  }

  #roll(): void {
    const start = this.#segment.start + this.#segment.size
    closeSync(this.#segment.descriptor)
    this.#segment = openSegment(this.#folder, { start, limitBytes: this.#limitBytes })
    this.#tailStarts.push(start)
    while (this.#tailStarts.length > OLD_TAIL_SEGMENTS + 1) {
      const oldest = this.#tailStarts.shift()
      if (oldest !== undefined) orMissing(() => unlinkSync(segmentPath(this.#folder, oldest)))
    }
  }

  /** A file that was deleted takes writes as before; only its count of links tells. */
  #check(now: boolean): void {
    if (this.#failure !== null) return
    const at = this.#clock.now()
    if (!now && Math.abs(at - this.#checkedAt) < CHECK_EVERY_MS) return
    this.#checkedAt = at
    try {
      const stats = fstatSync(this.#segment.descriptor)
      if (stats.nlink === 0) this.#failure = new WorkspaceError('workspace_lost', "the task's log was deleted")
    } catch (error) {
      this.#failure = workspaceError(error)
    }
  }
}

interface LogBegin {
  segment: OpenSegment
  tailStarts: number[]
  atLineStart: boolean
}

function beginLog(folder: string, limitBytes: number): LogBegin {
  const segments = listSegments(folder)
  const last = segments.at(-1)
  const segment = openSegment(folder, { start: last?.start ?? 0, limitBytes })
  return {
    segment,
    tailStarts: segments.slice(1).map(({ start }) => start),
    atLineStart: last === undefined || endsInLineEnd(last.path),
  }
}

function endsInLineEnd(path: string): boolean {
  const descriptor = openSync(path, 'r')
  try {
    const { size } = fstatSync(descriptor)
    if (size === 0) return true
    const last = Buffer.alloc(1)
    readSync(descriptor, last, 0, 1, size - 1)
    return last[0] === 0x0a
  } finally {
    closeSync(descriptor)
  }
}

function openSegment(folder: string, at: { start: number; limitBytes: number }): OpenSegment {
  const descriptor = openSync(segmentPath(folder, at.start), APPEND, 0o600)
  const { size } = fstatSync(descriptor)
  const limit = Math.max(1, Math.floor(at.limitBytes * (at.start === 0 ? HEAD_SHARE : SEGMENT_SHARE)))
  return { descriptor, start: at.start, size, limit }
}

/** After the last line end that fits; inside a line when none does. */
function cutPoint(bytes: Buffer, room: number): number {
  const afterLine = bytes.lastIndexOf(0x0a, room - 1) + 1
  return afterLine > 0 ? afterLine : room
}
