import type { Database } from 'better-sqlite3'
import type { TaskEvent } from '../core/events.ts'
import { isFinal, type TaskStatus } from '../core/task.ts'
import { nextStatus } from '../core/transitions.ts'
import type { ApplyResult, Fence } from '../ports/store.ts'
import type { AppendEvent } from './append-event.ts'
import type { Commit } from './group-commit.ts'
import { createProjection } from './projection.ts'
import type { TaskReader } from './read-tasks.ts'
import type { TaskRow } from './rows.ts'

interface Context {
  db: Database
  reader: TaskReader
  append: AppendEvent
}

export interface ApplyRequest {
  taskId: number
  event: TaskEvent
  fence: Fence
  now: number
}

export type Apply = (commit: Commit, request: ApplyRequest) => ApplyResult

interface Move {
  id: number
  from: TaskStatus
  to: TaskStatus
  held: string | null
  keeps: number
  ends: number
  now: number
}

/**
 * One event: the status by core's table, the rows that it changes, the event itself, all or nothing.
 * `claimed` and `submitted` are not applied, they come with a lease or a row: claim and submit write them.
 */
export function createApply({ db, reader, append }: Context): Apply {
  const move = db.prepare<[Move]>(
    `UPDATE task SET status = @to, updated_at = @now, ended_at = CASE @ends WHEN 1 THEN @now ELSE NULL END,
       lease_id = CASE @keeps WHEN 1 THEN lease_id END, lease_worker = CASE @keeps WHEN 1 THEN lease_worker END,
       lease_until = CASE @keeps WHEN 1 THEN lease_until END, lease_ms = CASE @keeps WHEN 1 THEN lease_ms END
     WHERE id = @id AND status = @from AND lease_id IS @held`,
  )
  const followers = db.prepare<[number], { id: number }>(
    'UPDATE task SET waits = 0 WHERE after_id = CAST(? AS INTEGER) AND after_id IS NOT NULL AND waits = 1 RETURNING id',
  )
  const holds = createHolds(db)
  const project = createProjection(db)

  return (commit, { taskId, event, fence, now }) => {
    const row = reader.row(taskId)
    if (row === undefined) return { kind: 'conflict', task: undefined }
    const to = nextStatus(row.status, event.kind)
    if (to === undefined || !holds(row, { event, fence, now })) return { kind: 'conflict', task: reader.whole(row) }
    const ends = isFinal(to)
    const keeps = keepsLease(to, event) ? 1 : 0
    const moved = move.run({
      id: taskId,
      from: row.status,
      to,
      held: row.lease_id,
      keeps,
      ends: ends ? 1 : 0,
      now,
    })
    if (moved.changes !== 1) throw new Error(`task ${taskId} changed inside a transaction`)
    project(row, event, now)
    if (ends) for (const follower of followers.all(taskId)) commit.tasks.add(follower.id)
    append(commit, taskId, now, event)
    const task = reader.get(taskId)
    if (task === undefined) throw new Error(`task ${taskId} vanished inside a transaction`)
    return { kind: 'applied', task }
  }
}

/** What must hold beyond the status: the fence, and what the event itself says about the task. */
function createHolds(db: Database): (row: TaskRow, request: Omit<ApplyRequest, 'taskId'>) => boolean {
  const hashOf = db.prepare<[number, number], { hash: string }>(
    'SELECT hash FROM round WHERE task_id = ? AND number = ?',
  )
  const stateOf = db.prepare<[number, number, number], { state: string }>(
    'SELECT state FROM step WHERE task_id = ? AND round = ? AND number = ?',
  )
  const expiryOf = db.prepare<[number, number], { at: number }>(
    'SELECT expires_at AS at FROM approval WHERE task_id = ? AND round = ? AND open = 1',
  )

  /** Also where no worker is running to settle what has expired. */
  const isOpen = (row: TaskRow, now: number) => (expiryOf.get(row.id, row.round)?.at ?? 0) > now

  return (row, { event, fence, now }) => {
    if (fence.status !== undefined && fence.status !== row.status) return false
    if (fence.leaseId !== undefined && fence.leaseId !== row.lease_id) return false
    if (fence.hash !== undefined && fence.hash !== hashOf.get(row.id, row.round)?.hash) return false
    switch (event.kind) {
      case 'submitted':
      case 'claimed':
        return false
      case 'planned':
      case 'plan_allowed':
        // Whoever wants it cancelled was told that it stops.
        return row.cancel_by === null
      case 'approved':
        return event.hash === hashOf.get(row.id, row.round)?.hash && isOpen(row, now)
      case 'plan_edited':
        return isOpen(row, now)
      case 'released':
        // Nobody would ever take it again: what a run has begun is not begun a second time.
        return row.status !== 'running' || row.steps_begun === 0
      case 'step_started':
        return event.round === row.round && stateOf.get(row.id, event.round, event.index)?.state === 'waiting'
      case 'step_ended':
        return event.round === row.round && stateOf.get(row.id, event.round, event.index)?.state === 'running'
      default:
        return true
    }
  }
}

/** A worker holds a task while it plans and runs; a person's decision, an end and a release are nobody's. */
function keepsLease(to: TaskStatus, event: TaskEvent): boolean {
  return (to === 'planning' || to === 'running') && event.kind !== 'released'
}
