import { constants } from 'node:fs'
import { chmod, copyFile, lchown, mkdir } from 'node:fs/promises'
import { Folder, isPlainFile, type WalkLimits, walkTree } from './tree.ts'

/** Never set-user-id bits, never readable by others. */
const KEPT_MODE = 0o700

/** Copies plain files and folders into the empty folder `to`, which nobody else uses yet. Answers how many entries were left out. */
export async function copyTree(from: string, to: string, limits: WalkLimits): Promise<number> {
  using folder = Folder.open(from)
  if (folder === undefined) return 0
  const walk = walkTree(folder, limits)
  let leftOut = 0
  for await (const { path, name, stats, folder: parent } of walk.entries) {
    const target = Buffer.concat([Buffer.from(`${to}/`), Buffer.from(path, 'latin1')])
    if (stats.isDirectory()) await mkdir(target, { mode: KEPT_MODE })
    else if (!isPlainFile(stats) || !(await copyOpened(parent, name, target))) leftOut++
  }
  return leftOut + (walk.cut ? 1 : 0)
}

async function copyOpened(parent: Folder, name: string, target: Buffer): Promise<boolean> {
  const opened = await parent.file(name)
  if (opened === undefined) return false
  await using handle = opened.handle
  await copyFile(`/proc/self/fd/${handle.fd}`, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  // As root, libuv keeps the source's owner: that would be the parent task's user.
  await lchown(target, process.geteuid?.() ?? -1, process.getegid?.() ?? -1)
  await chmod(target, (Number(opened.stats.mode) & KEPT_MODE) | 0o600)
  return true
}

/**
 * Gives the working directory to `owner`, if it is not theirs: the task's commands run as that user. Only entries of the present owner change
 * hands, so that a hard link to a stranger's file stays a stranger's.
 */
export async function giveTree(work: string, owner: { uid: number; gid: number }, limits: WalkLimits): Promise<void> {
  using folder = Folder.open(work)
  if (folder === undefined) return
  const { uid: present, gid } = folder.ownStats()
  if (Number(present) === owner.uid && Number(gid) === owner.gid) return
  for await (const { name, stats, folder: parent } of walkTree(folder, limits).entries) {
    if (stats.uid === present) await lchown(parent.at(name), owner.uid, owner.gid)
  }
  // Last, so that a run cut short is begun again.
  folder.give(owner)
}
