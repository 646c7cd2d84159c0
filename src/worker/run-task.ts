/** One claimed task to its next resting status. */
import { AppError, errorLine } from '../core/errors.ts'
import type { FailureReason } from '../core/outcome.ts'
import { endOfRound } from '../core/resume.ts'
import { currentRound, isFinal, type Task } from '../core/task.ts'
import { SandboxError } from '../ports/sandbox.ts'
import { StoreError } from '../ports/store.ts'
import { WorkspaceError } from '../ports/workspace.ts'
import type { WorkerOptions } from './options.ts'
import { planRound } from './plan-round.ts'
import { runRound } from './run-round.ts'
import type { TaskRun } from './task-run.ts'

export async function runTask(options: WorkerOptions, run: TaskRun): Promise<void> {
  const { control } = run
  let timer: Disposable | undefined
  try {
    await prepare(options, run)
    if (run.task.status === 'planning') run.startSandbox()
    while (!control.signal.aborted) {
      if (run.task.status === 'planning') await planRound(options, run)
      else if (run.task.status !== 'running') return
      else {
        timer ??= options.clock.after(options.taskTimeoutMs, () => control.stop('timed_out'))
        await runRound(options, run)
      }
    }
    await settleStopped(options, run)
  } catch (error) {
    if (control.signal.aborted) await settleStopped(options, run)
    else await settleError(options, run, error)
  } finally {
    timer?.[Symbol.dispose]()
  }
}

/** A task that goes on with another's files never runs without them. */
async function prepare({ store, workspace, sandbox }: WorkerOptions, { task }: TaskRun): Promise<void> {
  const continues = task.kind === 'refine' || task.kind === 'resume'
  const parent = continues && task.parentId !== null ? await store.get(task.parentId) : undefined
  const copyFrom = parent !== undefined && (await workspace.exists(parent.id)) ? parent.id : null
  const hadFolder = parent !== undefined && parent.startedAt !== null
  if (hadFolder && copyFrom === null && task.rounds.length === 0) {
    throw new WorkspaceError('workspace_lost', `the folder of task ${parent.id} is gone`)
  }
  await workspace.prepare(task.id, { copyFrom, owner: sandbox.owner(task.id) })
}

/** The end of a task that was stopped from outside, once nothing of it runs any more. */
async function settleStopped(options: WorkerOptions, run: TaskRun): Promise<void> {
  const { cause } = run.control
  await run.closeSession()
  if (cause === undefined || cause === 'lost' || isFinal(run.task.status)) return
  const totals = await run.totals()
  if (cause === 'cancelled') {
    const by = run.task.cancelRequestedBy ?? (await options.store.get(run.task.id))?.cancelRequestedBy ?? null
    await run.apply({ kind: 'cancelled', reason: 'cancelled', by, note: '', ...totals })
    return
  }
  // What nothing runs of goes back to whoever works next.
  if (cause === 'stopping' && !isMidRound(run.task) && (await run.apply({ kind: 'released', why: 'stopping' }))) return
  const reason: FailureReason = cause === 'stopping' ? 'interrupted' : 'timed_out'
  const step = stoppedStep(run.task)
  await run.apply({ kind: 'failed', reason, detail: '', step, ...totals })
}

function isMidRound(task: Task): boolean {
  const round = currentRound(task)
  if (task.status !== 'running' || round === undefined) return false
  return round.steps.some((step) => step.startedAt !== null) && endOfRound(round) === undefined
}

/** The one catch-all: bugs and borders that broke. The log has the stack, the task a reason. */
async function settleError(options: WorkerOptions, run: TaskRun, error: unknown): Promise<void> {
  const { id } = run.task
  const stack = error instanceof Error ? error.stack : undefined
  options.logger.error(
    { taskId: id, code: codeOf(error), stack },
    `[TASK ${id}] stopped by an error: ${errorLine(error)}`,
  )
  if (error instanceof StoreError) return
  await run.closeSession()
  const { reason, detail } = failureOf(error)
  await run.apply({ kind: 'failed', reason, detail, step: null, ...(await run.totals()) })
}

function failureOf(error: unknown): { reason: FailureReason; detail: string } {
  if (error instanceof SandboxError) return { reason: 'sandbox_unavailable', detail: errorLine(error) }
  const code = codeOf(error)
  if (code === 'disk_full' || code === 'ENOSPC') return { reason: 'disk_full', detail: '' }
  if (code === 'workspace_lost') return { reason: 'workspace_lost', detail: '' }
  return { reason: 'internal', detail: '' }
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof AppError) return error.code
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** The step that was running when the task was stopped. */
function stoppedStep(task: Task): number | null {
  const steps = currentRound(task)?.steps ?? []
  return (
    steps.find(({ state, end }) => state === 'running' || (end !== null && end.kind === 'cancelled'))?.index ?? null
  )
}
