/**
 * Adds up what a task's folder takes on disk. The task may change the folder meanwhile and would gladly lead a walker that is
 * root elsewhere, so every folder is opened without following links and read by descriptor.
 */
import { chmodSync, closeSync, constants, type Dir, fchmodSync, lstatSync, opendirSync, openSync } from 'node:fs'

/** Deeper trees count as too large: nobody needs them, and a descriptor is held for every level. */
const MAX_DEPTH = 200
/** Every entry takes at least this much, so that a million empty files do not count as nothing. */
const ENTRY_BYTES = 1024
const BLOCK_BYTES = 512
/** Not among Node's constants; the same on x86-64 and arm64. */
const O_PATH = 0o10_000_000
const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export interface DiskQuestion {
  folder: string
  /** Stop counting here. */
  enoughBytes: number
  /** Look for a file of this size. */
  stoppedAtBytes: number
}

export interface DiskFindings {
  bytes: number
  /** Whether there is a file of the size that was asked for. */
  isStopped: boolean
  tookMs: number
}

// Names are bytes. Node takes this encoding here and answers with buffers; its types do not know.
const BYTES = { encoding: 'buffer' as BufferEncoding }

/** The count of bytes may stop anywhere above `enoughBytes`. Undefined when there are more than `mostEntries`. */
export function walkDisk(question: DiskQuestion, mostEntries: number): DiskFindings | undefined {
  const { folder, enoughBytes, stoppedAtBytes } = question
  const startedAt = performance.now()
  const linked = new Set<string>()
  let entries = 0
  let bytes = 0
  let isStopped = false
  const goesOn = () => bytes <= enoughBytes && entries <= mostEntries
  const count = (entry: Buffer, within: number): boolean => {
    entries += 1
    const stat = lookInside(within, () => lstatSync(entry, { throwIfNoEntry: false }))
    if (stat === undefined) return false
    const identity = `${stat.dev}:${stat.ino}`
    if (!stat.isDirectory() && stat.nlink > 1) {
      if (linked.has(identity)) return false
      linked.add(identity)
    }
    if (stat.isFile() && stat.size === stoppedAtBytes) isStopped = true
    bytes += Math.max(ENTRY_BYTES, stat.blocks * BLOCK_BYTES)
    return stat.isDirectory()
  }
  const visit = (path: Buffer, depth: number) => {
    if (depth > MAX_DEPTH) bytes = Number.POSITIVE_INFINITY
    const descriptor = tryOpen(path)
    if (descriptor === undefined) return
    const here = `/proc/self/fd/${descriptor}`
    let listing: Dir | undefined
    try {
      listing = lookInside(descriptor, () => opendirSync(here, BYTES))
      for (let entry = listing?.readSync(); entry && goesOn(); entry = listing?.readSync()) {
        const at = Buffer.concat([Buffer.from(`${here}/`), Buffer.from(entry.name)])
        if (count(at, descriptor)) visit(at, depth + 1)
      }
    } finally {
      listing?.closeSync()
      closeSync(descriptor)
    }
  }
  visit(Buffer.from(folder), 0)
  return entries > mostEntries ? undefined : { bytes, isStopped, tookMs: performance.now() - startedAt }
}

function tryOpen(path: Buffer): number | undefined {
  try {
    return openSync(path, OPEN_FOLDER)
  } catch (error) {
    // Gone meanwhile, or no folder any more; or, where the program is no root, shut to hide what is in it.
    return isShut(error) ? tryOpenShut(path) : undefined
  }
}

/** An open folder can still be shut: to list it and to look at what is in it, the kernel asks again. The walk goes on without it. */
function lookInside<T>(folder: number, look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (!isShut(error)) return undefined
  }
  try {
    fchmodSync(folder, 0o700)
    return look()
  } catch {
    // Another user's, or shut again meanwhile.
    return undefined
  }
}

function isShut(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EACCES'
}

/** A folder of our own user's that forbids even him to look: opened for a moment, through a descriptor that follows no link. */
function tryOpenShut(path: Buffer): number | undefined {
  let handle: number | undefined
  try {
    handle = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    chmodSync(`/proc/self/fd/${handle}`, 0o700)
    return openSync(path, OPEN_FOLDER)
  } catch {
    // Another user's, or gone meanwhile.
    return undefined
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}
