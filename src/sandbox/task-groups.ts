/**
 * The cgroups of tasks: the only limits that hold for the sum of a task's processes, and the surest way to end them.
 * Version 2 where the tree is ours to use; version 1 by plain files, which only root may write; whatever is missing is
 * reported and not replaced by anything that looks alike.
 */
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Logger } from '../ports/logger.ts'
import { type Hierarchy, parseHierarchies } from './cgroup-hierarchies.ts'
import { killNow } from './process-tree.ts'
import { isLeftover, runName } from './run-name.ts'
import { TaskGroup } from './task-group.ts'

const CONTROLLERS = ['memory', 'pids', 'cpu'] as const
const OWN_GROUP = 'assistant-program'

/** A folder of the tree below which groups of tasks are made. */
interface Base {
  path: string
  version: 1 | 2
  controllers: ReadonlySet<string>
}

export class TaskGroups {
  readonly #bases: readonly Base[]
  readonly #prefix: string
  #made = 0

  /** Looks for trees that can be used. `stateDirectory` tells this program's groups from those of others on the machine. */
  constructor(stateDirectory: string, logger: Logger) {
    const identity = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 8)
    this.#prefix = `assistant-${identity}-`
    this.#bases = findBases(this.#prefix, logger)
  }

  /** Where groups are made: to be remembered, because a later program may find itself elsewhere in the trees. */
  get places(): readonly string[] {
    return this.#bases.map((base) => base.path)
  }

  /** A new group, without limits yet; undefined when no tree can be used. The kernel may take 70 ms over each tree. */
  async create(): Promise<TaskGroup | undefined> {
    if (this.#bases.length === 0) return undefined
    this.#made += 1
    const name = `${this.#prefix}${runName(process.pid)}-${this.#made}`
    const folders = this.#bases.map((base) => ({ ...base, path: join(base.path, name) }))
    for (const folder of folders) await mkdir(folder.path)
    return new TaskGroup(folders)
  }

  /** Ends and removes groups whose program is gone, below these folders as well. */
  sweep(places: Iterable<string>): void {
    for (const place of new Set([...this.places, ...places])) {
      for (const name of subfolders(place)) {
        if (name.startsWith(this.#prefix) && isLeftover(name.slice(this.#prefix.length))) endGroup(join(place, name))
      }
    }
  }
}

function findBases(prefix: string, logger: Logger): Base[] {
  const hierarchies = parseHierarchies(readText('/proc/self/mountinfo'), readText('/proc/self/cgroup'))
  return hierarchies.flatMap((hierarchy) => {
    const base = hierarchy.version === 1 ? baseOfVersion1(hierarchy) : baseOfVersion2(hierarchy, logger)
    return base !== undefined && canMakeGroups(base, prefix) ? [base] : []
  })
}

function baseOfVersion1(hierarchy: Hierarchy): Base | undefined {
  const controllers = new Set<string>(
    [...CONTROLLERS, 'cpuacct'].filter((name) => hierarchy.controllers.includes(name)),
  )
  return controllers.size === 0 ? undefined : { path: hierarchy.own, version: 1, controllers }
}

/**
 * A tree without controllers still tells what a group used, and ends it. In one with controllers a group may hold processes or
 * groups with limits, not both: so we move out of our own group, when it is ours alone, or go beside it.
 */
function baseOfVersion2(hierarchy: Hierarchy, logger: Logger): Base | undefined {
  const path = [
    () => (hasNone(hierarchy.own) ? hierarchy.own : undefined),
    () => (basename(hierarchy.own) === OWN_GROUP ? dirname(hierarchy.own) : undefined),
    () => (isOursAlone(hierarchy.own) && moveOut(hierarchy.own) ? hierarchy.own : undefined),
    () => (isFreeParent(hierarchy) ? dirname(hierarchy.own) : undefined),
    () => (process.getuid?.() === 0 ? hierarchy.mountPoint : undefined),
  ]
    .values()
    .map((candidate) => candidate())
    .find((candidate) => candidate !== undefined)
  if (path === undefined) return undefined
  for (const name of wordsIn(join(path, 'cgroup.controllers'))) {
    if (CONTROLLERS.some((wanted) => wanted === name)) tryWrite(join(path, 'cgroup.subtree_control'), `+${name}`)
  }
  const enabled = wordsIn(join(path, 'cgroup.subtree_control'))
  logger.debug({ path, controllers: enabled }, 'groups of tasks are made in a cgroup tree of version 2')
  return { path, version: 2, controllers: new Set(enabled) }
}

function hasNone(folder: string): boolean {
  const available = wordsIn(join(folder, 'cgroup.controllers'))
  return !CONTROLLERS.some((name) => available.includes(name))
}

function isOursAlone(folder: string): boolean {
  const pids = wordsIn(join(folder, 'cgroup.procs'))
  return isWritable(join(folder, 'cgroup.subtree_control')) && pids.every((pid) => Number(pid) === process.pid)
}

function moveOut(folder: string): boolean {
  const own = join(folder, OWN_GROUP)
  try {
    mkdirSync(own, { recursive: true })
  } catch {
    // Not ours to divide after all.
    return false
  }
  return tryWrite(join(own, 'cgroup.procs'), String(process.pid))
}

/** Made for us by whoever delegated it (systemd's DelegateSubgroup): it holds no processes itself. */
function isFreeParent(hierarchy: Hierarchy): boolean {
  const parent = dirname(hierarchy.own)
  if (hierarchy.own === hierarchy.mountPoint || parent === hierarchy.mountPoint) return false
  const isOurs = isWritable(join(parent, 'cgroup.subtree_control')) && process.getuid?.() !== 0
  return isOurs && wordsIn(join(parent, 'cgroup.procs')).length === 0
}

function canMakeGroups(base: Base, prefix: string): boolean {
  const trial = join(base.path, `${prefix}${runName(process.pid)}-trial`)
  try {
    mkdirSync(trial)
    rmdirSync(trial)
    return true
  } catch {
    // Read-only, or another user's.
    return false
  }
}

function endGroup(folder: string): void {
  if (!tryWrite(join(folder, 'cgroup.kill'), '1')) {
    for (const pid of wordsIn(join(folder, 'cgroup.procs'))) killNow(Number(pid))
  }
  try {
    rmdirSync(folder)
  } catch {
    // Its processes take a moment to go; the next sweep finds it empty.
  }
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // A place that an earlier program remembered and that is gone.
    return []
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    // Not there, or not for us.
    return false
  }
}

function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'r+' })
    return true
  } catch {
    // Told by the answer; the caller knows whether it matters.
    return false
  }
}

function wordsIn(path: string): string[] {
  return readText(path).split(/\s+/).filter(Boolean)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // Not on this machine.
    return ''
  }
}
