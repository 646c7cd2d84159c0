import { shortHash } from '../../../src/core/approval.ts'
import { COMMAND } from '../../../src/core/command.ts'
import type { Verb } from '../../../src/core/controls.ts'
import { currentRound, type Task } from '../../../src/core/task.ts'
import { acceptedJson } from '../../../src/core/task-json.ts'
import type { ActDetails, ActOutcome } from '../../../src/ports/inbox.ts'
import { askApproval } from '../ask-approval.ts'
import type { CliDeps } from '../deps.ts'
import { EXIT, type ExitCode, refusalError, usageError } from '../exit.ts'
import { createPlainView } from '../plain-view.ts'
import { getTask, parseTaskId, type Session, withClient } from '../session.ts'
import { noteMissingWorker, watchTask } from '../watch-task.ts'
import { attach } from './run.ts'

export interface ChildOptions {
  follow?: boolean
  json?: boolean
}

export function cancel(deps: CliDeps, words: readonly string[], options: { json?: boolean }): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    for (const taskId of words.map(parseTaskId)) {
      await tell(session, await act(session, 'cancel', taskId, null), options)
    }
    return EXIT.done
  })
}

/** A new task from an old one. */
export function again(
  deps: CliDeps,
  verb: 'retry' | 'rerun' | 'resume' | 'restart' | 'replan',
  word: string,
  options: ChildOptions,
): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    return await startedChild(session, await act(session, verb, parseTaskId(word), null), options)
  })
}

export function discard(deps: CliDeps, word: string, options: { json?: boolean }): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    return tell(session, await act(session, 'discard', parseTaskId(word), null), options)
  })
}

export function redeliver(deps: CliDeps, word: string, options: { json?: boolean }): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    const { client } = session
    return tell(session, done(await client.inbox.redeliver(client.actor, parseTaskId(word))), options)
  })
}

async function tell(
  { client, printer }: Session,
  { sentence, task }: { sentence: string; task: Task },
  { json }: { json?: boolean },
): Promise<ExitCode> {
  const { inbox, actor } = client
  if (json === true) printer.json({ sentence, task: await acceptedJson(task, inbox.queuePosition(actor, task)) })
  else printer.line(sentence)
  return EXIT.done
}

export function refine(
  deps: CliDeps,
  word: string,
  text: readonly string[],
  options: ChildOptions & { file: readonly string[] },
): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    const { client } = session
    const attachments = await attach(deps, options.file)
    const request = {
      actor: client.actor,
      taskId: parseTaskId(word),
      text: text.join(' '),
      attachments,
      dedupeKey: null,
    }
    return await startedChild(session, done(await client.inbox.refine(request)), options)
  })
}

async function startedChild(
  session: Session,
  child: { sentence: string; task: Task },
  { follow, json }: ChildOptions,
): Promise<ExitCode> {
  if (follow === true) return watchTask(session, child.task, { json: json === true })
  await tell(session, child, { json: json === true })
  await noteMissingWorker(session, child.task)
  return EXIT.done
}

export interface ApproveOptions {
  hash?: string
  yes?: boolean
  json?: boolean
}

/** Nobody approves what they have not seen: a hash names what was seen, `--yes` says that it does not matter, a terminal shows it and asks. */
export function approve(deps: CliDeps, word: string, options: ApproveOptions): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    const task = await getTask(session, parseTaskId(word))
    const hash = options.hash ?? (options.yes === true ? currentRound(task)?.hash : undefined)
    if (hash !== undefined) return await decide(session, 'approve', task.id, parseHash(hash), {}, options)
    if (task.status !== 'awaiting_approval') throw usageError(`Task #${task.id} does not wait for an approval.`)
    if (deps.stdin.isTTY !== true || !session.printer.isTerminal) {
      throw usageError(`Name the plan that you have seen with --hash; ${COMMAND} show ${task.id} has it. Or say --yes.`)
    }
    return await ask(session, task)
  })
}

async function ask(session: Session, task: Task): Promise<ExitCode> {
  const { deps, client, printer } = session
  const stop = new AbortController()
  using _signals = deps.onSignal(() => stop.abort())
  const view = createPlainView(printer)
  await askApproval({ deps, client, printer, view, onInterrupt: () => stop.abort() }, task, stop.signal)
  return stop.signal.aborted ? EXIT.cancelled : EXIT.done
}

export function reject(
  deps: CliDeps,
  word: string,
  options: { hash?: string; note?: string; json?: boolean },
): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    const hash = options.hash === undefined ? null : parseHash(options.hash)
    const details = options.note === undefined ? {} : { note: options.note }
    return await decide(session, 'reject', parseTaskId(word), hash, details, options)
  })
}

async function decide(
  session: Session,
  verb: 'approve' | 'reject',
  taskId: number,
  hash: string | null,
  details: ActDetails,
  options: { json?: boolean },
): Promise<ExitCode> {
  return tell(session, await act(session, verb, taskId, hash, details), options)
}

function parseHash(word: string): string {
  if (!/^[0-9a-f]{8,64}$/.test(word)) throw usageError(`"${word}" is not the hash of a plan.`)
  return shortHash(word)
}

async function act({ client }: Session, verb: Verb, taskId: number, hash: string | null, details: ActDetails = {}) {
  return done(await client.inbox.act(client.actor, { verb, taskId, hash }, details))
}

function done(outcome: ActOutcome): { sentence: string; task: Task } {
  if (outcome.kind !== 'done') throw refusalError(outcome)
  return outcome
}
