import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { errorLine } from '../core/errors.ts'
import type { Platform } from '../core/task.ts'
import { StoreError } from '../ports/store.ts'
import { toStoreError } from './store-errors.ts'

/** Has ended, and nothing that lives needs it: no child of its folder, none that waits for it, nobody in its thread. */
const NOT_NEEDED = `ended_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM task c WHERE c.parent_id = t.id AND c.ended_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM task c WHERE c.after_id = t.id AND c.ended_at IS NULL)
  AND NOT (t.place_thread IS 1 AND EXISTS (SELECT 1 FROM task n WHERE n.place_key = t.place_key AND n.place_platform = t.place_platform
    AND n.ended IS NULL))`

const UNTOLD = 'SELECT 1 FROM delivery d WHERE d.task_id = t.id AND d.settled = 0 AND d.failure IS NULL'

interface Question {
  before: number
  /** No task from this id on has ended before. */
  upTo: number
  limit: number
  on?: string
}

export function createRetention(db: Database) {
  const ended = (which: string) =>
    db.prepare<[Question], { id: number }>(
      `SELECT id FROM task t WHERE id < CAST(@upTo AS INTEGER) AND ended_at < @before AND ${NOT_NEEDED} AND ${which}
       ORDER BY id LIMIT CAST(@limit AS INTEGER)`,
    )
  const firstMadeSince = createMadeSince(db)
  const expired = ended(`NOT EXISTS (${UNTOLD})`)
  const untold = ended(`EXISTS (${UNTOLD} AND instr(@on, ' ' || d.platform || ' ') = 0)`)
  // Its events, rounds, steps, approvals, delivery and messages go with it; the audit stays.
  const remove = db.prepare<[number]>(`DELETE FROM task AS t WHERE id = ? AND ${NOT_NEEDED}`)
  return {
    expired: (before: number, limit: number): readonly number[] =>
      expired.all({ before, limit, upTo: firstMadeSince(before) }).map((row) => row.id),
    untold: (before: number, limit: number, on: readonly Platform[]): readonly number[] =>
      untold.all({ before, limit, upTo: firstMadeSince(before), on: ` ${on.join(' ')} ` }).map((row) => row.id),
    remove: (taskId: number): boolean => remove.run(taskId).changes === 1,
  }
}

/**
 * The id from which on tasks were made at this time or later, so that none of them has ended before. Found by halves, as ids rise with the
 * clock; where that was once set back, some tasks may be kept for as long as it had been ahead.
 */
function createMadeSince(db: Database): (at: number) => number {
  const bounds = db.prepare<[], { low: number | null; high: number | null }>(
    'SELECT (SELECT min(id) FROM task) AS low, (SELECT max(id) FROM task) AS high',
  )
  const from = db.prepare<[number], { id: number; created_at: number }>(
    'SELECT id, created_at FROM task WHERE id >= CAST(? AS INTEGER) ORDER BY id LIMIT 1',
  )
  return (at) => {
    const found = bounds.get()
    let low = found?.low ?? 0
    let high = (found?.high ?? -1) + 1
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const row = from.get(middle)
      if (row === undefined || row.created_at >= at) high = middle
      else low = row.id + 1
    }
    return low
  }
}

/** A whole copy, mode 0600, that has its name only when it is complete. Never writes over a file that is there. */
export async function backUp(db: Database, file: string): Promise<void> {
  if (existsSync(file)) throw new StoreError('exists', `There is a file already: ${file}. Name another.`)
  const part = `${file}.part`
  try {
    rmSync(part, { force: true })
    closeSync(openSync(part, 'wx', 0o600))
    await db.backup(part)
    renameSync(part, file)
  } catch (error) {
    rmSync(part, { force: true })
    const known = toStoreError(error)
    if (known instanceof StoreError) throw known
    throw new StoreError('backup', `The copy could not be written: ${errorLine(error)}`, { cause: error })
  }
}
