/** From a reading to a verdict on one step: each part gets its own decision, so that a rule for one part never excuses another. */
import { type Decision, RISK_BADGES, type RiskBadge, type StepVerdict, strictest } from '../core/verdict.ts'
import type { PolicyContext } from '../ports/policy.ts'
import { beyondSandbox, redirectRuin, ruin } from './harm.ts'
import { outsideNarrow } from './narrow.ts'
import { isLoopback, networkUse, socketHost } from './network.ts'
import { fileBadges } from './programs.ts'
import type { Call, FileUse, Reading } from './reading.ts'
import type { CheckedRules, Rule } from './rules.ts'

/** What one part of a step (a call, a redirection, or the step as a whole) leads to. */
export interface Finding {
  /** For people: "rm -rf build", "> out.txt", or '' for the step as a whole. */
  part: string
  badges: readonly RiskBadge[]
  decision: Decision
  reason: string | null
  /** The operator's rule that decided, by name. */
  rule: string | null
}

export interface JudgeOptions {
  rules: CheckedRules
  context: PolicyContext
  /** The plan asks for the network, and that is decided for the plan as a whole. */
  networkAsked: boolean
}

export function judge(reading: Reading, options: JudgeOptions): Finding[] {
  if (reading.problem !== null) {
    return [whole('deny', `This cannot be read, so it cannot be allowed: ${reading.problem}.`, ['unreadable'])]
  }
  const findings = [
    ...reading.calls.map((call) => judgeCall(call, options)),
    ...reading.files.map((file) => judgeFile(file, options)),
    ...reading.unreadable.map((why) => unreadable(why, options.context)),
    ...reading.doubtful.map((why) => whole('ask', `A text for another shell cannot be read: ${why}.`, ['unreadable'])),
  ]
  if (reading.isForkBomb) findings.push(whole('deny', 'It starts itself without end (a fork bomb).', []))
  if (options.context.sandbox === 'none') findings.push(...judgeWithoutSandbox(reading, findings))
  return findings
}

export function stepVerdict(findings: readonly Finding[]): StepVerdict {
  const badges = new Set(findings.flatMap((finding) => finding.badges))
  const decision = strictest(findings.map((finding) => finding.decision))
  const reasons = findings.flatMap((finding) => (finding.reason === null ? [] : [finding.reason]))
  return {
    decision,
    badges: RISK_BADGES.filter((badge) => badges.has(badge)),
    reasons: [...new Set(reasons)],
  }
}

function judgeCall(call: Call, options: JudgeOptions): Finding {
  const network = networkUse(call)
  const badges: RiskBadge[] = [...fileBadges(call), ...(network === undefined ? [] : ['network' as const])]
  const part = shown(call)
  const harm = ruin(call)
  const refused = harm ?? (options.context.sandbox === 'none' ? undefined : beyondSandbox(call))
  if (refused !== undefined) {
    const all = harm === undefined ? [...badges, 'privileged' as const] : badges
    return { part, badges: all, decision: 'deny', reason: sentence(refused), rule: null }
  }
  const byDefault = network === undefined ? PLAIN : judgeNetwork(call.name, options)
  return withRule({ part, badges, ...byDefault, rule: null }, options.rules.forCall(call))
}

function judgeFile(file: FileUse, options: JudgeOptions): Finding {
  const host = socketHost(file.target.text)
  const goesOut = host !== undefined && !isLoopback(host)
  const badges: RiskBadge[] = [...(isNowhere(file) ? [] : [file.mode]), ...(goesOut ? ['network' as const] : [])]
  const part = `${file.mode === 'writes' ? '>' : '<'} ${clip(file.target.text)}`
  const harm = redirectRuin(file)
  if (harm !== undefined)
    return { part, badges: [...badges, 'privileged'], decision: 'deny', reason: sentence(harm), rule: null }
  const byDefault = goesOut ? judgeNetwork(clip(file.target.text), options) : PLAIN
  return withRule({ part, badges, ...byDefault, rule: null }, options.rules.forFile(file))
}

function isNowhere({ target }: FileUse): boolean {
  return /^\/dev\/(?:null|stdin|stdout|stderr|tty|fd\/[0-9]+)$/.test(target.text)
}

/** A rule lifts or sets what is asked, never what is refused by itself; those do not come here. */
function withRule(finding: Finding, rule: Rule | undefined): Finding {
  if (rule === undefined) return finding
  if (rule.decision === 'allow') return { ...finding, decision: 'allow', reason: null, rule: rule.name }
  const reason = rule.reason ?? `The rule "${rule.name}" says: ${rule.decision}.`
  return { ...finding, decision: rule.decision, reason, rule: rule.name }
}

const PLAIN = { decision: 'allow', reason: null } as const

/** A program that goes out: decided for the plan as a whole, a question for a person, or a try that fails in the box. */
function judgeNetwork(what: string, { context, networkAsked }: JudgeOptions): Pick<Finding, 'decision' | 'reason'> {
  if (networkAsked) return PLAIN
  if (context.networkPossible === false && context.sandbox !== 'none') {
    return { decision: 'allow', reason: `"${what}" needs the network, and there is none here: it will fail.` }
  }
  return { decision: 'ask', reason: `"${what}" needs the network, which the plan does not ask for.` }
}

function unreadable(why: string, context: PolicyContext): Finding {
  const decision = context.sandbox === 'full' ? 'allow' : 'ask'
  return whole(decision, `A part cannot be read before it runs: ${why}.`, ['unreadable'])
}

/** Without a sandbox nothing but the narrow list goes unasked, unless the operator's rules allow every single part. */
function judgeWithoutSandbox(reading: Reading, findings: readonly Finding[]): Finding[] {
  const why = outsideNarrow(reading)
  if (why === undefined) return []
  const everyPartAllowed =
    findings.length > 0 && findings.every((finding) => finding.rule !== null && finding.decision === 'allow')
  if (everyPartAllowed && reading.isPlain) return []
  return [whole('ask', `There is no sandbox here, and ${why}.`, [])]
}

function whole(decision: Decision, reason: string, badges: readonly RiskBadge[]): Finding {
  return { part: '', badges, decision, reason, rule: null }
}

function shown(call: Call): string {
  return clip([call.path, ...call.args.map((arg) => arg.text)].join(' '))
}

function clip(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 119).toWellFormed()}…`
}

function sentence(clause: string): string {
  return `Not allowed: ${clause}.`
}
