import { AppError } from '../core/errors.ts'
import type { StepEnd } from '../core/outcome.ts'
import type { Plan } from '../core/plan.ts'
import type { PlanningPhase, StepState } from '../core/task.ts'

export interface PlanRequest {
  taskId: number
  description: string
  /** Null: the model of the settings. */
  model: string | null
  /** Names and sizes of the files in the working directory, bounded by the workspace. */
  files: readonly { path: string; sizeBytes: number }[]
  filesOmitted: number
  limits: { stepTimeoutMs: number; taskTimeoutMs: number; memoryBytes: number; networkPossible: boolean }
  /** What was done before in this task (repair) or in its parent (refinement), oldest first. */
  history: readonly PastRound[]
  /** Set in a refinement or after a rejection: what the person said. */
  remark: string | null
}

export interface PastRound {
  description: string
  summary: string
  steps: readonly { command: string; state: StepState; end: StepEnd | null }[]
  /** Last lines of output: data from outside, bounded and redacted. */
  tail: string
  /** Why there was no run: "denied by policy: …", "rejected: …"; null after a run. */
  problem: string | null
}

export type PlanReply =
  | { kind: 'plan'; plan: Plan; model: string }
  | { kind: 'answer'; answer: string; model: string }
  | { kind: 'refused'; why: string; model: string }
  | { kind: 'invalid'; why: string; model: string }

export interface PlannerStatus {
  reachable: boolean
  host: string
  model: string
  /** Model names on the server; empty when unreachable. */
  installed: readonly string[]
  modelInstalled: boolean
  /** One sentence on what to do, null when all is well. */
  fix: string | null
}

/** `model_error`: the server answered, but with an error of its own (out of memory, a crashed runner, an access rule). */
export type PlannerErrorCode = 'unreachable' | 'model_missing' | 'timeout' | 'model_error'

export class PlannerError extends AppError {
  declare readonly code: PlannerErrorCode
  constructor(code: PlannerErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** Turns a request into a plan. Holds no state between calls. */
export interface Planner {
  /**
   * Asks the model, at most three times while its replies are unusable; `onPhase` tells what it is busy with.
   * Throws PlannerError (unreachable, model_missing, timeout, model_error), and the signal's reason when aborted; aborting hangs up at once.
   */
  plan(request: PlanRequest, options: { signal: AbortSignal; onPhase(phase: PlanningPhase): void }): Promise<PlanReply>
  /**
   * A short answer for the end of a task, from what ran and its tail. Bounded in time; undefined when the model gives none.
   * Never throws but for the signal.
   */
  summarize(request: PlanRequest, options: { signal: AbortSignal }): Promise<string | undefined>
  /** Asks the server what it is and has, in at most two seconds; never throws. */
  status(): Promise<PlannerStatus>
}
