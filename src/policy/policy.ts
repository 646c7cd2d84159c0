import type { NetworkRequest, Plan } from '../core/plan.ts'
import { type Decision, type PlanVerdict, type RiskBadge, type StepVerdict, strictest } from '../core/verdict.ts'
import type { Policy, PolicyContext } from '../ports/policy.ts'
import { type Finding, judge, stepVerdict } from './judge.ts'
import { isLoopback, networkUse, socketHost } from './network.ts'
import { readCommand } from './read-command.ts'
import type { Reading } from './reading.ts'
import { type CheckedRules, checkRules, type Rule } from './rules.ts'

/** Why a command gets the decision that it gets, part by part, for `assistant policy check`. */
export interface Explanation {
  decision: Decision
  badges: readonly RiskBadge[]
  reasons: readonly string[]
  parts: readonly Finding[]
}

export interface ExplainingPolicy extends Policy {
  /** Never throws. The same decision that `review` gives a plan of this one command that asks for this network, or for none. */
  explain(command: string, context: PolicyContext, network?: NetworkRequest | null): Explanation
}

/** `rules` as rulesSchema reads them from the settings. Throws SetupError, naming the rule, when one fails its own examples. */
export function createPolicy(options: { rules: readonly Rule[] }): ExplainingPolicy {
  const rules = checkRules(options.rules)
  return {
    review: (plan, context) => review(plan, context, rules),
    networkNeeded,
    explain(command, context, network = null) {
      const parts = judge(readCommand(command), { rules, context, networkAsked: network !== null })
      if (network !== null) parts.push({ part: 'network', badges: [], ...judgeNetwork(network, context, rules) })
      return { ...stepVerdict(parts), parts }
    },
  }
}

function review(plan: Plan, context: PolicyContext, rules: CheckedRules): PlanVerdict {
  const networkAsked = plan.network !== null
  const steps: StepVerdict[] = plan.commands.map((command) =>
    stepVerdict(judge(readCommand(command), { rules, context, networkAsked })),
  )
  const network = plan.network === null ? undefined : judgeNetwork(plan.network, context, rules)
  const decision = strictest([...steps.map((step) => step.decision), network?.decision ?? 'allow'])
  const reasons = network === undefined || network.reason === null ? [] : [network.reason]
  return { decision, reasons, steps, sandbox: context.sandbox }
}

/** Named hosts that rules allow need no person; any other host, or none named (which gives none), does. */
function judgeNetwork(
  request: NetworkRequest,
  context: PolicyContext,
  rules: CheckedRules,
): Pick<Finding, 'decision' | 'reason' | 'rule'> {
  if (context.networkPossible === false && context.sandbox !== 'none') {
    return { decision: 'deny', reason: 'Not allowed: it asks for the network, and there is none here.', rule: null }
  }
  const named = request.hosts.map((host) => ({ host, rule: rules.forHost(host) }))
  const refused = named.filter(({ rule }) => rule?.decision === 'deny')
  if (refused.length > 0) {
    const hosts = refused.map(({ host }) => host).join(', ')
    return { decision: 'deny', reason: `Not allowed: the network to ${hosts}.`, rule: namesOf(refused) }
  }
  if (named.length > 0 && named.every(({ rule }) => rule?.decision === 'allow')) {
    return { decision: 'allow', reason: null, rule: namesOf(named) }
  }
  const where = request.hosts.length === 0 ? 'no host is named, so none can be reached' : request.hosts.join(', ')
  const why = request.reason === '' ? '' : ` (${request.reason})`
  const asking = named.filter(({ rule }) => rule?.decision === 'ask')
  return { decision: 'ask', reason: `It asks for the network: ${where}${why}.`, rule: namesOf(asking) }
}

function namesOf(found: readonly { rule: Rule | undefined }[]): string | null {
  const names = new Set(found.flatMap(({ rule }) => (rule === undefined ? [] : [rule.name])))
  return names.size === 0 ? null : [...names].join(', ')
}

function networkNeeded(plan: Plan): NetworkRequest | null {
  const readings = plan.commands.map(readCommand)
  const programs = new Set<string>()
  const hosts = new Set<string>()
  for (const reading of readings) noteNetwork(reading, programs, hosts)
  if (programs.size === 0) return null
  return { reason: `needed by ${[...programs].slice(0, 5).join(', ')}`, hosts: [...hosts].slice(0, 32) }
}

function noteNetwork(reading: Reading, programs: Set<string>, hosts: Set<string>): void {
  for (const call of reading.calls) {
    const use = networkUse(call)
    if (use === undefined) continue
    programs.add(call.name)
    for (const host of use.hosts) hosts.add(host)
  }
  for (const { target } of reading.files) {
    const host = socketHost(target.text)
    if (host === undefined || isLoopback(host)) continue
    programs.add('/dev/tcp')
    if (target.isStatic) hosts.add(host)
  }
}
