import { pipeline } from 'node:stream/promises'
import type { LogLine } from '../../../src/ports/workspace.ts'
import { cleanBytes } from '../clean-bytes.ts'
import type { CliDeps } from '../deps.ts'
import { EXIT, type ExitCode, refusalError } from '../exit.ts'
import { parseCount, parseTaskId, type Session, withClient } from '../session.ts'
import { logLine } from '../task-lines.ts'

export interface LogsOptions {
  lines: string
  follow?: boolean
  all?: boolean
  json?: boolean
}

export function logs(deps: CliDeps, word: string, options: LogsOptions): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    const taskId = parseTaskId(word)
    if (options.all === true && options.follow !== true && options.json !== true) return wholeLog(session, taskId)
    const count = options.all === true ? 10_000 : parseCount(options.lines, 10_000, '--lines')
    const { client } = session
    const outcome = await client.inbox.tail(client.actor, taskId, count)
    if (outcome.kind !== 'tail') throw refusalError(outcome)
    const json = options.json === true
    for (const line of outcome.tail.lines) printLine(session, line, json)
    if (options.follow !== true) return EXIT.done
    return follow(session, taskId, outcome.tail.lines.at(-1)?.nextOffset ?? outcome.tail.endOffset, json)
  })
}

/** Ctrl-C ends the following, not the task; so does a reader that has gone. */
async function follow(session: Session, taskId: number, offset: number, json: boolean): Promise<ExitCode> {
  const { client, deps } = session
  const stop = new AbortController()
  using _signals = deps.onSignal(() => stop.abort())
  const gone = new AbortController()
  deps.stdout.on('error', () => gone.abort())
  const signal = AbortSignal.any([stop.signal, gone.signal])
  const outcome = await client.inbox.follow(client.actor, taskId, offset, signal)
  if (outcome.kind !== 'lines') throw refusalError(outcome)
  for await (const line of outcome.lines) printLine(session, line, json)
  return stop.signal.aborted ? EXIT.cancelled : EXIT.done
}

function printLine({ printer }: Session, line: LogLine, json: boolean): void {
  const { offset, nextOffset, text, ours } = line
  if (json) printer.json({ offset, next_offset: nextOffset, text, ours })
  else printer.line(logLine(line, printer.style))
}

/** As it was printed when it goes to a file or a program; a terminal gets it cleaned. */
async function wholeLog({ client, deps, printer }: Session, taskId: number): Promise<ExitCode> {
  const outcome = await client.inbox.wholeLog(client.actor, taskId)
  if (outcome.kind !== 'log') throw refusalError(outcome)
  const end = { end: false }
  if (printer.isTerminal) await pipeline(outcome.stream, cleanBytes, deps.stdout, end)
  else await pipeline(outcome.stream, deps.stdout, end)
  return EXIT.done
}
