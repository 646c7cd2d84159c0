import type { ApprovedPlan } from '../core/approval.ts'
import { AppError } from '../core/errors.ts'
import type { StepEnd } from '../core/outcome.ts'

export interface SandboxLimits {
  memoryBytes: number
  processes: number
  cpuSeconds: number
  fileBytes: number
  diskBytes: number
  openFiles: number
  /** Of /tmp and /dev/shm together. */
  scratchBytes: number
}

export interface SandboxTask {
  taskId: number
  /** The commands' working directory on the host; its only writable folder. */
  directory: string
  /** Names that the operator let through; PATH, HOME and the like are the sandbox's own. */
  environment: Readonly<Record<string, string>>
  limits: SandboxLimits
}

export interface StepOptions {
  timeoutMs: number
  /** Raw bytes as they come, stdout and stderr together. The chunk is only valid during the call. Back-pressure: await the returned promise. */
  onOutput(chunk: Buffer): void | Promise<void>
  signal: AbortSignal
}

/** One layer of protection as measured on this machine, by really starting a sandbox. */
export interface SandboxLayer {
  name: string
  on: boolean
  /** What is missing and what to do about it; '' when on. */
  fix: string
}

export interface SandboxReport {
  kind: 'bubblewrap' | 'none'
  strength: 'full' | 'weak' | 'none'
  layers: readonly SandboxLayer[]
  /** Whether an approved plan can be given the network here: with a proxy of ours, or because there are no walls at all. */
  givesNetwork: boolean
}

/** The sandbox never started. */
export class SandboxError extends AppError {}

/** Dispose it at the program's end: that ends what `prepare` started. Open sessions end by themselves. */
export interface Sandbox extends AsyncDisposable {
  /**
   * Who must own the task's directory and everything in it before `open`: give it to `Workspace.prepare`. The same for
   * a task every time. Null: the program's own user. Whoever has it is nobody else on the machine.
   */
  owner(taskId: number): { uid: number; gid: number } | null
  /** Starts a real sandbox once and reports each layer; the result is kept. Throws SandboxError when none can start. */
  check(): Promise<SandboxReport>
  /** Starts ahead of time, now and after each task, what the next `open` needs. Throws nothing; may be called any time. */
  prepare(): void
  /** One sandbox for a task: steps of its plans run in it one after another, state carries over. Throws SandboxError. */
  open(task: SandboxTask, plan: ApprovedPlan): Promise<SandboxSession>
  /**
   * As `open`, begun before there is a plan: the walls go up while the model thinks. The task's directory is there already
   * and has its owner. Throws nothing: what goes wrong is thrown by the `open` of what it answers.
   */
  start(task: SandboxTask): EmptySandbox
  /** Ends what an earlier run of this program left behind (own prefix only). May be called any time. */
  sweep(): Promise<void>
}

/**
 * A task's sandbox in which nothing runs, and nothing can until an approved plan opens it. Dispose it in any case: one that
 * no plan came for is ended, and one that was opened is its session's alone.
 */
export interface EmptySandbox extends AsyncDisposable {
  /** Once. A plan that asks for the network gets a new sandbox, because this one has none. Throws SandboxError. */
  open(plan: ApprovedPlan): Promise<SandboxSession>
}

export interface SandboxSession extends AsyncDisposable {
  /**
   * Runs step `index` of `plan`. Every way it can end is returned, never thrown.
   * Aborting `signal` ends every process of the task, and settles only when they are gone. After any end but
   * exited or signalled the session is over: dispose it.
   * `plan` may be a later round's than the session was opened with, when it asks for no more network than that one.
   */
  run(plan: ApprovedPlan, index: number, options: StepOptions): Promise<StepEnd>
  /** Ends every process of the task and waits until they are gone. May be called twice. */
  [Symbol.asyncDispose](): Promise<void>
}
