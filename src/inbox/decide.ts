/** Decisions on one exact plan: approve, reject, edit. The second one to decide learns who was first. */
import type { Actor } from '../core/actor.ts'
import { shortHash } from '../core/approval.ts'
import { type NetworkRequest, type Plan, planSchema } from '../core/plan.ts'
import { type Box, type Reviewer, reviewRound } from '../core/review.ts'
import { currentRound, type Task } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { ActOutcome, Refusal } from '../ports/inbox.ts'
import type { ApplyResult, Store } from '../ports/store.ts'
import type { Door } from './door.ts'
import { personOf } from './people.ts'

export const PLAN_CHANGED = 'The plan has been changed since. Look at it as it is now, then decide.'

type Waiting = Extract<Task, { status: 'awaiting_approval' }>

export interface DecideOptions {
  store: Store
  clock: Clock
  door: Door
  reviewer: Reviewer
  /** The box that a worker on this store has measured; undefined while none has. */
  box(): Promise<Box | undefined>
  approvalExpiryMs: number
}

export interface Decisions {
  approve(actor: Actor, task: Task, hash: string | null): Promise<ActOutcome>
  reject(actor: Actor, task: Task, hash: string | null, note: string): Promise<ActOutcome>
  edit(actor: Actor, task: Task, hash: string | null, commands: readonly string[]): Promise<ActOutcome>
}

export function createDecisions(options: DecideOptions): Decisions {
  const { store, clock, door } = options

  return {
    async approve(actor, task, hash) {
      const waiting = awaiting(task, hash)
      if ('sentence' in waiting) return waiting
      const plan = waiting.approval.hash
      const event = { kind: 'approved', by: personOf(actor), hash: plan } as const
      const result = await store.apply(task.id, event, { status: 'awaiting_approval', hash: plan })
      if (result.kind === 'conflict') return decided(options, result, task)
      await door.record(actor, 'approve', task.id, `plan ${shortHash(plan)}`)
      return { kind: 'done', task: result.task, sentence: `Approved: task #${task.id} runs plan ${shortHash(plan)}.` }
    },

    async reject(actor, task, hash, note) {
      const waiting = awaiting(task, hash)
      if ('sentence' in waiting) return waiting
      const plan = waiting.approval.hash
      const event = { kind: 'rejected', by: personOf(actor), note } as const
      const result = await store.apply(task.id, event, { status: 'awaiting_approval', hash: plan })
      if (result.kind === 'conflict') return decided(options, result, task)
      await door.record(actor, 'reject', task.id, `plan ${shortHash(plan)}${note === '' ? '' : `: ${note}`}`)
      return { kind: 'done', task: result.task, sentence: `Rejected: task #${task.id} does not run.` }
    },

    async edit(actor, task, hash, commands) {
      const waiting = awaiting(task, hash)
      if ('sentence' in waiting) return waiting
      const edited = editedPlan(task, commands)
      if ('sentence' in edited) return edited
      const plan = checked({ ...edited, network: networkAfterEdit(edited, currentRound(task)?.plan, options.reviewer) })
      if ('sentence' in plan) return plan
      const box = await options.box()
      if (box === undefined)
        return invalid('No worker is running, so the plan cannot be checked. Start one and try again.')
      const author = { kind: 'person', person: personOf(actor) } as const
      const planned = reviewRound(task, { plan, author, round: task.round, repairOf: null }, box, options.reviewer)
      if (planned.verdict.decision === 'deny') return invalid(`The policy does not allow this: ${reasons(planned)}`)
      const event = { ...planned, kind: 'plan_edited', expiresAt: clock.now() + options.approvalExpiryMs } as const
      const fence = { status: 'awaiting_approval', hash: waiting.approval.hash } as const
      const result = await store.apply(task.id, event, fence)
      if (result.kind === 'conflict') return decided(options, result, task)
      await door.record(actor, 'edit_plan', task.id, `plan ${shortHash(fence.hash)} -> ${shortHash(planned.hash)}`)
      return {
        kind: 'done',
        task: result.task,
        sentence: `Changed: plan ${shortHash(planned.hash)} waits for approval.`,
      }
    },
  }
}

function reasons(planned: {
  verdict: { reasons: readonly string[]; steps: readonly { reasons: readonly string[] }[] }
}): string {
  return [...planned.verdict.reasons, ...planned.verdict.steps.flatMap((step) => step.reasons)].join(' ')
}

/** The one check of commands that a person has changed, of a plan that waits and of a task that has ended. */
export function editedPlan(task: Task, commands: readonly string[]): Plan | Refusal {
  const before = currentRound(task)?.plan
  return checked({ commands, summary: before?.summary ?? '', network: before?.network ?? null })
}

function checked(plan: { [Part in keyof Plan]: unknown }): Plan | Refusal {
  const parsed = planSchema.safeParse(plan)
  if (parsed.success) return parsed.data
  return invalid(`This plan cannot be used: ${parsed.error.issues.map((issue) => issue.message).join('; ')}.`)
}

/** Hosts that the commands named before go with them; what only the plan's author knew of stays. Null: whatever the commands need now. */
function networkAfterEdit(edited: Plan, before: Plan | undefined, reviewer: Reviewer): NetworkRequest | null {
  if (before?.network == null) return null
  const named = new Set(reviewer.networkNeeded(before)?.hosts)
  const kept = before.network.hosts.filter((host) => !named.has(host))
  if (kept.length === 0) return null
  return { ...before.network, hosts: [...new Set([...kept, ...(reviewer.networkNeeded(edited)?.hosts ?? [])])] }
}

/** The task as one whose plan with this hash awaits a decision; a null hash means whichever waits now. */
function awaiting(task: Task, hash: string | null): Waiting | Refusal {
  if (task.status !== 'awaiting_approval') return { kind: 'conflict', sentence: whatHappened(task), task }
  if (hash === null || shortHash(task.approval.hash) === hash || task.approval.hash === hash) return task
  return { kind: 'conflict', sentence: PLAN_CHANGED, task }
}

async function decided(
  { store, clock }: DecideOptions,
  result: Extract<ApplyResult, { kind: 'conflict' }>,
  before: Task,
): Promise<Refusal> {
  const task = result.task ?? before
  if (task.status !== 'awaiting_approval') return { kind: 'conflict', sentence: whatHappened(task), task }
  if (task.approval.expiresAt > clock.now()) return { kind: 'conflict', sentence: PLAN_CHANGED, task }
  // No worker has come to it, so it is settled here: then a new plan can be asked for.
  const fence = { status: 'awaiting_approval', hash: task.approval.hash } as const
  const expired = await store.apply(task.id, { kind: 'expired' }, fence)
  const now = expired.task ?? task
  return { kind: 'conflict', sentence: whatHappened(now), task: now }
}

/** What became of a plan that somebody wants to decide on. */
function whatHappened(task: Task): string {
  const { approval } = task
  if (approval?.decision === null || approval === null) return `Task #${task.id} has no plan that waits for a decision.`
  if (approval.decision === 'expired') return `The plan of task #${task.id} has expired; retry it for a new one.`
  const by = approval.by === null ? '' : ` by ${approval.by.name}`
  const note = approval.note === null || approval.note === '' ? '' : ` (${approval.note})`
  return `The plan of task #${task.id} was already ${approval.decision}${by}${note}.`
}

function invalid(sentence: string): Refusal {
  return { kind: 'invalid', sentence }
}
