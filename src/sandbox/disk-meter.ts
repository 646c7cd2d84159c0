import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { DiskAnswer, DiskQuestion } from './disk-walker.ts'

export type DiskFindings = Omit<DiskAnswer, 'id'>

/** Measures folders in a thread of its own, started at the first question: a walk of a large folder takes seconds. */
export class DiskMeter {
  #worker: Worker | undefined
  #lastId = 0
  readonly #asked = new Map<number, (found: DiskFindings) => void>()

  /** The count of bytes may stop anywhere above `enoughBytes`; 0 when it cannot be measured. */
  measure(wanted: Omit<DiskQuestion, 'id'>): Promise<DiskFindings> {
    this.#lastId += 1
    const question: DiskQuestion = { ...wanted, id: this.#lastId }
    return new Promise((resolve) => {
      this.#asked.set(question.id, resolve)
      const worker = this.#start()
      // Whoever waits for an answer, perhaps with nothing else to do, must get it.
      worker.ref()
      worker.postMessage(question)
    })
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL(`./disk-walker${extname(import.meta.url)}`, import.meta.url), { env: {} })
    worker.on('message', ({ id, ...found }: DiskAnswer) => this.#answer(id, found))
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
