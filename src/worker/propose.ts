/** Where a plan comes from: written as code, taken over from the parent, or asked of the model. */
import { isSuccess } from '../core/outcome.ts'
import { type Plan, planSchema } from '../core/plan.ts'
import { firstUnfinished } from '../core/resume.ts'
import { currentRound, type PlanAuthor, type PlanningPhase, type Round, type Task } from '../core/task.ts'
import { parseVerbatim } from '../core/verbatim.ts'
import type { PastRound, PlanReply, PlanRequest } from '../ports/planner.ts'
import { historyOf } from './history.ts'
import type { WorkerOptions } from './options.ts'

const LISTED_FILES = 200

export type Proposed = { kind: 'plan'; plan: Plan; author: PlanAuthor } | Exclude<PlanReply, { kind: 'plan' }>

/** A plan that needs no model; undefined when the model has to be asked. */
export async function givenPlan({ store }: WorkerOptions, task: Task): Promise<Proposed | undefined> {
  if (task.rounds.length > 0) return undefined
  const inherited = task.kind === 'rerun' || task.kind === 'resume' ? await inheritedPlan(store, task) : undefined
  if (inherited !== undefined) return inherited
  const commands = parseVerbatim(task.description)
  if (commands === undefined) return undefined
  return { kind: 'plan', plan: { commands, summary: '', network: null }, author: { kind: 'verbatim' } }
}

/** The parent's plan once more; for a resume, what had not ended well of it. */
async function inheritedPlan(store: WorkerOptions['store'], task: Task): Promise<Proposed | undefined> {
  const parent = task.parentId === null ? undefined : await store.get(task.parentId)
  const round = parent === undefined ? undefined : currentRound(parent)
  if (parent === undefined || round === undefined) return undefined
  if (task.kind === 'rerun') return wholePlan(parent, round)
  const first = firstUnfinished(round)
  if (first === undefined) return { kind: 'invalid', why: 'every command had ended well, nothing is left', model: '' }
  return { kind: 'plan', plan: { ...round.plan, commands: round.plan.commands.slice(first) }, author: round.author }
}

/** A repair stands on what went well before it: in an empty folder that comes first. Undefined when it is too long for one plan. */
function wholePlan({ rounds }: Task, { plan, author }: Round): Proposed | undefined {
  const before = rounds.slice(0, -1)
  const went = before.flatMap(({ steps }) => steps.filter(({ end }) => end !== null && isSuccess(end)))
  const network = plan.network ?? before.findLast((round) => round.plan.network !== null)?.plan.network ?? null
  const commands = [...went.map(({ command }) => command), ...plan.commands]
  const whole = planSchema.safeParse({ ...plan, commands, network })
  return whole.success ? { kind: 'plan', plan: whole.data, author } : undefined
}

export interface AskOptions {
  signal: AbortSignal
  onPhase(phase: PlanningPhase): void
  /** Plans of this turn that policy denied, with the reasons. */
  denied: readonly PastRound[]
}

/** Asks the model. Throws PlannerError, and the signal's reason when aborted. */
export async function askModel(options: WorkerOptions, task: Task, ask: AskOptions): Promise<Proposed> {
  const request = await planRequest(options, task, ask.denied)
  const reply = await options.planner.plan(request, { signal: ask.signal, onPhase: ask.onPhase })
  if (reply.kind !== 'plan') return reply
  return { kind: 'plan', plan: reply.plan, author: { kind: 'model', model: reply.model } }
}

export async function planRequest(
  options: WorkerOptions,
  task: Task,
  denied: readonly PastRound[],
): Promise<PlanRequest> {
  const { files, omitted } = await options.workspace.listing(task.id, LISTED_FILES)
  const { history, remark } = await historyOf(options, task)
  return {
    taskId: task.id,
    description: task.description,
    model: task.model,
    files,
    filesOmitted: omitted,
    limits: {
      stepTimeoutMs: options.stepTimeoutMs,
      taskTimeoutMs: options.taskTimeoutMs,
      memoryBytes: options.limits.memoryBytes,
      networkPossible: options.networkPossible,
    },
    history: [...history, ...denied],
    remark,
  }
}
