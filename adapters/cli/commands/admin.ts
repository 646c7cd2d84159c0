import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { COMMAND } from '../../../src/core/command.ts'
import { auditJson } from '../../../src/core/task-json.ts'
import { oneLine, visibleControls } from '../../../src/core/text.ts'
import type { CliDeps, Dialogue, DoctorCheck, PolicyPart } from '../deps.ts'
import { EXIT, type ExitCode, refusalError } from '../exit.ts'
import { createPrinter, type Printer } from '../printer.ts'
import { parseCount, parseTaskId, withClient } from '../session.ts'
import { renderTable } from '../table.ts'

export interface AuditOptions {
  task?: string
  limit: string
  before?: string
  json?: boolean
}

export function audit(deps: CliDeps, options: AuditOptions): Promise<ExitCode> {
  return withClient(deps, { create: false }, async ({ client, printer }) => {
    const outcome = await client.inbox.audit(client.actor, {
      limit: parseCount(options.limit, 200, '--limit'),
      ...(options.task === undefined ? {} : { taskId: parseTaskId(options.task) }),
      ...(options.before === undefined ? {} : { beforeId: parseTaskId(options.before) }),
    })
    if (outcome.kind !== 'entries') throw refusalError(outcome)
    if (options.json === true) {
      printer.json({ entries: outcome.entries.map(auditJson) })
      return EXIT.done
    }
    const columns = [
      { title: 'WHEN' },
      { title: 'WHO' },
      { title: 'ACTION' },
      { title: 'TASK', align: 'right' },
      { title: 'DETAIL', flexible: true },
    ] as const
    const rows = outcome.entries.map((entry) => [
      new Date(entry.at).toISOString().slice(0, 19).replace('T', ' '),
      `${oneLine(entry.actor.name, 20)} (${entry.actor.platform})`,
      `${entry.allowed ? '' : 'refused: '}${oneLine(entry.action, 30)}`,
      entry.taskId === null ? '' : String(entry.taskId),
      oneLine(entry.detail, 300),
    ])
    if (rows.length === 0) printer.line('Nothing yet.')
    else for (const line of renderTable(columns, rows, printer.width)) printer.line(line)
    return EXIT.done
  })
}

export function breaker(deps: CliDeps, options: { reset?: boolean; json?: boolean }): Promise<ExitCode> {
  return withClient(deps, { create: false }, async ({ client, printer }) => {
    const reset = options.reset === true
    const outcome = await (reset ? client.inbox.resetLoops(client.actor) : client.inbox.stoppedLoops(client.actor))
    if (outcome.kind !== 'loops') throw refusalError(outcome)
    const { loops } = outcome
    if (options.json === true) printer.json({ reset, loops })
    else if (loops.length === 0) printer.line('Nothing is stopped.')
    else for (const { at, why } of loops) printer.line(`${new Date(at).toISOString()}  ${oneLine(why, 500)}`)
    if (loops.length > 0) printer.note(reset ? 'They go on.' : `Let them go on: ${COMMAND} breaker --reset`)
    return EXIT.done
  })
}

const DECISION_STYLES = { allow: 'green', ask: 'yellow', deny: 'red' } as const
const DECISION_WORDS = {
  allow: 'allow: it runs without asking anybody',
  ask: 'ask: a person has to approve it',
  deny: 'deny: it is never run',
} as const

export async function policyCheck(deps: CliDeps, command: string, options: { json?: boolean }): Promise<ExitCode> {
  const printer = createPrinter(deps)
  const { verdict, parts, sandbox } = await deps.explainPolicy(command)
  if (options.json === true) {
    printer.json({ command, sandbox, ...verdict, parts })
    return EXIT.done
  }
  printer.line(printer.style(['bold', DECISION_STYLES[verdict.decision]], DECISION_WORDS[verdict.decision]))
  for (const line of visibleControls(command).split('\n')) printer.line(`   ${line}`)
  const badges = [...new Set(verdict.steps.flatMap((step) => step.badges))]
  if (badges.length > 0) printer.line(`   ${badges.join(' · ')}`)
  const shown = new Set<string | null>()
  for (const part of parts) {
    printer.line(`   ${partLine(part, printer)}`)
    shown.add(part.reason)
  }
  for (const reason of new Set([...verdict.reasons, ...verdict.steps.flatMap((step) => step.reasons)])) {
    if (!shown.has(reason)) printer.line(`   ${oneLine(reason, 500)}`)
  }
  printer.line(printer.style('dim', `   decided for a sandbox that is ${SANDBOX_WORDS[sandbox]}`))
  return EXIT.done
}

/** "deny   rsync -a . host:dir — rule "no-uploads": Nothing leaves this server by rsync." */
function partLine({ part, decision, rule, reason }: PolicyPart, printer: Printer): string {
  const name = part === '' ? 'the whole command' : oneLine(visibleControls(part), 150)
  const why = [rule === null ? '' : `rule "${oneLine(rule, 80)}"`, reason === null ? '' : oneLine(reason, 500)]
  const because = why.filter((each) => each !== '').join(': ')
  return `${printer.style(DECISION_STYLES[decision], decision.padEnd(5))} ${name}${because === '' ? '' : ` — ${because}`}`
}

const SANDBOX_WORDS = { full: 'complete', weak: 'weaker than it should be', none: 'off' } as const

const MARKS = { ok: '✔', warning: '!', failed: '✖' } as const
const STYLES = { ok: 'green', warning: 'yellow', failed: 'red' } as const

export async function doctor(deps: CliDeps, options: { live?: boolean; json?: boolean }): Promise<ExitCode> {
  const printer = createPrinter(deps)
  const checks = await deps.doctor({ live: options.live === true })
  const failed = checks.some((check) => check.state === 'failed')
  if (options.json === true) printer.json({ ok: !failed, checks })
  else for (const line of checks.flatMap((check) => checkLines(check))) printer.line(line)
  return failed ? EXIT.failed : EXIT.done

  function checkLines({ name, state, detail, fix }: DoctorCheck): string[] {
    const line = `${printer.style(STYLES[state], MARKS[state])} ${name}${detail === '' ? '' : `: ${oneLine(detail, 500)}`}`
    return fix === null ? [line] : [line, printer.style('cyan', `    → ${oneLine(fix, 500)}`)]
  }
}

export async function setup(deps: CliDeps, platform: 'slack' | 'discord'): Promise<ExitCode> {
  using dialogue = openDialogue(deps)
  return (await deps.setup(platform, dialogue)) ? EXIT.done : EXIT.failed
}

export async function init(deps: CliDeps): Promise<ExitCode> {
  using dialogue = openDialogue(deps)
  return (await deps.init(dialogue)) ? EXIT.done : EXIT.failed
}

/** Questions on stderr, so that what set-up prints (a manifest) can be redirected. */
function openDialogue({ stdin, stdout, stderr }: CliDeps): Dialogue & Disposable {
  let isSecret = false
  const echo = new Writable({
    write(chunk, _encoding, done) {
      if (!isSecret) stderr.write(chunk)
      done()
    },
  })
  const isTerminal = stdin.isTTY === true
  const readline = createInterface({ input: stdin, output: echo, terminal: isTerminal })
  // Piped answers come all at once: those to later questions are kept until they are asked.
  const lines = readline[Symbol.asyncIterator]()
  return {
    say: (line) => void stdout.write(`${line}\n`),
    async ask(question, { secret = false } = {}) {
      stderr.write(question)
      isSecret = secret && isTerminal
      const { value, done } = await lines.next()
      if (isSecret) stderr.write('\n')
      isSecret = false
      // The input ended or Ctrl-C was pressed: there is nobody to ask.
      return done === true ? undefined : value
    },
    [Symbol.dispose]: () => readline.close(),
  }
}

export async function backup(deps: CliDeps, file: string, options: { json?: boolean }): Promise<ExitCode> {
  const printer = createPrinter(deps)
  await deps.backup(file)
  if (options.json === true) printer.json({ path: file })
  else printer.line(`Saved to ${file}.`)
  return EXIT.done
}
