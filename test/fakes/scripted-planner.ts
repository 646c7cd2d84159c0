import type { Plan } from '../../src/core/plan.ts'
import type { Planner, PlannerStatus, PlanReply, PlanRequest } from '../../src/ports/planner.ts'

/** What one call of `plan` does: reply, throw, or whatever a function decides. Commands alone are a plan. */
export type ScriptedReply =
  | readonly string[]
  | PlanReply
  | Error
  | ((request: PlanRequest, signal: AbortSignal) => Promise<PlanReply> | PlanReply)

export interface ScriptedPlanner extends Planner {
  /** Every request to `plan`, in order. */
  readonly requests: readonly PlanRequest[]
  /** Every request to `summarize`, in order. */
  readonly summaries: readonly PlanRequest[]
}

const MODEL = 'scripted'

export function scriptedPlan(commands: readonly string[], rest: Partial<Plan> = {}): PlanReply {
  return { kind: 'plan', plan: { commands: [...commands], summary: '', network: null, ...rest }, model: MODEL }
}

/** A planner without a model: it replies as told, in turn, and throws when asked more often than that. */
export function scriptedPlanner(
  script: readonly ScriptedReply[],
  options: { summary?: string; status?: Partial<PlannerStatus> } = {},
): ScriptedPlanner {
  const left = [...script]
  const requests: PlanRequest[] = []
  const summaries: PlanRequest[] = []
  return {
    requests,
    summaries,
    async plan(request, { signal, onPhase }) {
      signal.throwIfAborted()
      requests.push(request)
      const next = left.shift()
      if (next === undefined) throw new Error('the scripted planner was asked more often than it has replies')
      onPhase({ kind: 'asking_model', model: MODEL, attempt: 1, since: 0 })
      if (next instanceof Error) throw next
      if (typeof next === 'function') return await next(request, signal)
      return isCommands(next) ? scriptedPlan(next) : next
    },
    async summarize(request, { signal }) {
      signal.throwIfAborted()
      summaries.push(request)
      return options.summary
    },
    async status() {
      return {
        reachable: true,
        host: 'http://scripted',
        model: MODEL,
        installed: [MODEL],
        modelInstalled: true,
        fix: null,
        ...options.status,
      }
    },
  }
}

function isCommands(reply: readonly string[] | PlanReply): reply is readonly string[] {
  return Array.isArray(reply)
}
