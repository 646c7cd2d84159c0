import { createRequire } from 'node:module'
import type { Config } from '../../config/config.ts'
import { SetupError } from '../core/errors.ts'
import type { ExplainingPolicy } from '../policy/policy.ts'
import type { Policy } from '../ports/policy.ts'

const require = createRequire(import.meta.url)

/** The policy with the operator's rules. Throws SetupError naming every rule that is malformed, or the first whose examples do not hold. */
export function openPolicy({ policy, settingsFile }: Config): ExplainingPolicy {
  const { createPolicy }: typeof import('../policy/policy.ts') = require('../policy/policy.ts')
  const { rulesSchema }: typeof import('../policy/rules.ts') = require('../policy/rules.ts')
  const rules = rulesSchema.safeParse(policy.rules)
  if (rules.success) return createPolicy({ rules: rules.data })
  const lines = rules.error.issues.map(({ path, message }) => `  policy.rules.${path.join('.')}: ${message}`)
  throw new SetupError(
    'policy_rule',
    `The policy rules are wrong:\n${lines.join('\n')}`,
    `Correct them in ${settingsFile}.`,
  )
}

/**
 * The same for who judges plans seldom: where there are no rules to be checked, what reads commands is loaded with the first plan.
 * Throws as openPolicy does, at once.
 */
export function openPolicyLater(config: Config): Policy {
  let policy = config.policy.rules.length === 0 ? undefined : openPolicy(config)
  const opened = () => {
    policy ??= openPolicy(config)
    return policy
  }
  return {
    review: (plan, context) => opened().review(plan, context),
    networkNeeded: (plan) => opened().networkNeeded(plan),
  }
}
