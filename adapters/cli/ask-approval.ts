/** On a terminal: shows the plan and asks yes, no or edit. Elsewhere: says how to decide from somewhere else. */
import { createInterface } from 'node:readline/promises'
import { shortHash } from '../../src/core/approval.ts'
import { errorLine } from '../../src/core/errors.ts'
import { currentRound, type Task } from '../../src/core/task.ts'
import type { ActDetails } from '../../src/ports/inbox.ts'
import type { CliClient, CliDeps } from './deps.ts'
import { editCommands } from './edit-commands.ts'
import type { Printer } from './printer.ts'
import { approvalLines, decideHint } from './task-lines.ts'
import type { TaskView } from './task-view.ts'

export interface Asking {
  deps: Pick<CliDeps, 'stdin' | 'stdout' | 'timeZone' | 'editor'>
  client: CliClient
  printer: Printer
  view: TaskView
  /** Ctrl-C at the prompt does not reach the process as a signal. */
  onInterrupt(): void
}

type Answer = { verb: 'approve' } | { verb: 'reject'; note: string } | { verb: 'edit' }

/**
 * Settles when the person has decided, does not want to, or `signal` says that it is decided. Never rejects.
 * Until then nothing else reads the terminal or draws on it: the next one begins when this one has settled.
 */
export async function askApproval(asking: Asking, task: Task, signal: AbortSignal): Promise<void> {
  const { deps, client, printer, view } = asking
  view.pause()
  const { maxRounds, sandboxWarning } = client
  const context = { timeZone: deps.timeZone, maxRounds, sandboxWarning }
  for (const line of approvalLines(task, context, printer.style)) printer.line(line)
  if (deps.stdin.isTTY === true && printer.isTerminal) await decide(asking, task, signal)
  else printer.line(decideHint(task))
  view.resume()
}

async function decide(asking: Asking, task: Task, signal: AbortSignal): Promise<void> {
  const say = (text: string) => asking.printer.line(`   ${text}`)
  for (;;) {
    const answer = await ask(asking, signal)
    if (answer === 'gone') return say(decideHint(task))
    if (answer === 'over') return
    try {
      const details = await detailsOf(asking, task, answer)
      if (signal.aborted) return say('It has been decided meanwhile; nothing was sent.')
      if (details === undefined) continue
      const hash = shortHash(currentRound(task)?.hash ?? '')
      const { client } = asking
      const outcome = await client.inbox.act(client.actor, { verb: answer.verb, taskId: task.id, hash }, details)
      say(outcome.sentence)
      // What cannot be taken as it is can be said again; all else is decided, here or elsewhere.
      if (outcome.kind !== 'invalid') return
    } catch (error) {
      // An editor that fails, a store that is busy: the plan still waits.
      say(errorLine(error))
    }
  }
}

/** Undefined: an editor that changed nothing. */
async function detailsOf({ deps }: Asking, task: Task, answer: Answer): Promise<ActDetails | undefined> {
  if (answer.verb === 'approve') return {}
  if (answer.verb === 'reject') return { note: answer.note }
  const commands = await editCommands(deps, currentRound(task)?.plan.commands ?? [])
  return commands === undefined ? undefined : { commands }
}

/** `over`: decided elsewhere, or Ctrl-C; `gone`: nobody types here any more. The prompt is closed when this settles. */
async function ask({ deps, onInterrupt, printer }: Asking, signal: AbortSignal): Promise<Answer | 'over' | 'gone'> {
  const left = new AbortController()
  let isInterrupted = false
  const readline = createInterface({ input: deps.stdin, output: deps.stdout, terminal: true })
  readline.on('close', () => left.abort())
  readline.on('SIGINT', () => {
    isInterrupted = true
    left.abort()
    onInterrupt()
  })
  const until = { signal: AbortSignal.any([left.signal, signal]) }
  try {
    for (;;) {
      const word = (await readline.question('   Run this? [y]es, [n]o, [e]dit: ', until)).trim().toLowerCase()
      if (word === 'y' || word === 'yes') return { verb: 'approve' }
      if (word === 'e' || word === 'edit') return { verb: 'edit' }
      if (word !== 'n' && word !== 'no') continue
      const note = await readline.question('   Why not (may stay empty)? ', until)
      return { verb: 'reject', note: note.trim() }
    }
  } catch {
    // Aborted, or the terminal has gone: the task goes on and the view tells it, on a line of its own.
    printer.line('')
    return isInterrupted || signal.aborted ? 'over' : 'gone'
  } finally {
    readline.close()
  }
}
