/** Where a plan comes from: written as code, taken over from the parent, or asked of the model. */
import type { Plan } from '../core/plan.ts'
import { currentRound, type PlanAuthor, type PlanningPhase, type Task } from '../core/task.ts'
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

/** The parent's last plan; for a resume, what had not ended well of it. */
async function inheritedPlan(store: WorkerOptions['store'], task: Task): Promise<Proposed | undefined> {
  const parent = task.parentId === null ? undefined : await store.get(task.parentId)
  const round = parent === undefined ? undefined : currentRound(parent)
  if (round === undefined) return undefined
  const { plan, author, steps } = round
  if (task.kind === 'rerun') return { kind: 'plan', plan, author }
  const first = steps.findIndex((step) => step.state !== 'ended' || step.end?.kind !== 'exited' || step.end.code !== 0)
  const commands = plan.commands.slice(Math.max(first, 0))
  return { kind: 'plan', plan: { ...plan, commands }, author }
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
