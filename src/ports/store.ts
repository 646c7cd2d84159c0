import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import type { StoredEvent, TaskEvent } from '../core/events.ts'
import type {
  InputFile,
  Place,
  Platform,
  QueuePosition,
  Requester,
  Task,
  TaskKind,
  TaskStatus,
  TaskSummary,
} from '../core/task.ts'

export interface NewTask {
  description: string
  kind: TaskKind
  parentId: number | null
  afterId: number | null
  requester: Requester
  place: Place | null
  model: string | null
  inputs: readonly InputFile[]
  /** Unique in the store for ever: the same key again answers the same task. Null: no key. */
  dedupeKey: string | null
}

export interface QueueLimits {
  /** Tasks of one requester that are not final. */
  perRequester: number
  /** Tasks of one place's channel that are not final. */
  perPlace: number
  /** Tasks of all that are pending. */
  total: number
}

export type SubmitResult =
  | { kind: 'created'; task: Task }
  | { kind: 'duplicate'; task: Task }
  | { kind: 'full'; limit: keyof QueueLimits; allowed: number }

/** What an update expects to find. Absent keys are not looked at. */
export interface Fence {
  status?: TaskStatus
  /** The lease the writer holds; null: that nobody holds one. */
  leaseId?: string | null
  /** The hash of the plan that is decided. */
  hash?: string
}

export type ApplyResult = { kind: 'applied'; task: Task } | { kind: 'conflict'; task: Task | undefined }

export interface ListQuery {
  status?: readonly TaskStatus[]
  requester?: { platform: Platform; userId: string }
  place?: { platform: Platform; key: string }
  parentId?: number
  /** Tasks with an id below this one: the cursor of the page before. */
  beforeId?: number
  /** 1 to 200. */
  limit: number
}

export interface AuditEntry {
  id: number
  at: number
  actor: Pick<Actor, 'platform' | 'scope' | 'channelId' | 'userId' | 'name'>
  action: string
  taskId: number | null
  allowed: boolean
  /** Why it was refused, or what was decided: 'plan 7f3a9c01', a reason given. */
  detail: string
}

export type DeliveryRole = 'root' | 'card' | 'approval' | 'result' | 'files' | `notice:${string}`

/** One message of ours in a thread. Written before it is posted (ref null), so that a restart looks for it before posting again. */
export interface DeliveredMessage {
  taskId: number
  role: DeliveryRole
  /** The adapter's opaque reference; null until it is known to be posted. */
  ref: string | null
  /** Hash of the last frame that the platform accepted. */
  frame: string
  postedAt: number | null
}

/** What a task's thread has been told. One row per task that has a place. */
export interface Delivery {
  taskId: number
  place: Place
  /** The last event drawn. */
  cursor: number
  attempts: number
  nextAttemptAt: number
  /** Set on a failure that will not go away; then nothing more is tried until a person acts. */
  failure: string | null
  /** Everything there is to tell has been told. */
  settled: boolean
  messages: readonly DeliveredMessage[]
}

export interface WorkerRow {
  id: string
  pid: number
  host: string
  role: string
  heartbeatAt: number
  slots: number
}

export type Change = { kind: 'task'; taskId: number } | { kind: 'delivery'; taskId: number }

export class StoreError extends AppError {}

/**
 * The one SQLite file behind everything. Each change is one transaction, with its event; requests that arrive together may share a commit.
 * A promise that has settled is on disk. Nothing hands out the database.
 */
export interface Store extends AsyncDisposable {
  submit(task: NewTask, limits: QueueLimits): Promise<SubmitResult>
  get(taskId: number): Promise<Task | undefined>
  /** Whether a task was made with this key. */
  hasKey(dedupeKey: string): Promise<boolean>
  /** Whether a person wants it to stop; false of an unknown one. Asked at each change of a task that runs, so it reads nothing else. */
  isCancelRequested(taskId: number): Promise<boolean>
  /** Newest first. */
  list(query: ListQuery): Promise<{ tasks: readonly TaskSummary[]; nextBeforeId: number | null }>
  /** The same page, its tasks as one JSON array of what `summaryJson` makes of each. */
  listJson(query: ListQuery): Promise<{ tasks: string; nextBeforeId: number | null }>
  children(taskId: number): Promise<readonly TaskSummary[]>
  /** The newest task told of in this place, and whether there is one. */
  latestInPlace(place: { platform: Platform; key: string }): Promise<Task | undefined>
  events(query: { taskId?: number; afterId: number; limit: number }): Promise<readonly StoredEvent[]>
  /**
   * Applies one event when the fence holds and the event can happen in the task's status; a conflict changes nothing. Also a conflict:
   * `submitted` and `claimed` (submit and claim write them), `approved` with another hash than the current round's, a step that starts
   * twice or ends without having started, `released` of a run that has begun, `approved` and `plan_edited` once the approval has
   * expired, a plan for a task whose cancel was requested. Throws for a new round under a number that is taken.
   */
  apply(taskId: number, event: TaskEvent, fence: Fence): Promise<ApplyResult>
  /** Marks one input as saved or failed. */
  setInput(taskId: number, index: number, input: InputFile): Promise<void>
  /** Tasks whose inputs are still to be fetched, after a restart. */
  waitingForInputs(): Promise<readonly Task[]>

  /**
   * The next task a worker should take, fair between requesters: a pending one, or an approved one that nobody runs.
   * It gets a fresh lease until now + leaseMs, with its event. Undefined when there is none. `only` claims that task or nothing.
   */
  claim(worker: { id: string; leaseMs: number; only?: number }): Promise<Task | undefined>
  /** Extends the leases that the worker still holds; answers those that it has lost, and those whose task a person wants cancelled. */
  heartbeat(worker: {
    id: string
    leaseMs: number
    leases: readonly string[]
  }): Promise<{ lost: readonly string[]; cancelled: readonly string[] }>
  /**
   * Ends leases that ran out: planning goes back to pending; a round of which steps had begun and not all that would run had ended becomes
   * failed (interrupted), any other waits for a worker to go on; a wanted cancel is done. Answers how many.
   */
  recoverExpired(): Promise<number>
  /** Approvals to remind of or to expire by now. */
  dueApprovals(now: number): Promise<readonly { taskId: number; due: 'remind' | 'expire' }[]>
  /** When the next lease runs out or approval is due; null when nothing is. */
  nextDueAt(): Promise<number | null>
  /** Undefined when the task is in no line: held, over, waiting for a person or another task. */
  queuePosition(taskId: number): Promise<QueuePosition | undefined>
  counts(): Promise<Readonly<Record<TaskStatus, number>>>

  registerWorker(row: WorkerRow): Promise<void>
  removeWorker(id: string): Promise<void>
  /** Workers whose heartbeat is younger than `withinMs`. */
  liveWorkers(withinMs: number): Promise<readonly WorkerRow[]>

  audit(entry: Omit<AuditEntry, 'id' | 'at'>): Promise<void>
  listAudit(query: { taskId?: number; beforeId?: number; limit: number }): Promise<readonly AuditEntry[]>

  delivery(taskId: number): Promise<Delivery | undefined>
  /** Tasks of these platforms with something left to tell, oldest first. */
  unsettledDeliveries(platforms: readonly Platform[], limit: number): Promise<readonly Delivery[]>
  /**
   * The place becomes the task's own. `settled` is kept only when no event is beyond the cursor; a later event unsettles it again.
   * Submitting a task with a place makes its row.
   */
  saveDelivery(
    delivery: Pick<Delivery, 'taskId' | 'place' | 'cursor' | 'attempts' | 'nextAttemptAt' | 'failure' | 'settled'>,
  ): Promise<void>
  saveMessage(message: DeliveredMessage): Promise<void>
  /** Deliveries that failed for good, newest first. */
  failedDeliveries(limit: number): Promise<readonly Delivery[]>

  /** A small value that outlives the process: a command's registration hash, a welcome that was posted. */
  getNote(key: string): Promise<string | undefined>
  setNote(key: string, value: string): Promise<void>

  /**
   * Tasks that ended before `before`, oldest first, that nothing needs any more: no live child, none that waits for them, no live
   * task in their thread, everything told. For retention.
   */
  expiredTasks(before: number, limit: number): Promise<readonly number[]>
  /** The same, but only those whose thread has still something to be told, on a platform that is none of `on`. */
  untoldTasks(before: number, limit: number, on: readonly Platform[]): Promise<readonly number[]>
  /** Removes a task that has ended with everything of it but the audit. False: it is gone, it lives, or something that lives needs it. */
  deleteTask(taskId: number): Promise<boolean>
  /** Copies the store while it is in use. Never writes over a file that is there. Throws StoreError. */
  backup(file: string): Promise<void>

  /** Calls `listener` after each commit of this process and, without polling, of the others. Coalesced; a wake-up may come more often than needed. */
  watch(listener: (change: Change) => void): Disposable
  /** Calls `listener` when this process submits a task, before it is written: a claim that is asked for then shares its commit. */
  watchSubmits(listener: () => void): Disposable
}
