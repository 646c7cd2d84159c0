import type { Database } from 'better-sqlite3'
import type { TaskRow } from './rows.ts'

/** What may change of a task's row after it was made, by events; the other columns have writers of their own. */
const COLUMNS = [
  'status',
  'round',
  'steps_begun',
  'lease_id',
  'lease_worker',
  'lease_until',
  'lease_ms',
  'cancel_by',
  'phase',
  'ending',
  'redactions',
  'outputs',
  'updated_at',
  'started_at',
  'ended_at',
  'last_event',
] as const satisfies readonly (keyof TaskRow)[]

/** Writes a task's row as it is next, if it still has the status and the lease that it had; else answers false. */
export type WriteRow = (row: TaskRow, next: TaskRow) => boolean

/** Names in the statement only what changes: an index of which no column is named is not written. */
export function createRowWriter(db: Database): WriteRow {
  const prepared = new Map<string, ReturnType<typeof prepare>>()

  function prepare(columns: readonly string[]) {
    return db.prepare<(string | number | null)[]>(
      `UPDATE task SET ${columns.map((column) => `${column} = ?`).join()} WHERE id = ? AND status = ? AND lease_id IS ?`,
    )
  }

  return (row, next) => {
    const columns = COLUMNS.filter((column) => next[column] !== row[column])
    const key = columns.join()
    let update = prepared.get(key)
    if (update === undefined) {
      update = prepare(columns)
      prepared.set(key, update)
    }
    const values = columns.map((column) => next[column])
    return update.run(...values, row.id, row.status, row.lease_id).changes === 1
  }
}
