import type { Readable } from 'node:stream'
import type { Action, Actor } from '../core/actor.ts'
import type { Control } from '../core/controls.ts'
import type { InputSource, OutputTotals, Place, QueuePosition, Task, TaskSummary } from '../core/task.ts'
import type { AuditEntry, ListQuery } from './store.ts'
import type { LogLine, LogTail, OpenedOutput, OutputFile } from './workspace.ts'

export interface Attachment {
  name: string
  sizeBytes: number | null
  mimeType: string | null
  source: InputSource
}

export interface SubmitRequest {
  actor: Actor
  /** The person's words, at most 16 KiB. */
  text: string
  place: Place | null
  attachments: readonly Attachment[]
  dedupeKey: string | null
  model: string | null
}

/** Why something was not done; `sentence` is for the person and says what to do. */
export type Refusal =
  | { kind: 'forbidden'; sentence: string }
  | { kind: 'not_found'; sentence: string }
  | { kind: 'invalid'; sentence: string }
  /** The task is in a state in which this cannot be done; `task` as it is now. */
  | { kind: 'conflict'; sentence: string; task: Task }
  | { kind: 'full'; sentence: string }

export type SubmitOutcome = { kind: 'created'; task: Task } | { kind: 'duplicate'; task: Task } | Refusal

/** `task`: the one acted on, or the new child of retry, rerun, refine, resume, restart and replan. */
export type ActOutcome = { kind: 'done'; task: Task; sentence: string } | Refusal

export interface ActDetails {
  /** Reject: a reason. */
  note?: string
  /** Edit: the new commands. */
  commands?: readonly string[]
  /** Where a child task is told of; default: the parent's place. */
  place?: Place
  dedupeKey?: string
}

export type ReplyOutcome =
  | ActOutcome
  /** Nothing to do: thanks, emoji, or somebody else's talk. */
  | { kind: 'ignored' }
  /** A refinement that waits for the running task to end. */
  | { kind: 'queued'; task: Task; sentence: string }
  /** status, log, files, help: for the adapter to show; the task is that of the thread. */
  | { kind: 'show'; what: 'status' | 'log' | 'files' | 'help'; task: Task }

export interface ReplyRequest {
  actor: Actor
  place: Place
  text: string
  attachments: readonly Attachment[]
  dedupeKey: string
  /** The bot was mentioned, or it is a direct message: then others than the requester may refine too. */
  addressed: boolean
  /** When the person wrote it, epoch ms; null where nothing tells. A word of approval counts for plans shown before only. */
  at: number | null
}

export interface RefineRequest {
  actor: Actor
  taskId: number
  /** What should be different, in the person's words. */
  text: string
  attachments: readonly Attachment[]
  dedupeKey: string | null
}

/** How far a task's thread has been told of it. */
export type DeliveryOutcome =
  | {
      kind: 'delivery'
      /** Null: it has no thread. */
      place: Place | null
      /** Why it cannot be told until a person acts; null when there is no such trouble. */
      failure: string | null
      /** Tries in a row that failed. */
      attempts: number
      isTold: boolean
    }
  | Refusal

/** A loop that was stopped: nothing of it comes in until a person resets it. */
export interface StoppedLoop {
  /** A sentence: what was seen. */
  why: string
  at: number
}

/**
 * The one door in. Everything asks `authorize` here, once; refusals are returned and audited, never thrown.
 * Throws only StoreError (the store cannot be used).
 */
export interface Inbox {
  submit(request: SubmitRequest): Promise<SubmitOutcome>
  /** cancel, retry, rerun, approve, reject, edit, replan, resume, restart, discard, apply. Others are refused as invalid. */
  act(actor: Actor, control: Control, details?: ActDetails): Promise<ActOutcome>
  reply(request: ReplyRequest): Promise<ReplyOutcome>
  /** A refinement of a task that is named, for faces without threads. `done` has the child; it waits while its parent runs. */
  refine(request: RefineRequest): Promise<ActOutcome>
  /** Whether the actor may, without doing or auditing anything; for what to show. */
  may(actor: Actor, action: Action, taskId: number | null): Promise<boolean>
  get(actor: Actor, taskId: number): Promise<{ kind: 'found'; task: Task } | Refusal>
  /** Where a task that waits stands in line; null for one that is in none, and for who may not see it. */
  queuePosition(actor: Actor, task: Task): Promise<QueuePosition | null>
  list(
    actor: Actor,
    query: ListQuery,
  ): Promise<{ kind: 'page'; tasks: readonly TaskSummary[]; nextBeforeId: number | null } | Refusal>
  /** The same page with its tasks as one JSON array, for callers whose scopes let them see every task; others are refused. */
  listJson(
    actor: Actor,
    query: ListQuery,
  ): Promise<{ kind: 'page'; tasks: string; nextBeforeId: number | null } | Refusal>
  /** 1 to 10 000 lines. */
  tail(actor: Actor, taskId: number, lines: number): Promise<{ kind: 'tail'; tail: LogTail } | Refusal>
  /** Lines from a byte offset on until the task has ended; then the iteration ends. */
  follow(
    actor: Actor,
    taskId: number,
    offset: number,
    signal: AbortSignal,
  ): Promise<{ kind: 'lines'; lines: AsyncIterable<LogLine> } | Refusal>
  wholeLog(actor: Actor, taskId: number): Promise<{ kind: 'log'; stream: Readable; sizeBytes: number } | Refusal>
  outputs(
    actor: Actor,
    taskId: number,
  ): Promise<{ kind: 'outputs'; files: readonly OutputFile[]; totals: OutputTotals; omitted: number } | Refusal>
  openOutput(
    actor: Actor,
    taskId: number,
    path: string,
    range?: { start: number; end: number },
  ): Promise<({ kind: 'opened' } & OpenedOutput) | Refusal>
  archive(actor: Actor, taskId: number): Promise<{ kind: 'archive'; stream: Readable } | Refusal>
  audit(
    actor: Actor,
    query: { taskId?: number; beforeId?: number; limit: number },
  ): Promise<{ kind: 'entries'; entries: readonly AuditEntry[] } | Refusal>
  /** Whether the task's thread has been told, or why not. */
  delivery(actor: Actor, taskId: number): Promise<DeliveryOutcome>
  /** Tells once more what could not be told, after somebody has mended why. */
  redeliver(actor: Actor, taskId: number): Promise<ActOutcome>
  /** Loops that are stopped now. For admins. */
  stoppedLoops(actor: Actor): Promise<{ kind: 'loops'; loops: readonly StoppedLoop[] } | Refusal>
  /** Lets them go on; answers those that were stopped. For admins; audited. */
  resetLoops(actor: Actor): Promise<{ kind: 'loops'; loops: readonly StoppedLoop[] } | Refusal>
  /** Settles each time the task has changed, in any process, until it is final or `signal` aborts. The first is at once. */
  watch(actor: Actor, taskId: number, signal: AbortSignal): AsyncIterable<Task>
}
