/**
 * What exactly is approved, and the only way to get something that a sandbox will run.
 * A hash covers the command bytes and everything that decides what they can do; change one and the approval is void.
 */
import { createHash } from 'node:crypto'
import type { Plan } from './plan.ts'
import type { Person } from './task.ts'
import type { PlanVerdict } from './verdict.ts'

/** What the commands run in, as far as it decides what they can do. */
export interface RunTerms {
  taskId: number
  round: number
  /** Layers of the sandbox that are on, sorted; or ['none']. */
  sandbox: readonly string[]
  /** Names and values that the operator lets through. */
  environment: Readonly<Record<string, string>>
  limits: Readonly<Record<string, number>>
  inputs: readonly string[]
  requester: string
}

declare const approved: unique symbol

/** A plan that may run: policy allowed it, or a person approved this very hash. Made by `allowPlan` and `approvePlan` only. */
export interface ApprovedPlan {
  readonly [approved]: true
  readonly hash: string
  readonly plan: Plan
  readonly by: Person | 'policy'
}

/** Hex SHA-256 over the plan and its terms; equal inputs give equal hashes on every machine. */
export function planHash(plan: Plan, terms: RunTerms): string {
  const sorted = {
    commands: plan.commands,
    network: plan.network,
    taskId: terms.taskId,
    round: terms.round,
    sandbox: [...terms.sandbox].sort(),
    environment: Object.entries(terms.environment).sort(byKey),
    limits: Object.entries(terms.limits).sort(byKey),
    inputs: [...terms.inputs].sort(),
    requester: terms.requester,
  }
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}

/** The form of a hash that people see and buttons carry. */
export function shortHash(hash: string): string {
  return hash.slice(0, 8)
}

/** A plan that policy allows as it is; undefined when it does not. */
export function allowPlan(plan: Plan, hash: string, verdict: PlanVerdict): ApprovedPlan | undefined {
  return verdict.decision === 'allow' ? brand({ hash, plan, by: 'policy' }) : undefined
}

/** A plan whose hash, computed afresh, is the one that `by` approved; undefined when anything has changed since. */
export function approvePlan(plan: Plan, hash: string, approvedHash: string, by: Person): ApprovedPlan | undefined {
  return hash === approvedHash ? brand({ hash, plan, by }) : undefined
}

function brand(plan: Omit<ApprovedPlan, typeof approved>): ApprovedPlan {
  // The one cast: the brand exists for the compiler only.
  return Object.freeze(plan) as ApprovedPlan
}

function byKey(a: [string, unknown], b: [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}
