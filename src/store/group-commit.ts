import type { Database } from 'better-sqlite3'
import { toStoreError } from './store-errors.ts'

/** What a transaction has changed; told of once it is on disk. */
export interface Commit {
  tasks: Set<number>
  deliveries: Set<number>
  firstEvent: number | null
  lastEvent: number
}

export interface QueuedWrite {
  run(commit: Commit): void
  reject(error: unknown): void
}

export interface GroupCommit<W extends QueuedWrite> {
  /** Takes the write lock. Throws SQLITE_BUSY when another process keeps it for longer than the busy timeout. */
  begin(): void
  /**
   * Runs the writes, each undone by itself when it fails, and commits. Those that failed are rejected and undone, and nothing else is;
   * answers the others, which are on disk. When the commit fails, all are rejected and nothing is written.
   */
  commit(writes: readonly W[]): Committed<W>
}

interface Committed<W> {
  done: readonly W[]
  commit: Commit
}

export function createGroupCommit<W extends QueuedWrite>(db: Database): GroupCommit<W> {
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const rollback = db.prepare('ROLLBACK')
  const savepoint = db.prepare('SAVEPOINT write')
  const release = db.prepare('RELEASE write')
  const undo = db.prepare('ROLLBACK TO write')

  /** Undefined when it went well or only this write failed; else what ended the whole transaction, as a full disk does. */
  function runOne(write: W, whole: Commit, done: W[]): unknown {
    const own = emptyCommit()
    try {
      savepoint.run()
      write.run(own)
      release.run()
    } catch (error) {
      write.reject(toStoreError(error))
      if (!db.inTransaction) return error
      undo.run()
      release.run()
      return undefined
    }
    addTo(whole, own)
    done.push(write)
    return undefined
  }

  function rejectAll(writes: readonly W[], error: unknown): Committed<W> {
    if (db.inTransaction) rollback.run()
    for (const write of writes) write.reject(toStoreError(error))
    return { done: [], commit: emptyCommit() }
  }

  /** Needs no savepoint: the transaction is this write's own. */
  function commitAlone(write: W): Committed<W> {
    const own = emptyCommit()
    try {
      write.run(own)
      commit.run()
      return { done: [write], commit: own }
    } catch (error) {
      return rejectAll([write], error)
    }
  }

  function commitTogether(writes: readonly W[]): Committed<W> {
    const whole = emptyCommit()
    const done: W[] = []
    for (const write of writes) {
      const fatal = runOne(write, whole, done)
      if (fatal !== undefined) return rejectAll(writes, fatal)
    }
    try {
      commit.run()
      return { done, commit: whole }
    } catch (error) {
      return rejectAll(done, error)
    }
  }

  return {
    begin: () => void begin.run(),
    commit(writes) {
      const [first] = writes
      return first !== undefined && writes.length === 1 ? commitAlone(first) : commitTogether(writes)
    },
  }
}

function emptyCommit(): Commit {
  return { tasks: new Set(), deliveries: new Set(), firstEvent: null, lastEvent: 0 }
}

function addTo(whole: Commit, part: Commit): void {
  for (const taskId of part.tasks) whole.tasks.add(taskId)
  for (const taskId of part.deliveries) whole.deliveries.add(taskId)
  whole.firstEvent ??= part.firstEvent
  whole.lastEvent = Math.max(whole.lastEvent, part.lastEvent)
}
