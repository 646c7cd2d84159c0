import { randomUUID } from 'node:crypto'
import type { Database } from 'better-sqlite3'
import type { Task } from '../core/task.ts'
import { nextStatus } from '../core/transitions.ts'
import type { AppendEvent } from './append-event.ts'
import type { Commit } from './group-commit.ts'
import type { TaskReader } from './read-tasks.ts'
import { TASK_COLUMNS, type TaskRow } from './rows.ts'
import { afterMove, type Standing } from './standing.ts'
import type { WriteRow } from './write-row.ts'

interface Context {
  db: Database
  reader: TaskReader
  append: AppendEvent
  standing: () => Standing
  writeRow: WriteRow
}

export interface ClaimRequest {
  id: string
  leaseMs: number
  only?: number
  now: number
}

export type Claim = (commit: Commit, request: ClaimRequest) => Task | undefined

/**
 * Takes the next task, in a transaction that has the write lock from its beginning: two workers that ask at once get two tasks.
 * An approved task stays running, a pending one is planned.
 */
export function createClaim({ db, reader, append, standing, writeRow }: Context): Claim {
  const next = db.prepare<[], TaskRow>(
    `SELECT ${TASK_COLUMNS} FROM task WHERE ended_at IS NULL AND turn = 2 ORDER BY queue_key, id LIMIT 1`,
  )
  const only = db.prepare<[number], TaskRow>(`SELECT ${TASK_COLUMNS} FROM task WHERE id = ? AND turn = 2`)

  return (commit, { id, leaseMs, only: wanted, now }) => {
    const row = wanted === undefined ? next.get() : only.get(wanted)
    if (row === undefined) return undefined
    const status = nextStatus(row.status, 'claimed') ?? row.status
    const moved = afterMove(standing(), row.status, status)
    // A claim out of turn does not move the queue on.
    const virtualTime = wanted === undefined ? Math.max(moved.virtual_time, row.queue_key) : moved.virtual_time
    const last = append(commit, {
      task: row,
      at: now,
      event: { kind: 'claimed', workerId: id },
      standing: { ...moved, virtual_time: virtualTime },
    })
    const lease = { lease_id: randomUUID(), lease_worker: id, lease_until: now + leaseMs, lease_ms: leaseMs }
    const claimed = { ...row, ...lease, status, started_at: row.started_at ?? now, updated_at: now, last_event: last }
    if (!writeRow(row, claimed)) throw new Error(`task ${row.id} changed inside a transaction`)
    return reader.whole(claimed)
  }
}
