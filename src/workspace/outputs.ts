import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { OutputTotals } from '../core/task.ts'
import type { OpenedOutput, OutputFile } from '../ports/workspace.ts'
import { mimeTypeOf } from './mime-type.ts'
import { partStream } from './part-stream.ts'
import type { TaskPaths } from './paths.ts'
import { bytePathOf, shownPath } from './shown-path.ts'
import { readSnapshot, stampOf } from './snapshot.ts'
import { Folder, folderOf, isPlainFile, type WalkLimits, walkTree } from './tree.ts'

export interface OutputLimits {
  files: number
  bytes: number
}

export interface Outputs {
  files: readonly OutputFile[]
  totals: OutputTotals
  omitted: number
}

/** Plain files made or changed since the snapshot, by path. `omitted` counts those beyond the limits; when even looking was cut short, at least one. */
export async function collectOutputs(paths: TaskPaths, limits: OutputLimits, walkLimits: WalkLimits): Promise<Outputs> {
  const before = readSnapshot(paths.snapshot)
  using folder = Folder.open(paths.work)
  if (folder === undefined) return { files: [], totals: { files: 0, bytes: 0 }, omitted: 0 }
  const walk = walkTree(folder, walkLimits)
  const found: OutputFile[] = []
  for await (const { path, stats } of walk.entries) {
    if (isPlainFile(stats) && before.get(path) !== stampOf(stats)) found.push(outputFile(path, stats))
  }
  found.sort((a, b) => (a.path < b.path ? -1 : 1))
  return withinLimits(found, limits, walk.cut)
}

function withinLimits(found: readonly OutputFile[], limits: OutputLimits, cut: boolean): Outputs {
  const files: OutputFile[] = []
  let bytes = 0
  for (const file of found) {
    if (files.length >= limits.files || bytes + file.sizeBytes > limits.bytes) continue
    files.push(file)
    bytes += file.sizeBytes
  }
  return { files, totals: { files: files.length, bytes }, omitted: found.length - files.length + (cut ? 1 : 0) }
}

/** Opens one file of the working directory by the path as shown; undefined when there is none that may be read. */
export async function openOutput(
  work: string,
  shown: string,
  range?: { start: number; end: number },
): Promise<OpenedOutput | undefined> {
  const path = bytePathOf(shown)
  const opened = path === undefined ? undefined : await openPlainFile(work, path)
  if (path === undefined || opened === undefined) return undefined
  const { handle, stats } = opened
  const file = outputFile(path, stats)
  const start = Math.min(Math.max(0, range?.start ?? 0), file.sizeBytes)
  const end = Math.min(range === undefined ? file.sizeBytes : range.end + 1, file.sizeBytes)
  const part = {
    length: Math.max(0, end - start),
    read: async (at: number, target: Buffer) => (await handle.read(target, 0, target.length, start + at)).bytesRead,
  }
  return { file, stream: partStream([part], () => handle.close()) }
}

async function openPlainFile(
  work: string,
  path: string,
): Promise<{ handle: FileHandle; stats: BigIntStats } | undefined> {
  const found = folderOf(work, path)
  if (found === undefined) return undefined
  using folder = found.folder
  return await folder.file(found.name)
}

function outputFile(path: string, stats: BigIntStats): OutputFile {
  const shown = shownPath(path)
  return {
    path: shown,
    sizeBytes: Number(stats.size),
    mimeType: mimeTypeOf(shown) ?? 'application/octet-stream',
    modifiedAt: Number(stats.mtimeMs),
  }
}
