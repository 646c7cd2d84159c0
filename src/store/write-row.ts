import type { Database, Statement } from 'better-sqlite3'
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

type Value = string | number | null

/** Writes a task's row as it is next, if it still has the status and the lease that it had; else answers false. */
export type WriteRow = (row: TaskRow, next: TaskRow) => boolean

/** Names in the statement only what changes: an index of which no column is named is not written. */
export function createRowWriter(db: Database): WriteRow {
  const statementFor = createStatements(COLUMNS, (changed) =>
    db.prepare<Value[]>(
      `UPDATE task SET ${changed.map((column) => `${column} = ?`).join()} WHERE id = ? AND status = ? AND lease_id IS ?`,
    ),
  )
  return (row, next) => {
    const { statement, values } = statementFor(next, (column) => next[column] !== row[column])
    return statement.run(...values, row.id, row.status, row.lease_id).changes === 1
  }
}

/** Writes a new row; what is null in it is not named, as each value that is given costs. */
export function createRowInserter<C extends string>(
  db: Database,
  table: string,
  columns: readonly C[],
): (row: Readonly<Record<C, Value>>) => void {
  const statementFor = createStatements(columns, (given) =>
    db.prepare<Value[]>(`INSERT INTO ${table} (${given.join()}) VALUES (${given.map(() => '?').join()})`),
  )
  return (row) => {
    const { statement, values } = statementFor(row, (column) => row[column] !== null)
    statement.run(...values)
  }
}

/** Prepares a statement for each set of columns once, and answers it with the values of these. */
function createStatements<C extends string>(
  columns: readonly C[],
  prepare: (columns: readonly C[]) => Statement<Value[]>,
) {
  const prepared = new Map<number, Statement<Value[]>>()

  return (row: Readonly<Record<C, Value>>, isNamed: (column: C) => boolean) => {
    const values: Value[] = []
    let key = 0
    let bit = 1
    for (const column of columns) {
      if (isNamed(column)) {
        values.push(row[column])
        key += bit
      }
      bit *= 2
    }
    let statement = prepared.get(key)
    if (statement === undefined) {
      statement = prepare(columns.filter(isNamed))
      prepared.set(key, statement)
    }
    return { statement, values }
  }
}
