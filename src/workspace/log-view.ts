/**
 * A log on disk is one or more segment files, each named by the offset of its first byte. The first holds the head and is never dropped;
 * later ones hold the tail and the oldest of them are, so there may be a gap. Offsets count every byte ever written.
 */
import { readdirSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { orMissing, unlessMissing } from './paths.ts'

const SUFFIX = '.log'

export interface Segment {
  start: number
  end: number
  path: string
  modifiedAt: number
}

/** Bytes without a gap between them. */
export interface Run {
  start: number
  end: number
}

export function segmentPath(folder: string, start: number): string {
  return join(folder, `${String(start).padStart(16, '0')}${SUFFIX}`)
}

/** In order; empty when there is no log. */
export function listSegments(folder: string): Segment[] {
  const names = orMissing(() => readdirSync(folder)) ?? []
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => segmentOf(folder, name))
    .filter((segment) => segment !== undefined)
    .sort((a, b) => a.start - b.start)
}

function segmentOf(folder: string, name: string): Segment | undefined {
  const path = join(folder, name)
  const start = Number(name.slice(0, -SUFFIX.length))
  const stats = orMissing(() => statSync(path))
  return stats && { start, end: start + stats.size, path, modifiedAt: stats.mtimeMs }
}

/** A log as it was when opened: its files stay readable even when the writer drops them meanwhile. */
export class LogView implements AsyncDisposable {
  readonly runs: readonly Run[]
  readonly end: number
  readonly modifiedAt: number
  readonly #segments: readonly Segment[]
  readonly #handles = new Map<string, FileHandle>()

  constructor(segments: readonly Segment[]) {
    this.#segments = segments
    this.runs = runsOf(segments)
    this.end = segments.at(-1)?.end ?? 0
    this.modifiedAt = segments.at(-1)?.modifiedAt ?? 0
  }

  static open(folder: string): LogView {
    return new LogView(listSegments(folder))
  }

  /** Opens every segment now; without it they are opened when first read. */
  async hold(): Promise<void> {
    for (const segment of this.#segments) await this.#handleOf(segment)
  }

  /** Bytes from `offset` on into `target`; fewer than its length at the end of a segment, 0 where nothing is or what was there is dropped. */
  async read(offset: number, target: Buffer): Promise<number> {
    const segment = this.#segments.find((one) => one.start <= offset && offset < one.end)
    if (segment === undefined) return 0
    const handle = await this.#handleOf(segment)
    const length = Math.min(target.length, segment.end - offset)
    return handle === undefined ? 0 : (await handle.read(target, 0, length, offset - segment.start)).bytesRead
  }

  /** Fills `target` from `offset` on, across segments; answers what could be filled. */
  async readFully(offset: number, target: Buffer): Promise<Buffer> {
    let filled = 0
    while (filled < target.length) {
      const count = await this.read(offset + filled, target.subarray(filled))
      if (count === 0) break
      filled += count
    }
    return target.subarray(0, filled)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handles = [...this.#handles.values()]
    this.#handles.clear()
    await Promise.all(handles.map((handle) => handle.close()))
  }

  async #handleOf(segment: Segment): Promise<FileHandle | undefined> {
    const known = this.#handles.get(segment.path)
    if (known !== undefined) return known
    const handle = await unlessMissing(open(segment.path, 'r'))
    if (handle !== undefined) this.#handles.set(segment.path, handle)
    return handle
  }
}

function runsOf(segments: readonly Segment[]): Run[] {
  const runs: Run[] = []
  for (const { start, end } of segments) {
    const last = runs.at(-1)
    if (last !== undefined && last.end >= start) last.end = Math.max(last.end, end)
    else runs.push({ start, end })
  }
  return runs
}
