import type { Database } from 'better-sqlite3'
import type { TaskEvent } from '../core/events.ts'
import type { Commit } from './group-commit.ts'
import type { TaskRow } from './rows.ts'
import type { Standing } from './standing.ts'

export interface Appended {
  /** Its `last_event` is that before this one. */
  task: Pick<TaskRow, 'id' | 'place_platform' | 'last_event'>
  at: number
  event: TaskEvent
  /** After the event, but for the event's own id: that of the one before. */
  standing: Standing
}

/** Writes an event; answers its id, which is to be the task's `last_event`. */
export type AppendEvent = (commit: Commit, appended: Appended) => number

/** Writes an event, in the transaction of the change that it tells of; its thread then has something to be told again. */
export function createAppendEvent(db: Database): AppendEvent {
  const insert = db.prepare<(number | string | null)[]>(
    `INSERT INTO event (id, task_id, at, body, before_id, last_task, virtual_time, pending, planning, awaiting_approval, running, done, failed,
       cancelled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const unsettle = db.prepare<[number]>('UPDATE delivery SET settled = 0 WHERE task_id = ? AND settled = 1')
  return (commit, { task, at, event, standing: s }) => {
    // Without gaps: a process knows by it what it has missed.
    const id = s.id + 1
    const counts = [s.pending, s.planning, s.awaiting_approval, s.running, s.done, s.failed, s.cancelled]
    insert.run(id, task.id, at, JSON.stringify(event), task.last_event, s.last_task, s.virtual_time, ...counts)
    if (task.place_platform !== null) unsettle.run(task.id)
    commit.firstEvent ??= id
    commit.lastEvent = id
    commit.tasks.add(task.id)
    return id
  }
}
