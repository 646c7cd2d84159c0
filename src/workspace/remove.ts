import { chmod, rename, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing, workspaceError } from './paths.ts'
import { Folder, quickly } from './tree.ts'

/** Deeper folders are first moved to the top: a task may nest them deeper than paths or descriptors reach. */
const MAX_DEPTH = 64
const MAX_PASSES = 10_000

/** Removes `name` and all below it from `root`, following nothing. It is gone for others at once, by a rename. May be called twice. Throws WorkspaceError. */
export async function removeTree(root: string, name: string): Promise<void> {
  const doomed = `.removing-${name}`
  try {
    using top = Folder.open(root)
    if (top === undefined) return
    await removeEntry(top, doomed)
    await unlessMissing(rename(join(root, name), join(root, doomed)))
    await removeEntry(top, doomed)
  } catch (error) {
    throw workspaceError(error)
  }
}

async function removeEntry(parent: Folder, name: string): Promise<void> {
  const stats = parent.stats(name)
  if (stats === undefined) return
  if (!stats.isDirectory()) {
    await unlessMissing(unlink(parent.at(name)))
    return
  }
  {
    using top = await openable(parent, name)
    for (let pass = 0; top !== undefined && pass < MAX_PASSES; pass++) {
      if ((await emptyFolder(top, { top, pass, depth: 1 })) === 0) break
    }
  }
  await unlessMissing(rmdir(parent.at(name)))
}

/** Answers how many entries it found. */
async function emptyFolder(folder: Folder, at: { top: Folder; pass: number; depth: number }): Promise<number> {
  let count = 0
  for (const name of await namesIn(folder)) {
    const stats = folder.stats(name)
    if (stats === undefined) continue
    count++
    if (!stats.isDirectory()) await unlessMissing(unlink(folder.at(name)))
    else if (at.depth >= MAX_DEPTH) await rename(folder.at(name), at.top.at(`.deep-${at.pass}-${stats.ino}`))
    else await removeFolder(folder, name, at)
  }
  return count
}

async function removeFolder(
  parent: Folder,
  name: string,
  at: { top: Folder; pass: number; depth: number },
): Promise<void> {
  {
    using folder = await openable(parent, name)
    if (folder !== undefined) await emptyFolder(folder, { ...at, depth: at.depth + 1 })
  }
  await unlessMissing(rmdir(parent.at(name)))
}

/** A task may have taken the rights off its folders; they are its owner's to give back. */
async function openable(parent: Folder, name: string): Promise<Folder | undefined> {
  const stats = parent.stats(name)
  if (stats !== undefined && (Number(stats.mode) & 0o700) !== 0o700) await unlessMissing(chmod(parent.at(name), 0o700))
  return parent.folder(name)
}

/** All at once: what is removed while a listing is open could make it skip others. */
async function namesIn(folder: Folder): Promise<string[]> {
  const names: string[] = []
  for await (const name of folder.names(quickly())) names.push(name)
  return names
}
