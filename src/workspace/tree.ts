/**
 * Walking a folder that someone hostile may be changing at the same time. Each folder is held by its descriptor, and every name is looked up
 * in that descriptor (through /proc/self/fd, Node's way to openat) without following links: what is opened is inside, or it is not opened.
 */
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, opendir } from 'node:fs/promises'
import { systemCode } from './paths.ts'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Non-blocking: opening a FIFO must not wait for its writer. */
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
const LOOKUPS_AT_ONCE = 32
/** What happens when someone changes the folder meanwhile, or a name that must not be followed or read. */
const PASSING = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENXIO', 'ENODEV', 'ENAMETOOLONG', 'EISDIR'])

export class Folder implements AsyncDisposable {
  readonly #handle: FileHandle

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  static async open(path: string): Promise<Folder | undefined> {
    const handle = await unlessPassing(open(path, FOLDER))
    return handle && new Folder(handle)
  }

  /** A path to `name` (one component, a byte string) that goes through this descriptor. */
  at(name: string): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#handle.fd}/${name}`, 'latin1')
  }

  async folder(name: string): Promise<Folder | undefined> {
    const handle = await unlessPassing(open(this.at(name), FOLDER))
    return handle && new Folder(handle)
  }

  /** A plain file with no other name, for reading; undefined for anything else. */
  async file(name: string): Promise<{ handle: FileHandle; stats: BigIntStats } | undefined> {
    const seen = await this.stats(name)
    if (seen === undefined || !isPlainFile(seen)) return undefined
    const handle = await unlessPassing(open(this.at(name), FILE))
    if (handle === undefined) return undefined
    const stats = await handle.stat({ bigint: true })
    if (isPlainFile(stats) && stats.uid === seen.uid) return { handle, stats }
    await handle.close()
    return undefined
  }

  stats(name: string): Promise<BigIntStats | undefined> {
    return unlessPassing(lstat(this.at(name), { bigint: true }))
  }

  ownStats(): Promise<BigIntStats> {
    return this.#handle.stat({ bigint: true })
  }

  async give(owner: { uid: number; gid: number }): Promise<void> {
    await this.#handle.chown(owner.uid, owner.gid)
  }

  async *names(): AsyncGenerator<string> {
    const listing = await unlessPassing(
      opendir(`/proc/self/fd/${this.#handle.fd}`, { encoding: 'latin1', bufferSize: 256 }),
    )
    if (listing !== undefined) for await (const entry of listing) yield entry.name
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

export function isPlainFile(stats: BigIntStats): boolean {
  return stats.isFile() && stats.nlink === 1n
}

export interface WalkLimits {
  depth: number
  entries: number
  /** Answers true when it has taken too long. */
  isLate(): boolean
}

export interface Entry {
  /** Byte path from where the walk began. */
  path: string
  name: string
  stats: BigIntStats
  /** Holds it; open only until the next entry is asked for. */
  folder: Folder
}

export interface Walk {
  entries: AsyncGenerator<Entry>
  /** Whether a folder could not be entered, or a limit kept it from seeing everything. */
  readonly cut: boolean
}

/** Everything below `folder`, a folder before its contents. */
export function walkTree(folder: Folder, limits: WalkLimits): Walk {
  const state = { left: limits.entries, cut: false }
  const entries = below({ folder, prefix: '', depth: 1 }, limits, state)
  return {
    entries,
    get cut() {
      return state.cut
    },
  }
}

interface Level {
  folder: Folder
  prefix: string
  depth: number
}

async function* below(level: Level, limits: WalkLimits, state: { left: number; cut: boolean }): AsyncGenerator<Entry> {
  const { folder, prefix, depth } = level
  for await (const { name, stats } of lookedUp(folder)) {
    if (state.left-- <= 0 || limits.isLate()) {
      state.cut = true
      return
    }
    const path = prefix + name
    yield { path, name, stats, folder }
    if (!stats.isDirectory()) continue
    await using child = depth < limits.depth ? await folder.folder(name) : undefined
    if (child !== undefined) yield* below({ folder: child, prefix: `${path}/`, depth: depth + 1 }, limits, state)
    else state.cut = true
  }
}

async function* lookedUp(folder: Folder): AsyncGenerator<{ name: string; stats: BigIntStats }> {
  for await (const batch of batches(folder)) {
    for (const { name, stats } of batch) if (stats !== undefined) yield { name, stats }
  }
}

async function* batches(folder: Folder): AsyncGenerator<{ name: string; stats: BigIntStats | undefined }[]> {
  let names: string[] = []
  const lookUp = (some: string[]) => Promise.all(some.map(async (name) => ({ name, stats: await folder.stats(name) })))
  for await (const name of folder.names()) {
    names.push(name)
    if (names.length < LOOKUPS_AT_ONCE) continue
    yield await lookUp(names)
    names = []
  }
  yield await lookUp(names)
}

/** The folder that holds the last component of `path`, opened component by component; undefined when one of them is no folder. */
export async function folderOf(root: string, path: string): Promise<{ folder: Folder; name: string } | undefined> {
  const components = path.split('/')
  const name = components.pop() ?? ''
  let folder = await Folder.open(root)
  for (const component of components) {
    const next: Folder | undefined = await folder?.folder(component)
    await folder?.[Symbol.asyncDispose]()
    folder = next
  }
  return folder && { folder, name }
}

async function unlessPassing<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action
  } catch (error) {
    if (PASSING.has(systemCode(error) ?? '')) return undefined
    throw error
  }
}
