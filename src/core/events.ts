import type { CancelReason, FailureReason, StepEnd } from './outcome.ts'
import type { Plan } from './plan.ts'
import type { OutputTotals, Person, PlanAuthor, PlanningPhase } from './task.ts'
import type { PlanVerdict } from './verdict.ts'

export interface PlannedRound {
  round: number
  plan: Plan
  author: PlanAuthor
  verdict: PlanVerdict
  hash: string
  repairOf: string | null
}

/**
 * What can happen to a task. The store writes the event and the rows it changes in one transaction;
 * which status follows is in transitions.ts and nowhere else. Events that are not in that table leave the status as it is.
 */
export type TaskEvent =
  | { kind: 'submitted' }
  | { kind: 'inputs_ready' }
  | { kind: 'claimed'; workerId: string }
  | { kind: 'released'; why: 'stopping' | 'lease_expired' }
  | { kind: 'phase'; phase: PlanningPhase }
  | ({ kind: 'planned'; expiresAt: number } & PlannedRound)
  | ({ kind: 'plan_allowed' } & PlannedRound)
  /** A person changed the commands of a plan that awaits approval; the new plan awaits approval in its place. */
  | ({ kind: 'plan_edited'; expiresAt: number } & PlannedRound)
  | { kind: 'answered'; answer: string }
  | { kind: 'approved'; by: Person; hash: string }
  | { kind: 'rejected'; by: Person; note: string }
  | { kind: 'reminded' }
  | { kind: 'expired' }
  | { kind: 'superseded'; by: Person }
  | { kind: 'step_started'; round: number; index: number }
  | { kind: 'step_ended'; round: number; index: number; end: StepEnd }
  | { kind: 'repairing'; why: string }
  | { kind: 'finished'; answer: string; outputs: OutputTotals; redactions: number }
  | {
      kind: 'failed'
      reason: FailureReason
      detail: string
      step: number | null
      outputs: OutputTotals | null
      redactions: number
    }
  | { kind: 'cancel_requested'; by: Person }
  | {
      kind: 'cancelled'
      reason: CancelReason
      by: Person | null
      note: string
      outputs: OutputTotals | null
      redactions: number
    }

export type TaskEventKind = TaskEvent['kind']

/** An event as stored: its place in the order of all events, and when. */
export interface StoredEvent {
  id: number
  taskId: number
  at: number
  event: TaskEvent
}
