import type { Box, Reviewer } from '../core/review.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Planner } from '../ports/planner.ts'
import type { Sandbox, SandboxLimits } from '../ports/sandbox.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'

export interface WorkerOptions {
  /** Unique among all workers of the store, also across restarts. */
  id: string
  role: string
  host: string
  store: Store
  workspace: Workspace
  planner: Planner
  sandbox: Sandbox
  reviewer: Reviewer
  /** What commands run in here; measured once. */
  box(): Promise<Box>
  clock: Clock
  logger: Logger
  /** Tasks at once. */
  concurrency: number
  leaseMs: number
  /** How long running tasks may go on after a stop was asked for, before they are interrupted. */
  stopGraceMs: number
  stepTimeoutMs: number
  taskTimeoutMs: number
  /** Repair rounds after the first. */
  repairRounds: number
  approvalExpiryMs: number
  limits: SandboxLimits
  /** Bytes that one task may print, kept or not. */
  printedBytes: number
  environment: Readonly<Record<string, string>>
  networkPossible: boolean
  /** Take this task and no other, then nothing more. */
  only: number | null
}
