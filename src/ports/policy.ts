import type { Plan } from '../core/plan.ts'
import type { PlanVerdict } from '../core/verdict.ts'

export interface PolicyContext {
  /** 'full': every layer of the sandbox that is a promise; 'weak': some are missing; 'none': commands run on the host. */
  sandbox: 'full' | 'weak' | 'none'
}

/** Reads commands and decides. Pure and synchronous; the same input gives the same verdict. */
export interface Policy {
  /** Never throws: what cannot be read is denied or asked about, with the reason. */
  review(plan: Plan, context: PolicyContext): PlanVerdict
}
