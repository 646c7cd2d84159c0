import { describe, expect, it } from 'vitest'
import type { TaskEventKind } from '../../src/core/events.ts'
import { isFinal, TASK_STATUSES, type TaskStatus } from '../../src/core/task.ts'
import { nextStatus } from '../../src/core/transitions.ts'

const EVENTS: readonly TaskEventKind[] = [
  'submitted',
  'inputs_ready',
  'claimed',
  'released',
  'phase',
  'planned',
  'plan_allowed',
  'plan_edited',
  'answered',
  'approved',
  'rejected',
  'reminded',
  'expired',
  'superseded',
  'step_started',
  'step_ended',
  'repairing',
  'finished',
  'failed',
  'cancel_requested',
  'cancelled',
]

/** The whole table, written out once more by hand: status -> event -> status. What is missing cannot happen. */
const TABLE: Record<TaskStatus, Partial<Record<TaskEventKind, TaskStatus>>> = {
  pending: { inputs_ready: 'pending', claimed: 'planning', failed: 'failed', cancelled: 'cancelled' },
  planning: {
    phase: 'planning',
    planned: 'awaiting_approval',
    plan_allowed: 'running',
    answered: 'done',
    failed: 'failed',
    cancel_requested: 'planning',
    cancelled: 'cancelled',
    released: 'pending',
  },
  awaiting_approval: {
    plan_edited: 'awaiting_approval',
    reminded: 'awaiting_approval',
    approved: 'running',
    rejected: 'cancelled',
    expired: 'cancelled',
    superseded: 'cancelled',
    cancelled: 'cancelled',
  },
  running: {
    claimed: 'running',
    released: 'running',
    step_started: 'running',
    step_ended: 'running',
    cancel_requested: 'running',
    repairing: 'planning',
    finished: 'done',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  done: {},
  failed: {},
  cancelled: {},
}

describe('the transitions table', () => {
  const cases = TASK_STATUSES.flatMap((status) =>
    EVENTS.map((event) => ({ status, event, next: TABLE[status][event] })),
  )
  it.each(cases)('$status + $event -> $next', ({ status, event, next }) => {
    expect(nextStatus(status, event)).toBe(next)
  })

  it('nothing leaves a final status', () => {
    for (const status of TASK_STATUSES.filter(isFinal)) {
      for (const event of EVENTS) expect(nextStatus(status, event)).toBeUndefined()
    }
  })
})
