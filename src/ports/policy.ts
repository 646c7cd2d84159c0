import type { NetworkRequest, Plan } from '../core/plan.ts'
import type { PlanVerdict } from '../core/verdict.ts'

export interface PolicyContext {
  /** 'full': every layer of the sandbox that is a promise; 'weak': some are missing; 'none': commands run on the host. */
  sandbox: 'full' | 'weak' | 'none'
  /** False: the sandbox has no network to give, so asking a person for it is no use. True when left out. */
  networkPossible?: boolean
}

/** Reads commands and decides. Pure and synchronous; the same input gives the same verdict. */
export interface Policy {
  /** Never throws: what cannot be read is denied or asked about, with the reason. */
  review(plan: Plan, context: PolicyContext): PlanVerdict
  /**
   * The network that the plan's programs call for, with the hosts that stand plainly in their words; null when none does.
   * For a plan that asks for none although its commands cannot work without: a person's own commands (verbatim), who has no
   * other way to ask, or a model that forgot. Given to `review` as `plan.network`, it becomes one question to a person.
   */
  networkNeeded(plan: Plan): NetworkRequest | null
}
