import type { Database } from 'better-sqlite3'
import type { TaskEvent } from '../core/events.ts'
import type { Commit } from './group-commit.ts'

export type AppendEvent = (commit: Commit, taskId: number, at: number, event: TaskEvent) => void

/** Writes an event, in the transaction of the change that it tells of; its thread then has something to be told again. */
export function createAppendEvent(db: Database): AppendEvent {
  const insert = db.prepare<[number, number, string]>('INSERT INTO event (task_id, at, body) VALUES (?, ?, ?)')
  const unsettle = db.prepare<[number]>('UPDATE delivery SET settled = 0 WHERE task_id = ? AND settled = 1')
  return (commit, taskId, at, event) => {
    const id = Number(insert.run(taskId, at, JSON.stringify(event)).lastInsertRowid)
    unsettle.run(taskId)
    commit.firstEvent ??= id
    commit.lastEvent = id
    commit.tasks.add(taskId)
  }
}
