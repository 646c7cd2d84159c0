/** Policy's review of a plan, and what only the program knows: that it holds one of its secrets. */
import type { Plan } from '../core/plan.ts'
import { type Redactor, SECRET_MARK } from '../core/redact.ts'
import type { Reviewer } from '../core/review.ts'
import type { PlanVerdict, StepVerdict } from '../core/verdict.ts'
import type { Policy } from '../ports/policy.ts'

/**
 * Secrets are hidden before anything is stored, so a command with one could only run as something else than what was
 * approved. It is refused, and so is one in which a secret has been hidden already.
 */
const HOLDS_SECRET =
  'Not allowed: it holds a secret, and secrets are neither stored nor run. Attach a file that has it, or name it under sandbox.environment in the settings.'

export function createReviewer(policy: Policy, redactor: Redactor): Reviewer {
  return {
    review(plan, box) {
      const verdict = policy.review(plan, { sandbox: box.strength, networkPossible: box.givesNetwork })
      return refuseSecrets(plan, verdict, (text) => text.includes(SECRET_MARK) || redactor.text(text).count > 0)
    },
    networkNeeded: (plan) => policy.networkNeeded(plan),
  }
}

function refuseSecrets(plan: Plan, verdict: PlanVerdict, holdsSecret: (text: string) => boolean): PlanVerdict {
  const steps = verdict.steps.map((step, index) => (holdsSecret(plan.commands[index] ?? '') ? refused(step) : step))
  const inNetwork = plan.network !== null && holdsSecret([plan.network.reason, ...plan.network.hosts].join('\n'))
  if (!inNetwork && steps.every((step, index) => step === verdict.steps[index])) return verdict
  const reasons = inNetwork ? [HOLDS_SECRET, ...verdict.reasons] : verdict.reasons
  return { ...verdict, decision: 'deny', reasons, steps }
}

function refused(step: StepVerdict): StepVerdict {
  return { ...step, decision: 'deny', reasons: [HOLDS_SECRET, ...step.reasons] }
}
