import type { Database } from 'better-sqlite3'
import type { TaskStatus } from '../core/task.ts'
import type { Standing } from './standing.ts'

/** Nobody is told a place beyond the one after this; counting stops there. */
const MAX_AHEAD = 1000
/** So many are counted from the end of the line at once. */
const NEAR = 16
/** How many tasks that ended lately say how long one takes. */
const SAMPLE = 20
const WORKER_ALIVE_MS = 60_000

/** Where a task stands in line. */
interface Place {
  key: number
  /** 1 while the task that it comes after has not ended. */
  waits: number
  status: TaskStatus
  turn: number
  /** Of those that come after it, at most NEAR. */
  behind: number
  /** Live tasks that are not in line. */
  aside: number
}

/** How many wait, how far away a turn is. */
export function createQueueState(db: Database, standing: () => Standing) {
  const inLine = (side: '<' | '>', of: string, most: number) =>
    `(SELECT count(*) FROM (SELECT 1 FROM task WHERE ended_at IS NULL AND turn = 2 AND (queue_key, id) ${side} (${of}) LIMIT ${most}))`
  const placeOf = db.prepare<[number], Place>(
    `SELECT queue_key AS key, waits, status, turn, ${inLine('>', 'own.queue_key, own.id', NEAR)} AS behind,
       (SELECT count(*) FROM task WHERE ended_at IS NULL AND turn IN (0, 1)) AS aside
     FROM task AS own WHERE id = ?`,
  )
  const ahead = db.prepare<[number, number], { tasks: number }>(
    `SELECT ${inLine('<', 'CAST(? AS INTEGER), CAST(? AS INTEGER)', MAX_AHEAD)} AS tasks`,
  )
  const recent = db.prepare<[], { ms: number }>(
    `SELECT ended_at - started_at AS ms FROM task WHERE ended = 'done' AND started_at IS NOT NULL ORDER BY id DESC LIMIT ${SAMPLE}`,
  )
  const slots = db.prepare<[number], { slots: number | null }>(
    'SELECT sum(slots) AS slots FROM worker WHERE heartbeat_at > ?',
  )

  /** At most MAX_AHEAD. Of a long line the shorter side is counted: who has just asked is near its end. */
  function countAhead(taskId: number, { key, turn, behind, aside }: Place, stands: Standing): number {
    if (behind === NEAR) return ahead.get(key, taskId)?.tasks ?? 0
    const { pending, planning, awaiting_approval, running } = stands
    const others = pending + planning + awaiting_approval + running - aside - (turn === 2 ? 1 : 0)
    // Another process may have moved the line on in between.
    return Math.min(Math.max(0, others - behind), MAX_AHEAD)
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
      const place = placeOf.get(taskId)
      if (place === undefined || place.waits === 1) return undefined
      if (place.status !== 'pending' && place.turn !== 2) return undefined
      const stands = standing()
      const position = countAhead(taskId, place, stands) + 1
      return { position, estimateMs: estimateMs(position, usualMs(stands), now) }
    },
    counts(): Readonly<Record<TaskStatus, number>> {
      const { pending, planning, awaiting_approval, running, done, failed, cancelled } = standing()
      return { pending, planning, awaiting_approval, running, done, failed, cancelled }
    },
  }
}
