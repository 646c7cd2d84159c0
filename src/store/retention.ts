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

export function createRetention(db: Database) {
  const ended = (which: string) =>
    db.prepare<[{ before: number; limit: number; on?: string }], { id: number }>(
      `SELECT id FROM task t WHERE ended_at < @before AND ${NOT_NEEDED} AND ${which} ORDER BY ended_at LIMIT CAST(@limit AS INTEGER)`,
    )
  const expired = ended(`NOT EXISTS (${UNTOLD})`)
  const untold = ended(`EXISTS (${UNTOLD} AND instr(@on, ' ' || d.platform || ' ') = 0)`)
  // Its events, rounds, steps, approvals, delivery and messages go with it; the audit stays.
  const remove = db.prepare<[number]>(`DELETE FROM task AS t WHERE id = ? AND ${NOT_NEEDED}`)
  return {
    expired: (before: number, limit: number): readonly number[] => expired.all({ before, limit }).map((row) => row.id),
    untold: (before: number, limit: number, on: readonly Platform[]): readonly number[] =>
      untold.all({ before, limit, on: ` ${on.join(' ')} ` }).map((row) => row.id),
    remove: (taskId: number): boolean => remove.run(taskId).changes === 1,
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
