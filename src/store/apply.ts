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
import { afterMove, type Standing } from './standing.ts'
import type { WriteRow } from './write-row.ts'

interface Context {
  db: Database
  reader: TaskReader
  append: AppendEvent
  standing: () => Standing
  writeRow: WriteRow
}

export interface ApplyRequest {
  taskId: number
  event: TaskEvent
  fence: Fence
  now: number
}

export type Apply = (commit: Commit, request: ApplyRequest) => ApplyResult

/**
 * One event: the status by core's table, the rows that it changes, the event itself, all or nothing.
 * `claimed` and `submitted` are not applied, they come with a lease or a row: claim and submit write them.
 */
export function createApply({ db, reader, append, standing, writeRow }: Context): Apply {
  // Looked for first: an UPDATE … RETURNING makes a table for its answer, and most tasks have no followers.
  const followers = db.prepare<[number], { id: number }>(
    'SELECT id FROM task WHERE after_id = CAST(? AS INTEGER) AND after_id IS NOT NULL AND waits = 1',
  )
  const release = db.prepare<[number]>('UPDATE task SET waits = 0 WHERE id = ?')
  const holds = createHolds(db)
  const project = createProjection(db)

  function releaseFollowers(commit: Commit, taskId: number): void {
    for (const { id } of followers.all(taskId)) {
      release.run(id)
      commit.tasks.add(id)
    }
  }

  return (commit, { taskId, event, fence, now }) => {
    const row = reader.row(taskId)
    if (row === undefined) return { kind: 'conflict', task: undefined }
    const to = nextStatus(row.status, event.kind)
    if (to === undefined || !holds(row, { event, fence, now })) return { kind: 'conflict', task: reader.whole(row) }
    const ends = isFinal(to)
    const lease = keepsLease(to, event) ? {} : NO_LEASE
    const change = project(row, event, now)
    const last = append(commit, { task: row, at: now, event, standing: afterMove(standing(), row.status, to) })
    const next = {
      ...row,
      ...change,
      ...lease,
      status: to,
      updated_at: now,
      ended_at: ends ? now : null,
      last_event: last,
    }
    if (!writeRow(row, next)) throw new Error(`task ${taskId} changed inside a transaction`)
    if (ends) releaseFollowers(commit, taskId)
    return { kind: 'applied', task: reader.whole(next) }
  }
}

const NO_LEASE = { lease_id: null, lease_worker: null, lease_until: null, lease_ms: null } as const

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
