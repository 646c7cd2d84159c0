/** What policy says of a plan, before it may run. Computed by code from the commands, never by the model. */

export type Decision = 'allow' | 'ask' | 'deny'

export const RISK_BADGES = ['reads', 'writes', 'deletes', 'network', 'privileged', 'unreadable'] as const
export type RiskBadge = (typeof RISK_BADGES)[number]

export interface StepVerdict {
  decision: Decision
  badges: RiskBadge[]
  /** One sentence each, for people and, on deny, for the model. Empty on a plain allow. */
  reasons: string[]
}

export interface PlanVerdict {
  /** The strictest of the steps and of what the plan asks for as a whole. */
  decision: Decision
  reasons: string[]
  steps: StepVerdict[]
  /** What it was decided for, and so what the plan runs in: any other box makes its hash another. Missing in rounds of before this was kept. */
  sandbox?: 'full' | 'weak' | 'none'
}

const ORDER: Record<Decision, number> = { allow: 0, ask: 1, deny: 2 }

/** The strictest of several decisions; allow for none. */
export function strictest(decisions: Iterable<Decision>): Decision {
  let worst: Decision = 'allow'
  for (const decision of decisions) if (ORDER[decision] > ORDER[worst]) worst = decision
  return worst
}

const RISK: Record<RiskBadge, number> = { reads: 0, writes: 1, deletes: 2, network: 3, unreadable: 4, privileged: 5 }

/** Whether `next` has a risk higher than any of `before`: then a repair asks again even where policy allows. */
export function riskRises(before: PlanVerdict, next: PlanVerdict): boolean {
  return highestRisk(next) > highestRisk(before)
}

function highestRisk(verdict: PlanVerdict): number {
  return Math.max(0, ...verdict.steps.flatMap((step) => step.badges.map((badge) => RISK[badge])))
}

/** Every reason of a verdict in one text, the steps' with their numbers. */
export function allReasons(verdict: PlanVerdict): string {
  const steps = verdict.steps.flatMap((step, index) => step.reasons.map((reason) => `command ${index + 1}: ${reason}`))
  return [...verdict.reasons, ...steps].join(' ')
}
