import { existsSync } from 'node:fs'
import type { PolicyExplanation } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import { createRedactor } from '../core/redact.ts'
import type { Box } from '../core/review.ts'
import { knownBox } from './box.ts'
import { openParts } from './parts.ts'
import { openPolicy } from './policy.ts'
import { createReviewer } from './review.ts'

type Strength = Pick<Box, 'strength' | 'givesNetwork'>

/** What policy says of one command, part by part, in the sandbox that a worker has measured here; before that, in the one that the settings ask for. */
export async function explainPolicy(config: Config, command: string): Promise<PolicyExplanation> {
  const policy = openPolicy(config)
  const reviewer = createReviewer(policy, createRedactor({ secrets: config.secrets }))
  const box = await strengthOf(config)
  const bare = { commands: [command], summary: '', network: null }
  const plan = { ...bare, network: reviewer.networkNeeded(bare) }
  const context = { sandbox: box.strength, networkPossible: box.givesNetwork }
  const { parts } = policy.explain(command, context, plan.network)
  return {
    verdict: reviewer.review(plan, { ...box, layers: [], environment: {}, limits: {} }),
    parts,
    sandbox: box.strength,
  }
}

async function strengthOf(config: Config): Promise<Strength> {
  if (config.sandbox.kind === 'none') return { strength: 'none', givesNetwork: true }
  const measured = existsSync(config.databaseFile) ? await measuredBox(config) : undefined
  // A note of a time without a sandbox says nothing of the one that the settings ask for now.
  return measured === undefined || measured.strength === 'none' ? { strength: 'full', givesNetwork: true } : measured
}

async function measuredBox(config: Config): Promise<Box | undefined> {
  await using parts = await openParts(config, { writeLog: () => undefined })
  return knownBox(parts.store)
}
