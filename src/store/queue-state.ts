import type { Database } from 'better-sqlite3'
import type { TaskStatus } from '../core/task.ts'
import type { TaskReader } from './read-tasks.ts'

/** Nobody is told a place beyond this; counting stops there. */
const MAX_POSITION = 1000
/** How many tasks that ended lately say how long one takes. */
const SAMPLE = 20
const WORKER_ALIVE_MS = 60_000

/** How many wait, how far away a turn is. */
export function createQueueState(db: Database, reader: TaskReader) {
  const ahead = db.prepare<[number, number], { tasks: number }>(
    `SELECT count(*) AS tasks FROM (SELECT 1 FROM task WHERE claimable = 1 AND (queue_key, id) < (CAST(? AS INTEGER), CAST(? AS INTEGER)) LIMIT ${MAX_POSITION})`,
  )
  const recent = db.prepare<[], { ms: number }>(
    `SELECT ended_at - started_at AS ms FROM task WHERE status = 'done' AND started_at IS NOT NULL ORDER BY id DESC LIMIT ${SAMPLE}`,
  )
  const slots = db.prepare<[number], { slots: number | null }>(
    'SELECT sum(slots) AS slots FROM worker WHERE heartbeat_at > ?',
  )
  const counts = db.prepare<[], { status: TaskStatus; tasks: number }>('SELECT status, tasks FROM status_count')

  function estimateMs(position: number, now: number): number | null {
    const durations = recent.all().map((row) => Math.max(0, row.ms))
    if (durations.length === 0) return null
    // The median: one task that waited a day for an approval says nothing of the others.
    const usual = durations.sort((a, b) => a - b)[durations.length >> 1] ?? 0
    const atOnce = Math.max(1, slots.get(now - WORKER_ALIVE_MS)?.slots ?? 1)
    return Math.ceil(position / atOnce) * usual
  }

  return {
    position(taskId: number, now: number): { position: number; estimateMs: number | null } | undefined {
      const row = reader.row(taskId)
      if (row === undefined || row.waits === 1 || (row.status !== 'pending' && row.claimable !== 1)) return undefined
      const position = (ahead.get(row.queue_key, row.id)?.tasks ?? 0) + 1
      return { position, estimateMs: estimateMs(position, now) }
    },
    counts(): Readonly<Record<TaskStatus, number>> {
      const all = { pending: 0, planning: 0, awaiting_approval: 0, running: 0, done: 0, failed: 0, cancelled: 0 }
      for (const { status, tasks } of counts.all()) all[status] = tasks
      return all
    },
  }
}
