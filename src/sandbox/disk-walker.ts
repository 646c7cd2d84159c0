/**
 * Runs in a worker thread: adds up what a task's folder takes on disk. The task may change the folder meanwhile and would
 * gladly lead a walker that is root elsewhere, so every folder is opened without following links and read by descriptor.
 */
import { closeSync, constants, lstatSync, opendirSync, openSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

/** Deeper trees count as too large: nobody needs them, and a descriptor is held for every level. */
const MAX_DEPTH = 200
/** Every entry takes at least this much, so that a million empty files do not count as nothing. */
const ENTRY_BYTES = 1024
const BLOCK_BYTES = 512
const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export interface DiskQuestion {
  id: number
  folder: string
  /** Stop counting here. */
  enoughBytes: number
}

export interface DiskAnswer {
  id: number
  bytes: number
}

parentPort?.on('message', (question: DiskQuestion) => {
  parentPort?.postMessage({ id: question.id, bytes: measure(question) } satisfies DiskAnswer)
})

// Names are bytes. Node takes this encoding here and answers with buffers; its types do not know.
const BYTES = { encoding: 'buffer' as BufferEncoding }

function measure({ folder, enoughBytes }: DiskQuestion): number {
  const linked = new Set<string>()
  let bytes = 0
  const count = (entry: Buffer): boolean => {
    const stat = lstatSync(entry, { throwIfNoEntry: false })
    if (stat === undefined) return false
    const identity = `${stat.dev}:${stat.ino}`
    if (!stat.isDirectory() && stat.nlink > 1) {
      if (linked.has(identity)) return false
      linked.add(identity)
    }
    bytes += Math.max(ENTRY_BYTES, stat.blocks * BLOCK_BYTES)
    return stat.isDirectory()
  }
  const visit = (path: Buffer, depth: number) => {
    if (depth > MAX_DEPTH) bytes = Number.POSITIVE_INFINITY
    const descriptor = tryOpen(path)
    if (descriptor === undefined) return
    const here = `/proc/self/fd/${descriptor}`
    const listing = opendirSync(here, BYTES)
    try {
      for (let entry = listing.readSync(); entry !== null && bytes <= enoughBytes; entry = listing.readSync()) {
        const at = Buffer.concat([Buffer.from(`${here}/`), Buffer.from(entry.name)])
        if (count(at)) visit(at, depth + 1)
      }
    } finally {
      listing.closeSync()
      closeSync(descriptor)
    }
  }
  visit(Buffer.from(folder), 0)
  return bytes
}

function tryOpen(path: Buffer): number | undefined {
  try {
    return openSync(path, OPEN_FOLDER)
  } catch {
    // Gone meanwhile, or no folder any more; an ordinary user may also be shut out of it.
    return undefined
  }
}
