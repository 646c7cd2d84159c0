/** From a proposed plan to the round that is stored: policy's verdict on it, and the hash that an approval binds. */
import { planHash } from './approval.ts'
import type { PlannedRound } from './events.ts'
import type { NetworkRequest, Plan } from './plan.ts'
import type { PlanAuthor, Task } from './task.ts'
import { type PlanVerdict, riskRises } from './verdict.ts'

/** What commands run in on this machine, as far as it decides what they can do. */
export interface Box {
  /** 'full': every layer that is a promise is on; 'weak': some are missing; 'none': commands run on the host. */
  strength: 'full' | 'weak' | 'none'
  /** Whether an approved plan can be given the network. */
  givesNetwork: boolean
  /** Names of the layers that are on. */
  layers: readonly string[]
  environment: Readonly<Record<string, string>>
  limits: Readonly<Record<string, number>>
}

/** The policy, as far as a review needs it. */
export interface Reviewer {
  review(plan: Plan, box: Box): PlanVerdict
  /** What network the commands call for, whatever the plan itself asks for; null when none. */
  networkNeeded(plan: Plan): NetworkRequest | null
}

export interface Proposal {
  plan: Plan
  author: PlanAuthor
  round: number
  repairOf: string | null
}

/**
 * The verdict covers the whole list; a repair whose risk is higher than that of the round before asks even where policy allows.
 * A plan whose commands call for the network asks for it, also where its author forgot to ask or to name hosts: one question to a
 * person, not a failure.
 */
export function reviewRound(task: Task, proposal: Proposal, box: Box, reviewer: Reviewer): PlannedRound {
  const plan = { ...proposal.plan, network: networkOf(proposal.plan, reviewer) }
  const verdict = reviewer.review(plan, box)
  const before = proposal.repairOf === null ? undefined : task.rounds.at(-1)?.verdict
  return {
    ...proposal,
    plan,
    verdict: before === undefined ? verdict : askIfRiskRises(before, verdict),
    hash: hashFor(task, plan, proposal.round, box),
  }
}

function networkOf(plan: Plan, reviewer: Reviewer): NetworkRequest | null {
  if (plan.network === null) return reviewer.networkNeeded(plan)
  if (plan.network.hosts.length > 0) return plan.network
  return { ...plan.network, hosts: reviewer.networkNeeded(plan)?.hosts ?? [] }
}

/** The hash of a plan in the box as it is now; differs from the approved one when anything that matters has changed. */
export function hashFor(task: Task, plan: Plan, round: number, box: Box): string {
  return planHash(plan, {
    taskId: task.id,
    round,
    sandbox: box.strength === 'none' ? ['none'] : box.layers,
    environment: box.environment,
    limits: box.limits,
    inputs: task.inputs.map((input) => `${input.name}:${input.sizeBytes ?? ''}`),
    requester: `${task.requester.platform}:${task.requester.scope}:${task.requester.userId}`,
  })
}

/** Whether only an approver or an admin may approve it. */
export function isHighRisk(verdict: PlanVerdict): boolean {
  const badges = verdict.steps.flatMap((step) => step.badges)
  return badges.includes('privileged') || badges.includes('unreadable')
}

function askIfRiskRises(before: PlanVerdict, next: PlanVerdict): PlanVerdict {
  if (next.decision !== 'allow' || !riskRises(before, next)) return next
  return { ...next, decision: 'ask', reasons: [...next.reasons, 'The repair does more than the plan before it did.'] }
}
