/** A task as programs read it: the same JSON from the HTTP API and from `--json`. Field names never change meaning. */
import { assertNever } from './errors.ts'
import { isoTime } from './iso-time.ts'
import { type CancelReason, cancelSentence, describeStepEnd, type FailureReason, failureSentence } from './outcome.ts'
import type { NetworkRequest } from './plan.ts'
import type {
  Approval,
  InputFile,
  OutputTotals,
  Person,
  PlanAuthor,
  PlanningPhase,
  Platform,
  QueuePosition,
  Round,
  Step,
  StepState,
  Task,
  TaskKind,
  TaskStatus,
  TaskSummary,
} from './task.ts'
import type { Decision, RiskBadge, StepVerdict } from './verdict.ts'

export interface PersonJson {
  platform: Platform
  id: string
  name: string
}

/** A row of a list. Times are ISO 8601 in UTC. */
export interface TaskSummaryJson {
  id: number
  description: string
  kind: TaskKind
  status: TaskStatus
  parent_id: number | null
  /** It waits until that task has ended. */
  after_id: number | null
  requester: PersonJson
  model: string | null
  round: number
  cancel_requested_by: PersonJson | null
  created_at: string
  updated_at: string
  started_at: string | null
  ended_at: string | null
}

export interface StepJson {
  /** From 1, in its round. */
  number: number
  command: string
  state: StepState
  exit_code: number | null
  /** How it ended, in words: "ok", "exit 1", "stopped: …"; null before that. */
  outcome: string | null
  started_at: string | null
  ended_at: string | null
  decision: Decision
  badges: RiskBadge[]
  reasons: string[]
}

export interface RoundJson {
  number: number
  summary: string
  author: { kind: PlanAuthor['kind']; model: string | null; person: PersonJson | null }
  /** What approve and edit have to name. */
  hash: string
  decision: Decision
  reasons: string[]
  /** What it runs in: 'none' means as the program itself, with all that it can reach. Null where that was not kept yet. */
  sandbox: 'full' | 'weak' | 'none' | null
  network: NetworkRequest | null
  repair_of: string | null
  planned_at: string
  steps: StepJson[]
}

export interface ApprovalJson {
  round: number
  hash: string
  requested_at: string
  expires_at: string
  decision: Approval['decision']
  by: PersonJson | null
  decided_at: string | null
  note: string | null
}

/** How a task ended; null while it has not. */
export interface EndJson {
  /** done: what it came to. */
  answer: string | null
  /** failed and cancelled: one of a closed list. */
  reason: FailureReason | CancelReason | null
  /** The reason as a sentence. */
  sentence: string | null
  detail: string | null
  /** failed: number of the step, from 1. */
  step: number | null
  /** cancelled: who did it. */
  by: PersonJson | null
}

export interface InputJson {
  name: string
  size_bytes: number | null
  state: InputFile['state']
  problem: string | null
}

export interface QueueJson {
  /** From 1; counted to 1 001 at most. */
  position: number
  /** Until its turn comes, from how long tasks took lately; null while none has ended. */
  estimate_ms: number | null
}

export interface TaskJson extends TaskSummaryJson {
  /** Where it stands in line; null for a task that is in none. */
  queue: QueueJson | null
  inputs: InputJson[]
  phase: PlanningPhase['kind'] | null
  rounds: RoundJson[]
  approval: ApprovalJson | null
  /** How many secrets were hidden in what it printed. */
  redactions: number
  outputs: OutputTotals | null
  end: EndJson | null
}

export function summaryJson(task: TaskSummary): TaskSummaryJson {
  return {
    id: task.id,
    description: task.description,
    kind: task.kind,
    status: task.status,
    parent_id: task.parentId,
    after_id: task.afterId,
    requester: personJson(task.requester),
    model: task.model,
    round: task.round,
    cancel_requested_by: orNull(task.cancelRequestedBy, personJson),
    created_at: isoTime(task.createdAt),
    updated_at: isoTime(task.updatedAt),
    started_at: orNull(task.startedAt, isoTime),
    ended_at: orNull(task.endedAt, isoTime),
  }
}

export function taskJson(task: Task, queue: QueuePosition | null): TaskJson {
  return {
    ...summaryJson(task),
    queue: orNull(queue, ({ position, estimateMs }) => ({ position, estimate_ms: estimateMs })),
    inputs: task.inputs.map(inputJson),
    phase: task.phase?.kind ?? null,
    rounds: task.rounds.map(roundJson),
    approval: orNull(task.approval, approvalJson),
    redactions: task.redactions,
    outputs: orNull(task.outputs, (totals) => ({ files: totals.files, bytes: totals.bytes })),
    end: endJson(task),
  }
}

/**
 * The task of a request that has been stored. Where it stands in line is asked for afterwards; when that cannot be read,
 * it is left out: an error would have the request taken for one that was not accepted, and made again.
 */
export async function acceptedJson(task: Task, queue: Promise<QueuePosition | null>): Promise<TaskJson> {
  return taskJson(task, await queue.catch(() => null))
}

function inputJson(input: InputFile): InputJson {
  return { name: input.name, size_bytes: input.sizeBytes, state: input.state, problem: input.problem }
}

function roundJson(round: Round): RoundJson {
  const { author } = round
  return {
    number: round.number,
    summary: round.plan.summary,
    author: {
      kind: author.kind,
      model: author.kind === 'model' ? author.model : null,
      person: author.kind === 'person' ? personJson(author.person) : null,
    },
    hash: round.hash,
    decision: round.verdict.decision,
    reasons: round.verdict.reasons,
    sandbox: round.verdict.sandbox ?? null,
    network: round.plan.network,
    repair_of: round.repairOf,
    planned_at: isoTime(round.plannedAt),
    steps: round.steps.map((step) => stepJson(step, round.verdict.steps[step.index])),
  }
}

function stepJson(step: Step, verdict: StepVerdict | undefined): StepJson {
  return {
    number: step.index + 1,
    command: step.command,
    state: step.state,
    exit_code: step.end?.kind === 'exited' ? step.end.code : null,
    outcome: orNull(step.end, describeStepEnd),
    started_at: orNull(step.startedAt, isoTime),
    ended_at: orNull(step.endedAt, isoTime),
    decision: verdict?.decision ?? 'ask',
    badges: verdict?.badges ?? [],
    reasons: verdict?.reasons ?? [],
  }
}

function approvalJson(approval: Approval): ApprovalJson {
  return {
    round: approval.round,
    hash: approval.hash,
    requested_at: isoTime(approval.requestedAt),
    expires_at: isoTime(approval.expiresAt),
    decision: approval.decision,
    by: orNull(approval.by, personJson),
    decided_at: orNull(approval.decidedAt, isoTime),
    note: approval.note,
  }
}

const NO_END: EndJson = { answer: null, reason: null, sentence: null, detail: null, step: null, by: null }

function endJson(task: Task): EndJson | null {
  switch (task.status) {
    case 'pending':
    case 'planning':
    case 'running':
    case 'awaiting_approval':
      return null
    case 'done':
      return { ...NO_END, answer: task.answer }
    case 'failed': {
      const { reason, detail, step } = task.failure
      return { ...NO_END, reason, sentence: failureSentence(reason), detail, step: orNull(step, (index) => index + 1) }
    }
    case 'cancelled': {
      const { reason, by, note } = task.cancellation
      return { ...NO_END, reason, sentence: cancelSentence(reason), detail: note, by: orNull(by, personJson) }
    }
    default:
      return assertNever(task)
  }
}

function personJson(person: Person): PersonJson {
  return { platform: person.platform, id: person.userId, name: person.name }
}

function orNull<In, Out>(value: In | null, map: (value: In) => Out): Out | null {
  return value === null ? null : map(value)
}

export interface OutputJson {
  path: string
  size_bytes: number
  mime_type: string
  modified_at: string
}

export function outputJson(file: {
  path: string
  sizeBytes: number
  mimeType: string
  modifiedAt: number
}): OutputJson {
  return {
    path: file.path,
    size_bytes: file.sizeBytes,
    mime_type: file.mimeType,
    modified_at: isoTime(file.modifiedAt),
  }
}

export interface AuditJson {
  id: number
  at: string
  actor: PersonJson
  action: string
  task_id: number | null
  allowed: boolean
  detail: string
}

export function auditJson(entry: {
  id: number
  at: number
  actor: Person
  action: string
  taskId: number | null
  allowed: boolean
  detail: string
}): AuditJson {
  const { id, at, actor, action, taskId, allowed, detail } = entry
  return { id, at: isoTime(at), actor: personJson(actor), action, task_id: taskId, allowed, detail }
}
