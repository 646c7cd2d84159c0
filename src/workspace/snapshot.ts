/** What the working directory held when the task began, so that outputs are what it made or changed. */
import type { BigIntStats } from 'node:fs'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { orMissing } from './paths.ts'
import { Folder, isPlainFile, type WalkLimits, walkTree } from './tree.ts'

/** By byte path: a stamp that changes when the file does. */
export type Snapshot = ReadonlyMap<string, string>

export function stampOf(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}`
}

export async function saveSnapshot(file: string, work: string, limits: WalkLimits): Promise<void> {
  const files: [string, string][] = []
  using folder = Folder.open(work)
  if (folder !== undefined) {
    for await (const { path, stats } of walkTree(folder, limits).entries) {
      if (isPlainFile(stats)) files.push([path, stampOf(stats)])
    }
  }
  writeFileSync(`${file}.part`, JSON.stringify(files), { mode: 0o600 })
  renameSync(`${file}.part`, file)
}

export function readSnapshot(file: string): Snapshot {
  const text = orMissing(() => readFileSync(file, 'utf8'))
  // Written by saveSnapshot, where no task can reach it.
  return new Map(text === undefined ? [] : (JSON.parse(text) as [string, string][]))
}
