/** Rows as SQLite answers them, and what they mean. */
import type { Approval, Lease, Place, Round, Step, Task, TaskKind, TaskStatus, TaskSummary } from '../core/task.ts'
import { columns, orNull } from './json-columns.ts'

/** What a list shows of a task. */
export interface SummaryRow {
  id: number
  description: string
  kind: TaskKind
  parent_id: number | null
  after_id: number | null
  status: TaskStatus
  requester_platform: string
  requester_scope: string
  requester_user: string
  requester_name: string
  place_platform: string | null
  place_key: string | null
  place_thread: number | null
  place_channel: string | null
  model: string | null
  round: number
  waits: number
  cancel_by: string | null
  created_at: number
  updated_at: number
  started_at: number | null
  ended_at: number | null
}

export interface TaskRow extends SummaryRow {
  lease_id: string | null
  lease_worker: string | null
  lease_until: number | null
  inputs: string
  /** 1 from the beginning of the current round's first step until nothing more of the round is to be run. */
  steps_begun: number
  queue_key: number
  lease_ms: number | null
  phase: string | null
  ending: string | null
  redactions: number
  outputs: string | null
  /** Null only where a process of an older version made the task while this one runs. */
  last_event: number | null
}

export type PlaceColumns = 'place_platform' | 'place_key' | 'place_thread' | 'place_channel'

/** The columns of SummaryRow: each one of a page costs about as much as finding the row. */
export const SUMMARY_COLUMNS = `id, description, kind, parent_id, after_id, status, requester_platform, requester_scope, requester_user,
  requester_name, place_platform, place_key, place_thread, place_channel, model, round, waits, cancel_by, created_at,
  updated_at, started_at, ended_at`

/** The columns of TaskRow, for SELECT and RETURNING. */
export const TASK_COLUMNS = `${SUMMARY_COLUMNS}, lease_id, lease_worker, lease_until, inputs, steps_begun, queue_key, lease_ms, phase,
  ending, redactions, outputs, last_event`

export interface RoundRow {
  number: number
  plan: string
  author: string
  verdict: string
  hash: string
  repair_of: string | null
  planned_at: number
}

export interface StepRow {
  round: number
  number: number
  state: Step['state']
  ending: string | null
  started_at: number | null
  ended_at: number | null
}

export interface ApprovalRow {
  round: number
  hash: string
  requested_at: number
  expires_at: number
  reminded_at: number | null
  decision: Approval['decision']
  decided_by: string | null
  decided_at: number | null
  note: string | null
}

export function toSummary(row: SummaryRow): TaskSummary {
  return {
    id: row.id,
    description: row.description,
    kind: row.kind,
    parentId: row.parent_id,
    afterId: row.waits === 1 ? row.after_id : null,
    status: row.status,
    requester: {
      platform: columns.platform(row.requester_platform),
      scope: row.requester_scope,
      userId: row.requester_user,
      name: row.requester_name,
    },
    place: toPlace(row),
    model: row.model,
    round: row.round,
    cancelRequestedBy: orNull(row.cancel_by, columns.person),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  }
}

export function toPlace(row: Pick<TaskRow, PlaceColumns>): Place | null {
  if (row.place_platform === null || row.place_key === null) return null
  return {
    platform: columns.platform(row.place_platform),
    channelId: row.place_channel ?? '',
    key: row.place_key,
    thread: row.place_thread === 1,
  }
}

function toLease(row: TaskRow): Lease | null {
  if (row.lease_id === null || row.lease_worker === null || row.lease_until === null) return null
  return { id: row.lease_id, workerId: row.lease_worker, until: row.lease_until }
}

export function toTask(row: TaskRow, rounds: Round[], approval: Approval | null): Task {
  const details = {
    ...toSummary(row),
    lease: toLease(row),
    inputs: columns.inputs(row.inputs),
    rounds,
    approval,
    phase: orNull(row.phase, columns.phase),
    redactions: row.redactions,
    outputs: orNull(row.outputs, columns.outputs),
  }
  const ending = orNull(row.ending, columns.ending)
  const { status } = row
  if (status === 'done' && ending !== null && 'answer' in ending) return { ...details, status, ...ending }
  if (status === 'failed' && ending !== null && 'failure' in ending) return { ...details, status, ...ending }
  if (status === 'cancelled' && ending !== null && 'cancellation' in ending) return { ...details, status, ...ending }
  if (status === 'awaiting_approval' && approval !== null) return { ...details, status, approval }
  if (status === 'pending' || status === 'planning' || status === 'running') return { ...details, status }
  throw new Error(`task ${row.id} is ${status} without what that needs`)
}

export function toRound(row: RoundRow, steps: readonly StepRow[]): Round {
  const plan = columns.plan(row.plan)
  return {
    number: row.number,
    plan,
    author: columns.author(row.author),
    verdict: columns.verdict(row.verdict),
    hash: row.hash,
    repairOf: row.repair_of,
    steps: steps.map((step) => toStep(step, plan.commands[step.number] ?? '')),
    plannedAt: row.planned_at,
  }
}

function toStep(row: StepRow, command: string): Step {
  return {
    index: row.number,
    command,
    state: row.state,
    end: orNull(row.ending, columns.stepEnd),
    startedAt: row.started_at,
    endedAt: row.ended_at,
  }
}

export function toApproval(row: ApprovalRow): Approval {
  return {
    round: row.round,
    hash: row.hash,
    requestedAt: row.requested_at,
    expiresAt: row.expires_at,
    remindedAt: row.reminded_at,
    decision: row.decision,
    by: orNull(row.decided_by, columns.person),
    decidedAt: row.decided_at,
    note: row.note,
  }
}
