/** One claimed task while this worker holds it: its fence, its log, its sandbox. */
import type { ApprovedPlan } from '../core/approval.ts'
import { errorLine } from '../core/errors.ts'
import type { TaskEvent } from '../core/events.ts'
import type { OutputTotals, Task, TaskStatus } from '../core/task.ts'
import type { EmptySandbox, SandboxSession } from '../ports/sandbox.ts'
import type { LogWriter } from '../ports/workspace.ts'
import type { WorkerOptions } from './options.ts'
import type { RunControl } from './run-control.ts'

export interface TaskRun extends AsyncDisposable {
  /** As of the last event that applied. */
  task: Task
  readonly control: RunControl
  readonly leaseId: string
  /** Applies an event as the lease's holder. False: the lease is lost or the task moved on; then nothing more may be written. */
  apply(event: TaskEvent): Promise<boolean>
  /** The task's log, opened at the first call. */
  log(): Promise<LogWriter>
  /** Puts up the walls of the task's sandbox while its plan is still being made. */
  startSandbox(): void
  /** The task's sandbox: the one of the round before where it still fits, else the one that was started, else a new one. */
  session(plan: ApprovedPlan): Promise<SandboxSession>
  /** Ends the sandbox; settles when nothing of the task runs any more. May be called twice, also at once. */
  closeSession(): Promise<void>
  /** What the end of a task tells: outputs as they are now, and how many secrets were hidden. */
  totals(): Promise<{ outputs: OutputTotals | null; redactions: number }>
}

export function createTaskRun(options: WorkerOptions, claimed: Task, leaseId: string, control: RunControl): TaskRun {
  let log: LogWriter | undefined
  let opening: Promise<LogWriter> | undefined
  let empty: EmptySandbox | undefined
  let session: SandboxSession | undefined
  let sessionHasNetwork = false
  let ending: PromiseLike<void> | undefined

  const run: TaskRun = {
    task: claimed,
    control,
    leaseId,
    async apply(event) {
      const status: TaskStatus = run.task.status
      const result = await options.store.apply(run.task.id, event, { status, leaseId })
      if (result.kind === 'conflict') {
        // A cancel that was accepted meanwhile is no loss of the task: it is still ours to end.
        const isOurs = result.task?.lease?.id === leaseId
        control.stop(isOurs && result.task?.cancelRequestedBy != null ? 'cancelled' : 'lost')
        return false
      }
      run.task = result.task
      return true
    },
    async log() {
      opening ??= options.workspace.openLog(run.task.id)
      log = await opening
      return log
    },
    startSandbox() {
      empty ??= options.sandbox.start(sandboxTask(options, run.task.id))
    },
    async session(plan) {
      const needsNetwork = plan.plan.network !== null
      if (session !== undefined && needsNetwork !== sessionHasNetwork) await run.closeSession()
      const started = empty
      empty = undefined
      session ??= await (started?.open(plan) ?? options.sandbox.open(sandboxTask(options, run.task.id), plan))
      sessionHasNetwork = needsNetwork
      return session
    },
    async closeSession() {
      const open = session ?? empty
      session = undefined
      empty = undefined
      if (open !== undefined) ending = open[Symbol.asyncDispose]()
      const waited = ending
      try {
        await waited
      } finally {
        // Told once when it cannot be ended: the task has to be settled all the same.
        if (ending === waited) ending = undefined
      }
    },
    async totals() {
      return { outputs: await outputsOf(options, run.task.id), redactions: log?.redactions ?? 0 }
    },
    async [Symbol.asyncDispose]() {
      try {
        await run.closeSession()
      } finally {
        // What failed beside it may have ended the run before it was open; one that could not be opened has told whoever asked.
        const opened = await opening?.catch(() => undefined)
        await opened?.[Symbol.asyncDispose]()
      }
    },
  }
  return run
}

/** Null when they cannot be told: the end of a task is written all the same. */
async function outputsOf({ workspace, logger }: WorkerOptions, taskId: number): Promise<OutputTotals | null> {
  try {
    return (await workspace.exists(taskId)) ? (await workspace.outputs(taskId)).totals : null
  } catch (error) {
    logger.warn({ taskId, error: errorLine(error) }, `[TASK ${taskId}] its outputs cannot be read: ${errorLine(error)}`)
    return null
  }
}

function sandboxTask({ workspace, environment, limits }: WorkerOptions, taskId: number) {
  return { taskId, directory: workspace.directory(taskId), environment, limits }
}
