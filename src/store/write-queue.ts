/**
 * Group commit. Writes asked for in one turn of the event loop share one transaction and one sync of the disk; one that fails
 * undoes nothing of the others. A promise settles after the commit.
 */
import type { Database } from 'better-sqlite3'
import { type Commit, createGroupCommit, type QueuedWrite } from './group-commit.ts'
import { closedError, isBusy, toStoreError } from './store-errors.ts'

/** Longer transactions would hold up other processes and this one's event loop. */
const MAX_WRITES_PER_COMMIT = 256
/** Each try waits for SQLite's own busy timeout first: together about half a minute. */
const MAX_BUSY_TRIES = 100
const BUSY_PAUSE_MS = 10

export interface WriteQueue {
  /** Runs `work` in a transaction. What it throws rejects the promise and undoes what it did, and nothing else. */
  write<T>(work: (commit: Commit) => T): Promise<T>
  /** Settles when all that was asked for is written; later writes are refused. */
  close(): Promise<void>
}

interface Pending extends QueuedWrite {
  settle(): void
}

export function createWriteQueue(db: Database, onCommit: (commit: Commit) => void): WriteQueue {
  const group = createGroupCommit<Pending>(db)
  let waiting: Pending[] = []
  let isScheduled = false
  let busyTries = 0
  let onIdle: (() => void) | undefined

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    setImmediate(flush)
  }

  function flush(): void {
    isScheduled = false
    const batch = waiting.splice(0, MAX_WRITES_PER_COMMIT)
    if (batch.length > 0 && begin(batch)) {
      const { done, commit } = group.commit(batch)
      if (done.length > 0) onCommit(commit)
      for (const write of done) write.settle()
    }
    if (waiting.length > 0) schedule()
    else onIdle?.()
  }

  /** False when there is no transaction: then the writes are rejected, or back in the queue for another try in a moment. */
  function begin(batch: Pending[]): boolean {
    try {
      group.begin()
      busyTries = 0
      return true
    } catch (error) {
      busyTries += 1
      if (isBusy(error) && busyTries < MAX_BUSY_TRIES) {
        waiting = [...batch, ...waiting]
        isScheduled = true
        setTimeout(flush, BUSY_PAUSE_MS)
        return false
      }
      busyTries = 0
      for (const write of batch) write.reject(toStoreError(error))
      return false
    }
  }

  return {
    write(work) {
      if (onIdle !== undefined) return Promise.reject(closedError())
      return new Promise((resolve, reject) => {
        waiting.push({ ...toPending(work, resolve), reject })
        schedule()
      })
    },
    close() {
      return new Promise((resolve) => {
        onIdle = resolve
        schedule()
      })
    },
  }
}

function toPending<T>(work: (commit: Commit) => T, resolve: (result: T) => void): Omit<Pending, 'reject'> {
  let settle: (() => void) | undefined
  return {
    run(commit) {
      const result = work(commit)
      settle = () => resolve(result)
    },
    settle: () => settle?.(),
  }
}
