import type { Database } from 'better-sqlite3'
import type { TaskStatus } from '../core/task.ts'
import type { TaskReader } from './read-tasks.ts'
import type { TaskRow } from './rows.ts'
import type { Standing } from './standing.ts'

/** Nobody is told a place beyond the one after this; counting stops there. */
const MAX_AHEAD = 1000
/** So many are counted at once from the front and from the end of the line: who has just asked is near one of them. */
const NEAR = 16
/** How many tasks that ended lately say how long one takes. */
const SAMPLE = 20
const WORKER_ALIVE_MS = 60_000

/** How many wait, how far away a turn is. */
export function createQueueState(db: Database, reader: TaskReader, standing: () => Standing) {
  const inLine = (side: '<' | '>') =>
    db.prepare<[number, number, number], { tasks: number }>(
      `SELECT count(*) AS tasks FROM (
         SELECT 1 FROM task WHERE ended_at IS NULL AND turn = 2 AND (queue_key, id) ${side} (CAST(? AS INTEGER), CAST(? AS INTEGER))
         LIMIT CAST(? AS INTEGER)
       )`,
    )
  const ahead = inLine('<')
  const behind = inLine('>')
  const notInLine = db.prepare<[], { tasks: number }>(
    'SELECT count(*) AS tasks FROM task WHERE ended_at IS NULL AND turn IN (0, 1)',
  )
  const recent = db.prepare<[], { ms: number }>(
    `SELECT ended_at - started_at AS ms FROM task WHERE ended = 'done' AND started_at IS NOT NULL ORDER BY id DESC LIMIT ${SAMPLE}`,
  )
  const slots = db.prepare<[number], { slots: number | null }>(
    'SELECT sum(slots) AS slots FROM worker WHERE heartbeat_at > ?',
  )
  const turnOf = db.prepare<[number], { turn: number }>('SELECT turn FROM task WHERE id = ?')

  /** At most MAX_AHEAD. What is counted of a long line is the shorter side of it. */
  function countAhead(
    { queue_key: key, id }: TaskRow,
    { pending, planning, awaiting_approval, running }: Standing,
  ): number {
    const near = ahead.get(key, id, NEAR)?.tasks ?? 0
    if (near < NEAR) return near
    const after = behind.get(key, id, NEAR)?.tasks ?? 0
    if (after === NEAR) return ahead.get(key, id, MAX_AHEAD)?.tasks ?? 0
    const all = pending + planning + awaiting_approval + running - (notInLine.get()?.tasks ?? 0)
    // Another process may have moved the line on in between.
    return Math.min(Math.max(near, all - after - 1), MAX_AHEAD)
  }

  let known: { done: number; ms: number | null } | undefined
  /** The median: one task that waited a day for an approval says nothing of the others. Null: none has ended. Looked up when another has. */
  function usualMs({ done }: Standing): number | null {
    if (known?.done !== done) {
      const durations = recent.all().map((row) => Math.max(0, row.ms))
      known = { done, ms: durations.sort((a, b) => a - b)[durations.length >> 1] ?? null }
    }
    return known.ms
  }

  function estimateMs(position: number, usual: number | null, now: number): number | null {
    if (usual === null) return null
    const atOnce = Math.max(1, slots.get(now - WORKER_ALIVE_MS)?.slots ?? 1)
    return Math.ceil(position / atOnce) * usual
  }

  return {
    position(taskId: number, now: number): { position: number; estimateMs: number | null } | undefined {
      const row = reader.row(taskId)
      if (row === undefined || row.waits === 1) return undefined
      if (row.status !== 'pending' && turnOf.get(taskId)?.turn !== 2) return undefined
      const stands = standing()
      const position = countAhead(row, stands) + 1
      return { position, estimateMs: estimateMs(position, usualMs(stands), now) }
    },
    counts(): Readonly<Record<TaskStatus, number>> {
      const { pending, planning, awaiting_approval, running, done, failed, cancelled } = standing()
      return { pending, planning, awaiting_approval, running, done, failed, cancelled }
    },
  }
}
