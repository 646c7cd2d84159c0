import type { Database } from 'better-sqlite3'
import type { Ring } from './ring.ts'

const MAX_MISSED = 1000

/** The events of other processes that this one has not heard of: ids have no gaps, so a missed ring shows. */
export function createMissedEvents(db: Database) {
  const last = db.prepare<[], { id: number | null }>('SELECT max(id) AS id FROM event')
  const after = db.prepare<[number], { id: number; task_id: number }>(
    `SELECT id, task_id FROM event WHERE id > ? ORDER BY id LIMIT ${MAX_MISSED}`,
  )
  let known = 0
  let version: unknown

  function isChanged(): boolean {
    const now: unknown = db.pragma('data_version', { simple: true })
    const isNew = now !== version
    version = now
    return isNew
  }

  return {
    isChanged,
    start() {
      isChanged()
      known = last.get()?.id ?? 0
    },
    heard(ring: Pick<Ring, 'firstEvent' | 'lastEvent'>) {
      if (ring.firstEvent !== null && ring.firstEvent <= known + 1) known = Math.max(known, ring.lastEvent)
    },
    read(): ReadonlySet<number> {
      const rows = after.all(known)
      known = rows.at(-1)?.id ?? known
      return new Set(rows.map((row) => row.task_id))
    },
  }
}
