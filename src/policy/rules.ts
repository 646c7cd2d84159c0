import { posix } from 'node:path'
import { z } from 'zod'
import { SetupError } from '../core/errors.ts'
import { type Decision, strictest } from '../core/verdict.ts'
import { matchesGlob } from './glob.ts'
import { networkUse, socketHost } from './network.ts'
import { readCommand } from './read-command.ts'
import type { Call, FileUse, Reading } from './reading.ts'

const pattern = z.string().min(1).max(200)
const examples = z.array(z.string().min(1).max(2000)).min(1).max(50)

/**
 * One rule of the operator. Everything that it names has to match the same command: `command` the program's name,
 * `args` each at least one argument, `path` an argument or a redirection that names that path, `redirect` a file that is
 * written by a redirection, `host` an address that is named or asked for. In all patterns `*` is any run of characters.
 * `matches` and `nonMatches` are commands that it must and must not apply to, checked when the program starts;
 * for a rule with a host only, they are host names.
 */
const ruleSchema = z
  .strictObject({
    name: z.string().min(1).max(80),
    decision: z.enum(['allow', 'ask', 'deny']),
    command: pattern.optional(),
    args: z.array(pattern).min(1).max(20).optional(),
    path: pattern.optional(),
    redirect: pattern.optional(),
    host: pattern.optional(),
    reason: z.string().max(300).optional(),
    matches: examples,
    nonMatches: examples,
  })
  .refine((rule) => [rule.command, rule.args, rule.path, rule.redirect, rule.host].some((part) => part !== undefined), {
    message: 'a rule needs at least one of command, args, path, redirect, host',
  })

/** The part of the settings file that the policy reads. */
export const rulesSchema = z.array(ruleSchema).max(500)
export type Rule = z.infer<typeof ruleSchema>

/** Rules whose examples hold. Made by checkRules only. */
export interface CheckedRules {
  /** The strictest of the rules that match a call, or a redirection; undefined when none does. */
  forCall(call: Call): Rule | undefined
  forFile(file: FileUse): Rule | undefined
  forHost(host: string): Rule | undefined
}

/** Checks every rule by its own examples; throws SetupError that names the first broken one. */
export function checkRules(rules: readonly Rule[]): CheckedRules {
  const names = new Set<string>()
  for (const rule of rules) {
    if (names.has(rule.name)) throw broken(rule, 'another rule has the same name')
    names.add(rule.name)
    for (const example of rule.matches)
      if (!applies(rule, example)) throw broken(rule, `it does not match "${example}"`)
    for (const example of rule.nonMatches) if (applies(rule, example)) throw broken(rule, `it matches "${example}"`)
  }
  return {
    forCall: (call) => strictestRule(rules.filter((rule) => matchesCall(rule, call))),
    forFile: (file) => strictestRule(rules.filter((rule) => matchesFile(rule, file))),
    forHost: (host) => strictestRule(rules.filter((rule) => isHostRule(rule) && matchesHost(rule, host))),
  }
}

function broken(rule: Rule, why: string): SetupError {
  const fix = 'Change the rule or its examples in the settings file.'
  return new SetupError('policy_rule', `The policy rule "${rule.name}" is broken: ${why}.`, fix)
}

/** Whether a rule applies to any part of an example. */
function applies(rule: Rule, example: string): boolean {
  if (isHostRule(rule)) return matchesHost(rule, example)
  const reading: Reading = readCommand(example)
  if (reading.problem !== null) throw broken(rule, `its example "${example}" cannot be read: ${reading.problem}`)
  return reading.calls.some((call) => matchesCall(rule, call)) || reading.files.some((file) => matchesFile(rule, file))
}

function strictestRule(rules: readonly Rule[]): Rule | undefined {
  const worst: Decision = strictest(rules.map((rule) => rule.decision))
  return rules.find((rule) => rule.decision === worst)
}

function matchesCall(rule: Rule, call: Call): boolean {
  if (rule.redirect !== undefined || isHostRule(rule)) return false
  if (rule.command !== undefined && !(call.name !== '' && matchesGlob(rule.command, call.name))) return false
  if (rule.args?.some((wanted) => !call.args.some((arg) => matchesGlob(wanted, arg.text)))) return false
  if (rule.path !== undefined && !call.args.some((arg) => matchesPath(rule.path ?? '', arg.text))) return false
  return rule.host === undefined || (networkUse(call)?.hosts ?? []).some((host) => matchesHost(rule, host))
}

/** A redirection stands beside the commands: rules that name a command or its arguments say nothing about it. */
function matchesFile(rule: Rule, file: FileUse): boolean {
  if (rule.command !== undefined || rule.args !== undefined) return false
  if (rule.redirect !== undefined && !(file.mode === 'writes' && matchesPath(rule.redirect, file.target.text)))
    return false
  if (rule.path !== undefined && !matchesPath(rule.path, file.target.text)) return false
  if (rule.host === undefined) return rule.redirect !== undefined || rule.path !== undefined
  return !isHostRule(rule) && matchesHost(rule, socketHost(file.target.text) ?? '')
}

/** Also as an option's value (`--file=/etc/passwd`), and however the path is written. */
function matchesPath(wanted: string, text: string): boolean {
  const value = /^-[^=]*=(.*)$/s.exec(text)?.[1] ?? /^[a-z]+=(.*)$/s.exec(text)?.[1]
  const forms = value === undefined ? [text] : [text, value]
  return forms.some((form) => matchesGlob(wanted, form) || matchesGlob(wanted, posix.normalize(form)))
}

function matchesHost(rule: Rule, host: string): boolean {
  return rule.host !== undefined && matchesGlob(rule.host.toLowerCase(), host.toLowerCase())
}

function isHostRule(rule: Rule): boolean {
  return (
    rule.host !== undefined && [rule.command, rule.args, rule.path, rule.redirect].every((part) => part === undefined)
  )
}
