import type { Database } from 'better-sqlite3'
import type { TaskEvent } from '../core/events.ts'
import type { Commit } from './group-commit.ts'
import type { TaskRow } from './rows.ts'

export type AppendEvent = (
  commit: Commit,
  task: Pick<TaskRow, 'id' | 'place_platform'>,
  at: number,
  event: TaskEvent,
) => void

/** Writes an event, in the transaction of the change that it tells of; its thread then has something to be told again. */
export function createAppendEvent(db: Database): AppendEvent {
  const insert = db.prepare<[number, number, string]>('INSERT INTO event (task_id, at, body) VALUES (?, ?, ?)')
  const unsettle = db.prepare<[number]>('UPDATE delivery SET settled = 0 WHERE task_id = ? AND settled = 1')
  return (commit, task, at, event) => {
    const id = Number(insert.run(task.id, at, JSON.stringify(event)).lastInsertRowid)
    if (task.place_platform !== null) unsettle.run(task.id)
    commit.firstEvent ??= id
    commit.lastEvent = id
    commit.tasks.add(task.id)
  }
}
