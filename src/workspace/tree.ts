/**
 * Walking a folder that someone hostile may be changing at the same time. Each folder is held by its descriptor, and every name is looked up
 * in that descriptor (through /proc/self/fd, Node's way to openat) without following links: what is opened is inside, or it is not opened.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
} from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { systemCode } from './paths.ts'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Non-blocking: opening a FIFO must not wait for its writer. */
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
/** A few files are looked at at once, which costs a tenth of asking another thread for each; what takes longer must not hold the event loop. */
const QUICK_MS = 2
const LOOKUPS_AT_ONCE = 32
/** What happens when someone changes the folder meanwhile, or a name that must not be followed or read. */
const PASSING = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENXIO', 'ENODEV', 'ENAMETOOLONG', 'EISDIR'])

export class Folder implements Disposable {
  readonly #descriptor: number

  private constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  static open(path: string | Buffer): Folder | undefined {
    const descriptor = unlessPassing(() => openSync(path, FOLDER))
    return descriptor === undefined ? undefined : new Folder(descriptor)
  }

  /** A path to `name` (one component, a byte string) that goes through this descriptor. */
  at(name: string): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#descriptor}/${name}`, 'latin1')
  }

  folder(name: string): Folder | undefined {
    return Folder.open(this.at(name))
  }

  /** A plain file with no other name, for reading; undefined for anything else. */
  async file(name: string): Promise<{ handle: FileHandle; stats: BigIntStats } | undefined> {
    const seen = this.stats(name)
    if (seen === undefined || !isPlainFile(seen)) return undefined
    const handle = await unlessPassingLater(open(this.at(name), FILE))
    if (handle === undefined) return undefined
    const stats = await handle.stat({ bigint: true })
    if (isPlainFile(stats) && stats.uid === seen.uid) return { handle, stats }
    await handle.close()
    return undefined
  }

  stats(name: string): BigIntStats | undefined {
    return unlessPassing(() => lstatSync(this.at(name), { bigint: true }))
  }

  statsLater(name: string): Promise<BigIntStats | undefined> {
    return unlessPassingLater(lstat(this.at(name), { bigint: true }))
  }

  ownStats(): BigIntStats {
    return fstatSync(this.#descriptor, { bigint: true })
  }

  give(owner: { uid: number; gid: number }): void {
    fchownSync(this.#descriptor, owner.uid, owner.gid)
  }

  /** Read at once for as long as `isQuick` says so. */
  async *names(isQuick: () => boolean): AsyncGenerator<string> {
    const here = `/proc/self/fd/${this.#descriptor}`
    const listing = unlessPassing(() => opendirSync(here, { encoding: 'latin1', bufferSize: 256 }))
    if (listing === undefined) return
    try {
      for (;;) {
        const entry = isQuick() ? listing.readSync() : await listing.read()
        if (entry === null) return
        yield entry.name
      }
    } finally {
      listing.closeSync()
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

/** True for the first moments. */
export function quickly(): () => boolean {
  const begun = performance.now()
  return () => performance.now() - begun < QUICK_MS
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
  const state = { left: limits.entries, cut: false, isQuick: quickly() }
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

interface WalkState {
  left: number
  cut: boolean
  isQuick(): boolean
}

async function* below(level: Level, limits: WalkLimits, state: WalkState): AsyncGenerator<Entry> {
  const { folder, prefix, depth } = level
  for await (const { name, stats } of lookedUp(folder, state)) {
    if (stats === undefined) continue
    if (state.left-- <= 0 || limits.isLate()) {
      state.cut = true
      return
    }
    const path = prefix + name
    yield { path, name, stats, folder }
    if (!stats.isDirectory()) continue
    using child = depth < limits.depth ? folder.folder(name) : undefined
    if (child !== undefined) yield* below({ folder: child, prefix: `${path}/`, depth: depth + 1 }, limits, state)
    else state.cut = true
  }
}

interface LookedUp {
  name: string
  stats: BigIntStats | undefined
}

async function* lookedUp(folder: Folder, { isQuick }: WalkState): AsyncGenerator<LookedUp> {
  let names: string[] = []
  const lookUp = (some: string[]): Promise<LookedUp[]> =>
    Promise.all(some.map(async (name) => ({ name, stats: await folder.statsLater(name) })))
  for await (const name of folder.names(isQuick)) {
    if (isQuick()) {
      yield { name, stats: folder.stats(name) }
      continue
    }
    names.push(name)
    if (names.length < LOOKUPS_AT_ONCE) continue
    yield* await lookUp(names)
    names = []
  }
  yield* await lookUp(names)
}

/** The folder that holds the last component of `path`, opened component by component; undefined when one of them is no folder. */
export function folderOf(root: string, path: string): { folder: Folder; name: string } | undefined {
  const components = path.split('/')
  const name = components.pop() ?? ''
  let folder = Folder.open(root)
  for (const component of components) {
    const next: Folder | undefined = folder?.folder(component)
    folder?.[Symbol.dispose]()
    folder = next
  }
  return folder && { folder, name }
}

function unlessPassing<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch (error) {
    return rethrowUnlessPassing(error)
  }
}

async function unlessPassingLater<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action
  } catch (error) {
    return rethrowUnlessPassing(error)
  }
}

function rethrowUnlessPassing(error: unknown): undefined {
  if (!PASSING.has(systemCode(error) ?? '')) throw error
}
