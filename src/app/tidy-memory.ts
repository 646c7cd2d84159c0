/**
 * Gives memory back once the program is quiet. V8 keeps what loading the libraries and busy times took, since it collects when more is
 * asked for, and nobody asks a program that waits: a fifth of what one with both chats had.
 */
import { getHeapStatistics } from 'node:v8'
import { errorLine } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'

export interface Heap {
  usedBytes(): number
  /** Collects all garbage and gives the pages back; everything stands still meanwhile, for a fifth of a second. */
  collect(): Promise<void>
}

const LOOK_MS = 5000
/** Used between two looks by what a waiting program does: signs of life, timers. */
const QUIET_BYTES = 1_000_000
/** Less is not worth standing still for. */
const WORTH_BYTES = 8_000_000

/** Looks now and then until disposed of; collects when little has happened since the last look, and much before it. */
export function tidyMemory(options: { clock: Clock; logger: Logger; heap?: Heap }): Disposable {
  const { clock, logger, heap = ownHeap } = options
  let timer: Disposable | undefined
  let isOver = false
  let before = Number.POSITIVE_INFINITY
  let kept = 0

  async function look(): Promise<void> {
    const used = heap.usedBytes()
    const isQuiet = Math.abs(used - before) < QUIET_BYTES
    before = used
    if (!isQuiet || used - kept < WORTH_BYTES) return
    await heap.collect()
    kept = heap.usedBytes()
    before = kept
  }

  function lookLater(): void {
    if (isOver) return
    timer = clock.after(LOOK_MS, () => {
      look().then(lookLater, (error: unknown) => {
        // It has no inspector, or somebody's debugger is in the way: then it takes more memory, no more.
        logger.debug({ error: errorLine(error) }, `memory is not tidied: ${errorLine(error)}`)
      })
    })
  }

  lookLater()
  return {
    [Symbol.dispose]() {
      isOver = true
      timer?.[Symbol.dispose]()
    },
  }
}

const ownHeap: Heap = {
  usedBytes: () => getHeapStatistics().used_heap_size,
  async collect() {
    // The only way in that needs no option of Node, and gives back as much as V8 can.
    const { Session } = await import('node:inspector/promises')
    const session = new Session()
    session.connect()
    try {
      await session.post('HeapProfiler.collectGarbage')
    } finally {
      session.disconnect()
    }
  },
}
