import type { Database } from 'better-sqlite3'
import type { TaskStatus } from '../core/task.ts'

type Counts = Readonly<Record<TaskStatus, number>>

/** Where the queue stands: the newest event has it, so that a change writes no row for it. */
export interface Standing extends Counts {
  /** The newest event. */
  id: number
  /** The newest task ever, which may be gone. */
  last_task: number
  /** The queue key of the latest claim in turn: the virtual time of start-time fair queueing. */
  virtual_time: number
}

const NEWEST = `SELECT id, last_task, virtual_time, pending, planning, awaiting_approval, running, done, failed, cancelled
  FROM event ORDER BY id DESC LIMIT 1`

const COUNTED = `SELECT (SELECT max(id) FROM event) AS id, coalesce(max(id), 0) AS last_task,
    coalesce((SELECT virtual_time FROM event WHERE virtual_time IS NOT NULL ORDER BY id DESC LIMIT 1), 0) AS virtual_time,
    count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'planning') AS planning,
    count(*) FILTER (WHERE status = 'awaiting_approval') AS awaiting_approval, count(*) FILTER (WHERE status = 'running') AS running,
    count(*) FILTER (WHERE status = 'done') AS done, count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled
  FROM task`

export function createStanding(db: Database): () => Standing {
  const newest = db.prepare<[], Standing | (Record<keyof Standing, null> & { id: number })>(NEWEST)
  return () => {
    const standing = newest.get()
    if (standing !== undefined && standing.pending !== null) return standing
    // The newest event is of a process of the version before, which still runs: all is counted, until there is one of ours.
    const counted = db.prepare<[], Standing>(COUNTED).get()
    if (counted === undefined) throw new Error('the tasks could not be counted')
    return counted
  }
}

/** Where it stands after a task has gone from one status to another; null is none, of a new task. */
export function afterMove(standing: Standing, from: TaskStatus | null, to: TaskStatus): Standing {
  if (from === to) return standing
  const less = from === null ? {} : { [from]: standing[from] - 1 }
  return { ...standing, ...less, [to]: standing[to] + 1 }
}
