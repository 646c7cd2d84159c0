/**
 * Leases that are held: extended by heartbeats, ended when they run out.
 *
 * The wall clock may jump. Forwards, a lease runs out early; its worker finds that out at the next heartbeat and its late writes do not
 * apply. Backwards, a lease would last for the length of the jump: one that ends later than a full lease from now is cut to a full lease
 * from now, so that a worker that lives has the time for its heartbeat and one that died is found no later than at first.
 */
import type { Database } from 'better-sqlite3'
import type { TaskEvent } from '../core/events.ts'
import type { Apply } from './apply.ts'
import type { Commit } from './group-commit.ts'
import { columns, orNull } from './json-columns.ts'
import { TASK_COLUMNS, type TaskRow } from './rows.ts'

/** Together they are as few as all workers have slots. */
const HELD = 'ended_at IS NULL AND turn = 1'

export interface HeartbeatRequest {
  id: string
  leaseMs: number
  leases: readonly string[]
  now: number
}

export function createHeartbeat(db: Database) {
  const heldBy = db.prepare<[string], Pick<TaskRow, 'id' | 'lease_id' | 'cancel_by'>>(
    `SELECT id, lease_id, cancel_by FROM task WHERE ${HELD} AND lease_worker = ?`,
  )
  const extend = db.prepare<[number, number, number]>('UPDATE task SET lease_until = ?, lease_ms = ? WHERE id = ?')
  const beat = db.prepare<[number, string]>('UPDATE worker SET heartbeat_at = ? WHERE id = ?')
  return ({ id, leaseMs, leases, now }: HeartbeatRequest) => {
    const held = new Map(heldBy.all(id).map((row) => [row.lease_id, row]))
    const lost: string[] = []
    const cancelled: string[] = []
    for (const lease of leases) {
      const row = held.get(lease)
      if (row === undefined) {
        lost.push(lease)
        continue
      }
      extend.run(now + leaseMs, leaseMs, row.id)
      if (row.cancel_by !== null) cancelled.push(lease)
    }
    beat.run(now, id)
    return { lost, cancelled }
  }
}

export function createRecovery(db: Database, apply: Apply): (commit: Commit, now: number) => number {
  const cut = db.prepare<[{ now: number }]>(
    `UPDATE task SET lease_until = @now + lease_ms WHERE ${HELD} AND lease_until > @now + lease_ms`,
  )
  const expired = db.prepare<[number], TaskRow>(`SELECT ${TASK_COLUMNS} FROM task WHERE ${HELD} AND lease_until <= ?`)
  const lastStep = db.prepare<[number, number], { number: number }>(
    `SELECT max(number) AS number FROM step WHERE task_id = ? AND round = ? AND state IN ('running', 'ended')`,
  )

  function endOf(row: TaskRow): TaskEvent {
    const { outputs, redactions } = { outputs: orNull(row.outputs, columns.outputs), redactions: row.redactions }
    const by = orNull(row.cancel_by, columns.person)
    if (by !== null) return { kind: 'cancelled', reason: 'cancelled', by, note: '', outputs, redactions }
    if (row.status !== 'running' || row.steps_begun === 0) return { kind: 'released', why: 'lease_expired' }
    const step = lastStep.get(row.id, row.round)?.number ?? null
    return { kind: 'failed', reason: 'interrupted', detail: '', step, outputs, redactions }
  }

  return (commit, now) => {
    cut.run({ now })
    const rows = expired.all(now)
    for (const row of rows) {
      const result = apply(commit, { taskId: row.id, event: endOf(row), fence: { leaseId: row.lease_id }, now })
      if (result.kind === 'conflict') throw new Error(`the lease of task ${row.id} (${row.status}) cannot be ended`)
    }
    return rows.length
  }
}

/** Reads what needs no writing first: most looks for expired leases find none. */
export function createDue(db: Database) {
  const lease = db.prepare<[{ now: number }], { at: number | null }>(
    `SELECT min(min(lease_until, @now + lease_ms)) AS at FROM task WHERE ${HELD}`,
  )
  const odd = db.prepare<[{ now: number }], { one: number }>(
    `SELECT 1 AS one FROM task WHERE ${HELD} AND (lease_until <= @now OR lease_until > @now + lease_ms) LIMIT 1`,
  )
  // A reminder is due at half of the time that people have to decide.
  const approval = db.prepare<[], { at: number | null }>(
    `SELECT min(CASE WHEN reminded_at IS NULL THEN (requested_at + expires_at) / 2 ELSE expires_at END) AS at
     FROM approval WHERE open = 1`,
  )
  const due = db.prepare<[{ now: number }], { taskId: number; due: 'remind' | 'expire' }>(
    `SELECT task_id AS taskId, CASE WHEN expires_at <= @now THEN 'expire' ELSE 'remind' END AS due FROM approval
     WHERE open = 1 AND (expires_at <= @now OR (reminded_at IS NULL AND (requested_at + expires_at) / 2 <= @now))
     ORDER BY expires_at`,
  )
  return {
    hasOddLease: (now: number) => odd.get({ now }) !== undefined,
    approvals: (now: number) => due.all({ now }),
    nextAt(now: number): number | null {
      const times = [lease.get({ now })?.at ?? null, approval.get()?.at ?? null].filter((at) => at !== null)
      return times.length === 0 ? null : Math.min(...times)
    },
  }
}
