/** From `planning` to what follows it: a plan that runs, one that waits for a person, an answer, or a failure. */
import { describeStepEnd, type FailureReason, isSuccess } from '../core/outcome.ts'
import { reviewRound } from '../core/review.ts'
import { currentRound, type PlanningPhase, type Task } from '../core/task.ts'
import { allReasons, type PlanVerdict } from '../core/verdict.ts'
import { type PastRound, PlannerError } from '../ports/planner.ts'
import type { WorkerOptions } from './options.ts'
import { askModel, givenPlan, type Proposed } from './propose.ts'
import type { TaskRun } from './task-run.ts'

/** How often the model may try again after policy has denied its plan. */
const MORE_TRIES_AFTER_DENIAL = 2

export async function planRound(options: WorkerOptions, run: TaskRun): Promise<void> {
  const denied: PastRound[] = []
  for (;;) {
    const proposed = await propose(options, run, denied)
    if (proposed === undefined) return
    if (proposed.kind !== 'plan') return settleWithoutPlan(run, proposed)
    const verdict = await offer(options, run, proposed)
    if (verdict === undefined) return
    const why = allReasons(verdict)
    if (proposed.author.kind !== 'model' || denied.length >= MORE_TRIES_AFTER_DENIAL)
      return fail(run, 'denied_by_policy', why)
    denied.push(deniedRound(run, proposed.plan, why))
  }
}

/** Undefined when the task has failed instead. */
async function propose(
  options: WorkerOptions,
  run: TaskRun,
  denied: readonly PastRound[],
): Promise<Proposed | undefined> {
  const { signal } = run.control
  using phases = tellPhases(options, run)
  const { onPhase } = phases
  try {
    return (await givenPlan(options, run.task)) ?? (await askModel(options, run.task, { signal, onPhase, denied }))
  } catch (error) {
    if (!(error instanceof PlannerError) || signal.aborted) throw error
    await fail(run, PLANNER_FAILURES[error.code], error.message)
    return undefined
  }
}

/** What is over before it could be read is not told: it would cost a commit and an edit of the card. */
const PHASE_LASTS_MS = 250

function tellPhases(
  { store, clock }: WorkerOptions,
  run: TaskRun,
): Disposable & { onPhase(this: void, phase: PlanningPhase): void } {
  const fence = { status: 'planning', leaseId: run.leaseId } as const
  let timer: Disposable | undefined
  return {
    onPhase(phase) {
      timer?.[Symbol.dispose]()
      timer = clock.after(PHASE_LASTS_MS, () => {
        // Only for the card: what goes wrong here is found by the next real event.
        store.apply(run.task.id, { kind: 'phase', phase }, fence).catch(() => undefined)
      })
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  }
}

const PLANNER_FAILURES: Record<PlannerError['code'], FailureReason> = {
  unreachable: 'planner_unreachable',
  model_missing: 'model_missing',
  timeout: 'model_timeout',
  model_error: 'model_error',
}

async function settleWithoutPlan(run: TaskRun, reply: Exclude<Proposed, { kind: 'plan' }>): Promise<void> {
  if (reply.kind === 'answer') await run.apply({ kind: 'answered', answer: reply.answer })
  else await fail(run, reply.kind === 'refused' ? 'refused_by_model' : 'plan_invalid', reply.why)
}

/** Stores the plan with its verdict; answers the verdict when policy denies it, and then nothing is stored. */
async function offer(
  options: WorkerOptions,
  run: TaskRun,
  { plan, author }: Extract<Proposed, { kind: 'plan' }>,
): Promise<PlanVerdict | undefined> {
  const round = run.task.rounds.length + 1
  const repairOf = round > 1 ? whatFailed(run.task) : null
  const planned = reviewRound(run.task, { plan, author, round, repairOf }, await options.box(), options.reviewer)
  if (planned.verdict.decision === 'deny') return planned.verdict
  const expiresAt = options.clock.now() + options.approvalExpiryMs
  await run.apply(
    planned.verdict.decision === 'allow'
      ? { kind: 'plan_allowed', ...planned }
      : { kind: 'planned', expiresAt, ...planned },
  )
  return undefined
}

/** "command 2: exit 127": why there is a repair. */
function whatFailed(task: Task): string {
  const step = currentRound(task)?.steps.find(({ end }) => end !== null && !isSuccess(end))
  return step?.end == null ? 'a command failed' : `command ${step.index + 1}: ${describeStepEnd(step.end)}`
}

function deniedRound(run: TaskRun, plan: { commands: readonly string[]; summary: string }, why: string): PastRound {
  const steps = plan.commands.map((command) => ({ command, state: 'skipped', end: null }) as const)
  return {
    description: run.task.description,
    summary: plan.summary,
    steps,
    tail: '',
    problem: `denied by policy: ${why}`,
  }
}

/** A repair that cannot be planned does not hide what it was for. */
async function fail(run: TaskRun, reason: FailureReason, detail: string): Promise<void> {
  const repaired = run.task.rounds.length === 0 ? '' : `It was to repair ${whatFailed(run.task)}. `
  await run.apply({ kind: 'failed', reason, detail: `${repaired}${detail}`, step: null, ...(await run.totals()) })
}
