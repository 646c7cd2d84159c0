import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { mkdir, readdir, rename, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redactor } from '../core/redact.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Workspace } from '../ports/workspace.ts'
import { archiveOf } from './archive.ts'
import { copyTree, giveTree } from './copy.ts'
import { copySavedInput, layInputs, saveInput } from './inputs.ts'
import { followLog } from './log-follow.ts'
import { readStepTail, readTail } from './log-tail.ts'
import { openWholeLog } from './log-whole.ts'
import { openLogWriter } from './log-writer.ts'
import { collectOutputs, openOutput } from './outputs.ts'
import { orMissing, type TaskPaths, taskPaths, unlessMissing, workspaceError } from './paths.ts'
import { removeTree } from './remove.ts'
import { shownPath } from './shown-path.ts'
import { saveSnapshot } from './snapshot.ts'
import { Folder, isPlainFile, type WalkLimits, walkTree } from './tree.ts'

const PRIVATE = 0o700
const BLOCK_BYTES = 512
/** A walk that takes longer is cut short: someone is making files faster than they can be counted. */
const MAX_WALK_MS = 20_000
const MAX_WALK_ENTRIES = 200_000

export interface WorkspaceLimits {
  /** Of one task's log on disk. */
  logBytes: number
  outputFiles: number
  /** Of all outputs together. */
  outputBytes: number
  /** Of one input. */
  inputBytes: number
  inputs: number
  /** Folders below each other in the working directory that are looked into. */
  depth: number
}

export interface WorkspaceOptions {
  /** The tasks folder; made when missing. */
  root: string
  clock: Clock
  logger: Logger
  redactor: Redactor
  limits: WorkspaceLimits
}

export function createWorkspace(options: WorkspaceOptions): Workspace {
  const { root, clock, logger, redactor, limits } = options
  const pathsOf = (taskId: number): TaskPaths => taskPaths(root, taskId)
  const walkLimits = (): WalkLimits => {
    const begun = performance.now()
    return {
      depth: limits.depth,
      entries: MAX_WALK_ENTRIES,
      isLate: () => performance.now() - begun > MAX_WALK_MS,
    }
  }
  const outputsOf = (taskId: number) =>
    collectOutputs(pathsOf(taskId), { files: limits.outputFiles, bytes: limits.outputBytes }, walkLimits())
  return {
    ...taskFolders(options, walkLimits),
    async openLog(taskId) {
      const { log } = pathsOf(taskId)
      await makeFolder(log)
      return openLogWriter({ taskId, folder: log, limitBytes: limits.logBytes, redactor, clock, logger })
    },
    tail: (taskId, lines) => readTail({ taskId, folder: pathsOf(taskId).log, lines }),
    tailOfStep: (taskId, step, lines) => readStepTail({ taskId, folder: pathsOf(taskId).log, lines, ...step }),
    follow(taskId, offset, { signal, isOver, onChange }) {
      const { task, log } = pathsOf(taskId)
      return followLog({ taskId, folders: [root, task, log], offset, signal, clock, isOver, onChange })
    },
    openWholeLog: (taskId) => openWholeLog(taskId, pathsOf(taskId).log),
    outputs: outputsOf,
    openOutput: (taskId, path, range) => openOutput(pathsOf(taskId).work, path, range),
    async archive(taskId) {
      const { files } = await outputsOf(taskId)
      return archiveOf({ taskId, work: pathsOf(taskId).work, files, logger })
    },
    listing: (taskId, max) => listFiles(pathsOf(taskId).work, max, walkLimits()),
    usedBytes: (taskId) => usedBytes(pathsOf(taskId).work, walkLimits()),
    folders: () => taskIdsIn(root),
    folderBytes: (taskId) => usedBytes(pathsOf(taskId).task, walkLimits()),
    async freeBytes() {
      const { bavail, bsize } = await statfs(root)
      return bavail * bsize
    },
  }
}

type TaskFolders = Pick<
  Workspace,
  'directory' | 'prepare' | 'addInput' | 'copyInput' | 'exists' | 'setAside' | 'remove'
>

function taskFolders({ root, clock, logger, limits }: WorkspaceOptions, walkLimits: () => WalkLimits): TaskFolders {
  const pathsOf = (taskId: number): TaskPaths => taskPaths(root, taskId)
  const isThere = (path: string): boolean => orMissing(() => statSync(path)) !== undefined

  async function fill(taskId: number, copyFrom: number | null): Promise<void> {
    const paths = pathsOf(taskId)
    const parent = copyFrom === null ? null : pathsOf(copyFrom)
    // Without a snapshot this was begun before and cut short.
    await removeTree(paths.task, 'work')
    // At once: until it is there neither the sandbox starts nor is the model asked.
    mkdirSync(paths.work, { recursive: true, mode: PRIVATE })
    if (parent !== null) {
      const leftOut = await copyTree(parent.work, paths.work, walkLimits())
      if (leftOut > 0)
        logger.warn({ taskId, copyFrom, leftOut }, `[TASK ${taskId}] links and special files were not copied`)
    }
    if ((orMissing(() => readdirSync(paths.inputs)) ?? []).length === 0) return
    const laid = join(paths.work, 'inputs')
    await makeFolder(laid)
    await layInputs(paths.inputs, laid, parent?.inputs ?? null)
  }

  return {
    directory: (taskId) => pathsOf(taskId).work,
    async prepare(taskId, { copyFrom, owner }) {
      const paths = pathsOf(taskId)
      try {
        const ready = isThere(paths.snapshot)
        if (!ready) await fill(taskId, copyFrom)
        if (owner !== null) await giveTree(paths.work, owner, walkLimits())
        if (!ready) await saveSnapshot(paths.snapshot, paths.work, walkLimits())
      } catch (error) {
        throw workspaceError(error)
      }
    },
    async addInput(taskId, name, bytes, expect) {
      const { inputs } = pathsOf(taskId)
      await makeFolder(inputs)
      return await saveInput(
        { folder: inputs, name, bytes, expect },
        { bytes: limits.inputBytes, count: limits.inputs },
      )
    },
    async copyInput(fromTaskId, toTaskId, name) {
      const { inputs } = pathsOf(toTaskId)
      await makeFolder(inputs)
      return await copySavedInput(pathsOf(fromTaskId).inputs, inputs, name)
    },
    exists: async (taskId) => isThere(pathsOf(taskId).task),
    async setAside(taskId) {
      const name = `unknown-task-${taskId}-${clock.now()}`
      const moved = await unlessMissing(rename(pathsOf(taskId).task, join(root, name)).then(() => name))
      await removeTree(root, `task-${taskId}`)
      return moved ?? null
    },
    async remove(taskId) {
      pathsOf(taskId)
      await removeTree(root, `task-${taskId}`)
    },
  }
}

/** Also of folders that are half removed: what is left of them is still there to be removed. */
async function taskIdsIn(root: string): Promise<number[]> {
  const names = (await unlessMissing(readdir(root))) ?? []
  const ids = names.map((name) => Number(/^(?:\.removing-)?task-([1-9][0-9]{0,14})$/.exec(name)?.[1] ?? 0))
  return [...new Set(ids.filter((id) => id > 0))].sort((a, b) => a - b)
}

/** The file system takes its time over new names: another thread waits for it. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: PRIVATE })
  } catch (error) {
    throw workspaceError(error)
  }
}

async function listFiles(work: string, max: number, limits: WalkLimits): ReturnType<Workspace['listing']> {
  const files: { path: string; sizeBytes: number }[] = []
  using folder = Folder.open(work)
  if (folder === undefined) return { files, omitted: 0 }
  for await (const { path, stats } of walkTree(folder, limits).entries) {
    if (isPlainFile(stats)) files.push({ path: shownPath(path), sizeBytes: Number(stats.size) })
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  return { files: files.slice(0, max), omitted: Math.max(0, files.length - max) }
}

/** Allocated blocks, so that a sparse file counts as what it takes; a file with several names counts once. */
async function usedBytes(work: string, limits: WalkLimits): Promise<number> {
  using folder = Folder.open(work)
  if (folder === undefined) return 0
  const seen = new Set<bigint>()
  let blocks = 0n
  for await (const { stats } of walkTree(folder, limits).entries) {
    if (stats.nlink > 1n && !stats.isDirectory()) {
      if (seen.has(stats.ino)) continue
      seen.add(stats.ino)
    }
    blocks += stats.blocks
  }
  return Number(blocks) * BLOCK_BYTES
}
