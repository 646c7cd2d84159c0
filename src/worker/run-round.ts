/** From `running` to what follows it: done, a repair, failed. */
import { type ApprovedPlan, allowPlan, approvePlan } from '../core/approval.ts'
import { describeStepEnd, type FailureReason, isSuccess, type StepEnd } from '../core/outcome.ts'
import { endOfRound } from '../core/resume.ts'
import { hashFor } from '../core/review.ts'
import { currentRound, type Round, type Task } from '../core/task.ts'
import { parseVerbatim } from '../core/verbatim.ts'
import type { SandboxSession } from '../ports/sandbox.ts'
import { askForAnswer, plainAnswer } from './answer.ts'
import type { WorkerOptions } from './options.ts'
import type { TaskRun } from './task-run.ts'

const CHANGED = 'What it would run in has changed since the plan was approved. Retry to plan it afresh.'

export async function runRound(options: WorkerOptions, run: TaskRun): Promise<void> {
  const round = currentRound(run.task)
  if (round === undefined) throw new Error('a running task without a round')
  // A worker that died may have run it to its end and not come to say so.
  const over = endOfRound(round)
  // What was hidden is counted in its log; one that is gone has nothing to count.
  if (over !== undefined) await run.log().catch(() => undefined)
  const end = over === undefined ? await runApproved(options, run, round) : { ...over, recorded: Promise.resolve(true) }
  if (end === undefined) return
  if (!isSuccess(end.end)) return afterFailure(options, run, end.index, end.end)
  await finish(options, run, end.recorded)
}

async function runApproved(options: WorkerOptions, run: TaskRun, round: Round): Promise<LastStep | undefined> {
  const plan = await approvedPlan(options, run.task, round)
  if (plan !== undefined) return runSteps(options, run, plan, round)
  await fail(run, 'denied_by_policy', CHANGED, null)
  return undefined
}

/** The plan as something a sandbox takes, when it still hashes to what policy or a person let through. */
async function approvedPlan(options: WorkerOptions, task: Task, round: Round): Promise<ApprovedPlan | undefined> {
  const hash = hashFor(task, round.plan, round.number, await options.box())
  const { approval } = task
  if (approval?.decision === 'approved' && approval.round === round.number && approval.by !== null) {
    return approvePlan(round.plan, hash, approval.hash, approval.by)
  }
  return hash === round.hash ? allowPlan(round.plan, hash, round.verdict) : undefined
}

interface LastStep {
  index: number
  end: StepEnd
  /** Whether the lease's holder could write down that it ended. */
  recorded: Promise<boolean>
}

/**
 * Runs what waits of the round, until a step does not end well; answers the last one, undefined when the lease was lost on the way.
 * That a step begins is on disk before it runs. It shares a commit with the end of the one before.
 * The end of the last one that ended well is still on its way to the disk: meanwhile its sandbox can be ended.
 */
async function runSteps(
  options: WorkerOptions,
  run: TaskRun,
  plan: ApprovedPlan,
  round: Round,
): Promise<LastStep | undefined> {
  const waiting = round.steps.filter((step) => step.state === 'waiting').map((step) => step.index)
  const [first] = waiting
  if (first === undefined) throw new Error('a running round without a step left to run')
  const begins = (index: number) => run.apply({ kind: 'step_started', round: round.number, index })
  const opening = run.log()
  // What is wrong with it is thrown below; the sandbox may be what went wrong first.
  opening.catch(() => undefined)
  const session = await run.session(plan)
  const [hasBegun] = await Promise.all([begins(first), opening])
  if (!hasBegun) return undefined
  for (const [at, index] of waiting.entries()) {
    const end = await runStep(options, run, { session, plan, round, index })
    const next = isSuccess(end) ? waiting[at + 1] : undefined
    const recorded = run.apply({ kind: 'step_ended', round: round.number, index, end })
    if (next === undefined) return isSuccess(end) || (await recorded) ? { index, end, recorded } : undefined
    const applied = await Promise.all([recorded, begins(next)])
    if (applied.includes(false)) return undefined
  }
  return undefined
}

interface StepRun {
  session: SandboxSession
  plan: ApprovedPlan
  round: Round
  index: number
}

async function runStep(
  options: WorkerOptions,
  run: TaskRun,
  { session, plan, round, index }: StepRun,
): Promise<StepEnd> {
  const log = await run.log()
  const startedAt = options.clock.now()
  const began = log.stepStarted(round.number, index, round.steps.length, plan.plan.commands[index] ?? '')
  const end = await runBounded(options, run, began, session.run.bind(session, plan, index))
  await began
  await log.stepEnded(round.number, index, end, Math.max(0, options.clock.now() - startedAt))
  return end
}

type RunStep = (step: {
  timeoutMs: number
  signal: AbortSignal
  onOutput(chunk: Buffer): void | Promise<void>
}) => Promise<StepEnd>

/**
 * Runs the step under the task's own limits: what it printed so far, and its time. What its log says first goes to the disk beside it; where
 * it cannot be written the step is ended, for nothing would tell of it.
 */
async function runBounded(
  options: WorkerOptions,
  run: TaskRun,
  began: Promise<void>,
  runStep: RunStep,
): Promise<StepEnd> {
  const log = await run.log()
  const stop = new AbortController()
  began.catch(() => stop.abort())
  const end = await runStep({
    timeoutMs: options.stepTimeoutMs,
    signal: AbortSignal.any([run.control.signal, stop.signal]),
    onOutput(chunk) {
      if (log.printedBytes + chunk.length > options.printedBytes) stop.abort()
      return log.write(chunk)
    },
  })
  if (end.kind !== 'cancelled') return end
  if (run.control.cause === 'timed_out') return { kind: 'timed_out', scope: 'task', limitMs: options.taskTimeoutMs }
  if (run.control.cause === undefined) return { kind: 'limit', limit: 'output', allowed: options.printedBytes }
  return end
}

async function afterFailure(options: WorkerOptions, run: TaskRun, index: number, end: StepEnd): Promise<void> {
  if (end.kind === 'cancelled') return run.control.signal.throwIfAborted()
  const mayRepair = end.kind === 'exited' || end.kind === 'signalled'
  // What a person wrote, or has changed of it, is theirs to mend.
  const isPlanned = parseVerbatim(run.task.description) === undefined
  if (mayRepair && isPlanned && run.task.rounds.length <= options.repairRounds) {
    const log = await run.log()
    await log.note(`command ${index + 1} failed (${describeStepEnd(end)}); planning a repair`)
    await run.apply({ kind: 'repairing', why: describeStepEnd(end) })
    return
  }
  await run.closeSession()
  await fail(run, reasonOf(end), describeStepEnd(end), index)
}

function reasonOf(end: StepEnd): FailureReason {
  if (end.kind === 'timed_out') return 'timed_out'
  if (end.kind === 'limit') return 'limit'
  return end.kind === 'sandbox_died' ? 'sandbox_unavailable' : 'step_failed'
}

/** The model puts what was printed into words while the sandbox is being ended: what is counted is what was left then. */
async function finish(options: WorkerOptions, run: TaskRun, recorded: Promise<boolean>): Promise<void> {
  const answering = recorded.then((isOurs) => (isOurs ? askForAnswer(options, run) : undefined))
  const [isOurs, answer, { outputs, redactions }] = await Promise.all([recorded, answering, endedTotals(run)])
  if (!isOurs) return
  const totals = outputs ?? { files: 0, bytes: 0 }
  const text = answer ?? plainAnswer(run.task, totals)
  const written = run.apply({ kind: 'finished', answer: text, outputs: totals, redactions })
  // Right after it, so that the claim of the next task shares its commit.
  run.control.leave()
  await written
}

async function endedTotals(run: TaskRun) {
  await run.closeSession()
  return run.totals()
}

async function fail(run: TaskRun, reason: FailureReason, detail: string, step: number | null): Promise<void> {
  await run.apply({ kind: 'failed', reason, detail, step, ...(await run.totals()) })
}
