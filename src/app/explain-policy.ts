import type { PolicyExplanation } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import { openPolicy } from './policy.ts'

/** What policy says of one command, in the sandbox that the settings ask for. */
export function explainPolicy(config: Config, command: string): PolicyExplanation {
  const sandbox = config.sandbox.kind === 'none' ? 'none' : 'full'
  const policy = openPolicy(config)
  return { verdict: policy.review({ commands: [command], summary: '', network: null }, { sandbox }), sandbox }
}
