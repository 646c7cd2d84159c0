/** The bytes of one log going to disk: in large chunks, in order, never more than two buffers of them in memory, and within a size limit. */
import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { Clock } from '../ports/clock.ts'
import { WorkspaceError } from '../ports/workspace.ts'
import { listSegments, segmentPath } from './log-view.ts'
import { unlessMissing, workspaceError } from './paths.ts'

const BUFFER_BYTES = 512 * 1024
const CHECK_EVERY_MS = 1000
const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW
/** Of the limit, half is for the head; the tail has up to four segments of an eighth each, so at least three eighths are kept. */
const HEAD_SHARE = 1 / 2
const SEGMENT_SHARE = 1 / 8
const OLD_TAIL_SEGMENTS = 3

interface OpenSegment {
  handle: FileHandle
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
  #filling = Buffer.allocUnsafe(BUFFER_BYTES)
  #spare = Buffer.allocUnsafe(BUFFER_BYTES)
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
  static async open(options: { folder: string; limitBytes: number; clock: Clock }): Promise<LogFile> {
    try {
      return new LogFile(options, await beginLog(options.folder, options.limitBytes))
    } catch (error) {
      throw workspaceError(error)
    }
  }

  /** Takes the bytes at once where there is room; otherwise, and when the disk is slow, the promise is the back-pressure. */
  append(bytes: Buffer): void | Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (bytes.length === 0) return
    if (bytes.length > BUFFER_BYTES - this.#filled) return this.#appendInParts(bytes)
    this.#take(bytes)
    if (this.#filled > BUFFER_BYTES / 2) return this.#halfEmpty()
  }

  /** All that was appended is in the file, and the file is still there. */
  async flush(): Promise<void> {
    while (this.#filled > 0 || this.#flushing !== null) await (this.#flushing ?? this.#startFlush())
    await this.#check(true)
    if (this.#failure !== null) throw this.#failure
  }

  async close(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing
    await this.#segment.handle.close()
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
        const next = this.#spare
        this.#spare = this.#filling
        this.#filling = next
        this.#filled = 0
        if (this.#failure === null) await this.#writeBatch(batch)
        await this.#check(false)
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
        await this.#roll()
      } else {
        await this.#writeFully(rest)
        return
      }
    }
  }

  async #writeFully(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#segment.handle.write(bytes, at, bytes.length - at)
      at += bytesWritten
      this.#segment.size += bytesWritten
    }
  }

  async #roll(): Promise<void> {
    const start = this.#segment.start + this.#segment.size
    await this.#segment.handle.close()
    this.#segment = await openSegment(this.#folder, { start, limitBytes: this.#limitBytes })
    this.#tailStarts.push(start)
    while (this.#tailStarts.length > OLD_TAIL_SEGMENTS + 1) {
      const oldest = this.#tailStarts.shift()
      if (oldest !== undefined) await unlessMissing(unlink(segmentPath(this.#folder, oldest)))
    }
  }

  /** A file that was deleted takes writes as before; only its count of links tells. */
  async #check(now: boolean): Promise<void> {
    if (this.#failure !== null) return
    const at = this.#clock.now()
    if (!now && Math.abs(at - this.#checkedAt) < CHECK_EVERY_MS) return
    this.#checkedAt = at
    try {
      const stats = await this.#segment.handle.stat()
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

async function beginLog(folder: string, limitBytes: number): Promise<LogBegin> {
  const segments = await listSegments(folder)
  const last = segments.at(-1)
  const segment = await openSegment(folder, { start: last?.start ?? 0, limitBytes })
  return {
    segment,
    tailStarts: segments.slice(1).map(({ start }) => start),
    atLineStart: last === undefined || (await endsInLineEnd(last.path)),
  }
}

async function endsInLineEnd(path: string): Promise<boolean> {
  await using handle = await open(path, 'r')
  const { size } = await handle.stat()
  if (size === 0) return true
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] === 0x0a
}

async function openSegment(folder: string, at: { start: number; limitBytes: number }): Promise<OpenSegment> {
  const handle = await open(segmentPath(folder, at.start), APPEND, 0o600)
  const { size } = await handle.stat()
  const limit = Math.max(1, Math.floor(at.limitBytes * (at.start === 0 ? HEAD_SHARE : SEGMENT_SHARE)))
  return { handle, start: at.start, size, limit }
}

/** After the last line end that fits; inside a line when none does. */
function cutPoint(bytes: Buffer, room: number): number {
  const afterLine = bytes.lastIndexOf(0x0a, room - 1) + 1
  return afterLine > 0 ? afterLine : room
}
