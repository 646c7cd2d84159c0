import { getCompileCacheDir } from 'node:module'
import { dirname, extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type DiskFindings, type DiskQuestion, walkDisk } from './disk-walk.ts'
import type { ThreadAnswer, ThreadQuestion } from './disk-walker.ts'

/** They take a few milliseconds. */
const IN_PLACE_ENTRIES = 300

/**
 * Measures folders. A walk of a large one takes seconds and is done in a thread of its own, started when there is the first such
 * walk: most tasks never need it, and it takes memory and a tenth of a second.
 */
export class DiskMeter {
  #worker: Worker | undefined
  #lastId = 0
  readonly #asked = new Map<number, (found: DiskFindings) => void>()

  /** The count of bytes may stop anywhere above `enoughBytes`; 0 when it cannot be measured. */
  async measure(question: DiskQuestion): Promise<DiskFindings> {
    return tryInPlace(question) ?? this.#measureInThread(question)
  }

  #measureInThread(question: DiskQuestion): Promise<DiskFindings> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve) => {
      this.#asked.set(id, resolve)
      const worker = this.#start()
      // Whoever waits for an answer, perhaps with nothing else to do, must get it.
      worker.ref()
      worker.postMessage({ id, ...question } satisfies ThreadQuestion)
    })
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL(`./disk-walker${extname(import.meta.url)}`, import.meta.url), {
      env: cacheOnly(),
    })
    worker.on('message', ({ id, ...found }: ThreadAnswer) => this.#answer(id, found))
    // Whoever waits must not wait for ever; the next question starts another.
    worker.on('error', () => this.#lose())
    worker.on('exit', () => this.#lose())
    // After the listeners, which would hold the program open again.
    worker.unref()
    this.#worker = worker
    return worker
  }

  #answer(id: number, found: DiskFindings): void {
    this.#asked.get(id)?.(found)
    this.#asked.delete(id)
    if (this.#asked.size === 0) this.#worker?.unref()
  }

  #lose(): void {
    this.#worker = undefined
    for (const id of [...this.#asked.keys()]) this.#answer(id, { bytes: 0, isStopped: false, tookMs: 0 })
  }
}

function tryInPlace(question: DiskQuestion): DiskFindings | undefined {
  try {
    return walkDisk(question, IN_PLACE_ENTRIES)
  } catch {
    // A task that changes its folder under the walk; in the thread the same is told as nothing measured.
    return undefined
  }
}

/** A thread does not take over the compile cache by itself, and to strip types anew takes more than all its work. */
function cacheOnly(): Record<string, string> {
  const folder = getCompileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}
