import type { Config } from '../../config/config.ts'
import { SetupError } from '../core/errors.ts'
import { createPolicy, type ExplainingPolicy } from '../policy/policy.ts'
import { rulesSchema } from '../policy/rules.ts'

/** The policy with the operator's rules. Throws SetupError naming every rule that is malformed, or the first whose examples do not hold. */
export function openPolicy({ policy, settingsFile }: Config): ExplainingPolicy {
  const rules = rulesSchema.safeParse(policy.rules)
  if (rules.success) return createPolicy({ rules: rules.data })
  const lines = rules.error.issues.map(({ path, message }) => `  policy.rules.${path.join('.')}: ${message}`)
  throw new SetupError(
    'policy_rule',
    `The policy rules are wrong:\n${lines.join('\n')}`,
    `Correct them in ${settingsFile}.`,
  )
}
