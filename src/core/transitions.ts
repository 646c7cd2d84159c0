import type { TaskEventKind } from './events.ts'
import type { TaskStatus } from './task.ts'

/**
 * One row per status, one key per event that changes it. Nobody else names a next status.
 *
 * - pending            entered by submit, or by a release while planning; left by a claim or a cancel
 * - planning           a worker asks the model; left by a plan, an answer, a failure, a cancel or a release
 * - awaiting_approval  a person decides; no worker holds it
 * - running            approved or allowed; a worker runs its steps (or is about to claim it)
 * - done, failed, cancelled   never left; retry and refine make a child
 */
export const TRANSITIONS = {
  pending: { claimed: 'planning', cancelled: 'cancelled', failed: 'failed' },
  planning: {
    planned: 'awaiting_approval',
    plan_allowed: 'running',
    answered: 'done',
    failed: 'failed',
    cancelled: 'cancelled',
    released: 'pending',
  },
  awaiting_approval: {
    plan_edited: 'awaiting_approval',
    approved: 'running',
    rejected: 'cancelled',
    expired: 'cancelled',
    superseded: 'cancelled',
    cancelled: 'cancelled',
  },
  running: { finished: 'done', repairing: 'planning', failed: 'failed', cancelled: 'cancelled' },
  done: {},
  failed: {},
  cancelled: {},
} as const satisfies Record<TaskStatus, Partial<Record<TaskEventKind, TaskStatus>>>

/** Events that tell of something and leave the status as it is, by the statuses in which they can happen. */
const REMARKS: Partial<Record<TaskEventKind, readonly TaskStatus[]>> = {
  inputs_ready: ['pending'],
  claimed: ['running'],
  released: ['running'],
  phase: ['planning'],
  reminded: ['awaiting_approval'],
  step_started: ['running'],
  step_ended: ['running'],
  cancel_requested: ['planning', 'running'],
}

/** The status after `event`, or undefined when the event cannot happen in `status`. */
export function nextStatus(status: TaskStatus, event: TaskEventKind): TaskStatus | undefined {
  const row: Partial<Record<TaskEventKind, TaskStatus>> = TRANSITIONS[status]
  return row[event] ?? (REMARKS[event]?.includes(status) ? status : undefined)
}
