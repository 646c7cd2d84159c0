/** The store's file, read from outside by another SQLite than the program's own. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TaskEvent } from '../../src/core/events.ts'
import type { TaskKind, TaskStatus } from '../../src/core/task.ts'

export interface TaskLook {
  id: number
  status: TaskStatus
  kind: TaskKind
  parent_id: number | null
  description: string
  dedupe_key: string | null
  place_platform: string | null
  requester_user: string
  ending: string | null
  outputs: string | null
  lease_id: string | null
}

export interface EventLook {
  id: number
  taskId: number
  event: TaskEvent
}

export interface Look extends Disposable {
  tasks(): TaskLook[]
  events(afterId: number): EventLook[]
  /** Of the task's last plan. */
  steps(taskId: number): { started_at: number | null; ending: string | null }[]
  deliveries(): { task_id: number; settled: number; failure: string | null; attempts: number }[]
  /** What SQLite itself finds wrong, and counts that do not add up. */
  faults(): string[]
}

/** Undefined while there is no store, or none with tables. */
export function openLook(folder: string): Look | undefined {
  const file = join(folder, 'tasks.db')
  if (!existsSync(file)) return undefined
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'task'").get() === undefined) {
    db.close()
    return undefined
  }
  // The columns are those of the schema above; the casts are the border between SQLite's untyped rows and these.
  const all = <T>(sql: string, ...values: number[]): T[] => db.prepare(sql).all(...values) as unknown as T[]
  return {
    tasks: () => all<TaskLook>('SELECT * FROM task ORDER BY id'),
    events: (afterId) =>
      all<{ id: number; task_id: number; body: string }>('SELECT * FROM event WHERE id > ? ORDER BY id', afterId).map(
        ({ id, task_id: taskId, body }) => ({ id, taskId, event: JSON.parse(body) }),
      ),
    steps: (taskId) =>
      all(
        'SELECT started_at, ending FROM step WHERE task_id = ?1 AND round = (SELECT max(round) FROM step WHERE task_id = ?1)',
        taskId,
      ),
    deliveries: () => all('SELECT task_id, settled, failure, attempts FROM delivery ORDER BY task_id'),
    faults() {
      const integrity = all<{ integrity_check: string }>('PRAGMA integrity_check').map((row) => row.integrity_check)
      const foreign = all<{ table: string }>('PRAGMA foreign_key_check').map((row) => `foreign key: ${row.table}`)
      const counts = all<{ status: string }>(
        'SELECT status FROM status_count s WHERE tasks <> (SELECT count(*) FROM task t WHERE t.status = s.status)',
      ).map((row) => `the count of ${row.status} tasks is wrong`)
      return [...integrity.filter((line) => line !== 'ok'), ...foreign, ...counts]
    },
    [Symbol.dispose]: () => db.close(),
  }
}
