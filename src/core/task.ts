/**
 * The words of this product, as types. One word per thing, the same in code, database, API, CLI and chat.
 *
 * - task       one request in one thread; has an id, a description, a status, perhaps a parent
 * - requester  who asked
 * - plan       what the model (or the person, verbatim) wants to run: steps and a summary, or an answer and no steps
 * - step       one shell command of a plan
 * - round      one plan and its run; a failed round may be followed by a repair round in the same task
 * - approval   a person's decision on one exact plan, bound to its hash
 * - workspace  the task's folder; the commands' working directory is inside it
 * - log, tail  what the steps printed, redacted and bounded; its last lines
 * - output     a file that the task made or changed
 * - event      a fact about a task, written in the same transaction as the change it tells of
 * - lease      which worker holds a task, and until when; not a status
 */
import type { CancelReason, FailureReason, StepEnd } from './outcome.ts'
import type { Plan } from './plan.ts'
import type { PlanVerdict } from './verdict.ts'

export const TASK_STATUSES = [
  'pending',
  'planning',
  'awaiting_approval',
  'running',
  'done',
  'failed',
  'cancelled',
] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]
export type FinalStatus = 'done' | 'failed' | 'cancelled'

export const PLATFORMS = ['slack', 'discord', 'api', 'cli', 'console'] as const
export type Platform = (typeof PLATFORMS)[number]

/** Who asked. `scope` is the immutable id of the Slack workspace or Discord guild ('' on the API and the CLI). */
export interface Requester {
  platform: Platform
  scope: string
  userId: string
  name: string
}

/**
 * Where a task is told of: a chat place that an adapter understands. `key` is opaque to all but its adapter.
 * A place becomes a thread (`thread: true`) when the adapter has posted into it and knows the thread.
 */
export interface Place {
  platform: Platform
  key: string
  /** Immutable id of the channel, for a thread that of the channel it is in; '' where there is none. Limits and visibility go by it. */
  channelId: string
  thread: boolean
}

/** How a task came to be. `request` is new; the others are children and have a parent. */
export type TaskKind = 'request' | 'retry' | 'rerun' | 'refine' | 'resume'

/** A file given with the request. `saved` says whether its bytes are in the workspace yet. */
export interface InputFile {
  name: string
  sizeBytes: number | null
  /** As announced by the platform; null when it said nothing. */
  mimeType: string | null
  source: InputSource
  state: 'waiting' | 'saved' | 'failed'
  /** Why it could not be saved, for people. */
  problem: string | null
}

/** Where an input's bytes come from; kept with the task so that a restart can fetch them still. */
export type InputSource =
  | { kind: 'chat'; platform: Platform; ref: string }
  | { kind: 'path'; path: string }
  | { kind: 'parent'; taskId: number }

export type StepState = 'waiting' | 'running' | 'ended' | 'skipped'

export interface Step {
  /** From 0, in its round. */
  index: number
  command: string
  state: StepState
  end: StepEnd | null
  startedAt: number | null
  endedAt: number | null
}

export type PlanAuthor = { kind: 'model'; model: string } | { kind: 'verbatim' } | { kind: 'person'; person: Person }

/** A person as the audit trail and the thread name them. */
export interface Person {
  platform: Platform
  userId: string
  name: string
}

export interface Round {
  /** From 1. */
  number: number
  plan: Plan
  author: PlanAuthor
  verdict: PlanVerdict
  /** Hex SHA-256 of exactly what would run; see approval.ts. */
  hash: string
  /** Why there is a repair round: one sentence; null for the first. */
  repairOf: string | null
  steps: Step[]
  plannedAt: number
}

export interface Approval {
  round: number
  hash: string
  requestedAt: number
  expiresAt: number
  remindedAt: number | null
  decision: 'approved' | 'rejected' | 'expired' | 'superseded' | null
  by: Person | null
  decidedAt: number | null
  note: string | null
}

/** What the planner is busy with, for the card; gone when planning ends. */
export type PlanningPhase =
  | { kind: 'starting' }
  | { kind: 'loading_model'; model: string; since: number }
  | { kind: 'asking_model'; model: string; attempt: number; since: number }

/** Where a task that waits stands. */
export interface QueuePosition {
  /** From 1; counted to 1 001 at most. */
  position: number
  /** Null while no task that ended lately says how long one takes. */
  estimateMs: number | null
}

export interface Lease {
  id: string
  workerId: string
  until: number
}

/** The row, as lists show it. */
export interface TaskSummary {
  id: number
  description: string
  kind: TaskKind
  parentId: number | null
  /** This task waits until that one has ended (a refinement asked for while it ran). */
  afterId: number | null
  status: TaskStatus
  requester: Requester
  place: Place | null
  /** Model asked for with this request; null means the setting's. */
  model: string | null
  round: number
  cancelRequestedBy: Person | null
  createdAt: number
  updatedAt: number
  /** First claimed by a worker. */
  startedAt: number | null
  endedAt: number | null
}

interface TaskDetails extends TaskSummary {
  /** What the worker fences on. */
  lease: Lease | null
  inputs: InputFile[]
  rounds: Round[]
  approval: Approval | null
  phase: PlanningPhase | null
  /** How many secrets were hidden in what it printed. */
  redactions: number
  outputs: OutputTotals | null
}

export interface OutputTotals {
  files: number
  bytes: number
}

/** Everything known of one task. What a status guarantees is in its variant. */
export type Task =
  | (TaskDetails & { status: 'pending' | 'planning' | 'running' })
  | (TaskDetails & { status: 'awaiting_approval'; approval: Approval })
  | (TaskDetails & { status: 'done'; answer: string })
  | (TaskDetails & { status: 'failed'; failure: Failure })
  | (TaskDetails & { status: 'cancelled'; cancellation: Cancellation })

export interface Failure {
  reason: FailureReason
  /** What is particular to this failure, one line, already redacted; '' when the reason says it all. */
  detail: string
  /** The step that failed, from 0, of the last round; null when none did. */
  step: number | null
}

export interface Cancellation {
  reason: CancelReason
  by: Person | null
  note: string
}

export function isFinal(status: TaskStatus): status is FinalStatus {
  return status === 'done' || status === 'failed' || status === 'cancelled'
}

/** The round that counts now: the last one; undefined before the first plan. */
export function currentRound(task: { rounds: Round[] }): Round | undefined {
  return task.rounds.at(-1)
}
