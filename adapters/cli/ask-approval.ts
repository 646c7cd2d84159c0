/** On a terminal: shows the plan and asks yes, no or edit. Elsewhere: says how to decide from somewhere else. */
import { createInterface, type Interface } from 'node:readline/promises'
import { shortHash } from '../../src/core/approval.ts'
import type { Verb } from '../../src/core/controls.ts'
import { errorLine } from '../../src/core/errors.ts'
import { currentRound, type Task } from '../../src/core/task.ts'
import type { ActDetails } from '../../src/ports/inbox.ts'
import type { CliClient, CliDeps } from './deps.ts'
import { editCommands } from './edit-commands.ts'
import type { Printer } from './printer.ts'
import { approvalLines } from './task-lines.ts'
import type { TaskView } from './task-view.ts'

export interface Asking {
  deps: Pick<CliDeps, 'stdin' | 'stdout' | 'timeZone' | 'editor'>
  client: CliClient
  printer: Printer
  view: TaskView
  /** Ctrl-C at the prompt does not reach the process as a signal. */
  onInterrupt(): void
}

/** Settles when the person has decided, does not want to, or `signal` says that it is decided. Never rejects. */
export async function askApproval(asking: Asking, task: Task, signal: AbortSignal): Promise<void> {
  const { deps, client, printer, view } = asking
  view.pause()
  const { maxRounds, sandboxWarning } = client
  const context = { timeZone: deps.timeZone, maxRounds, sandboxWarning }
  for (const line of approvalLines(task, context, printer.style)) printer.line(line)
  if (deps.stdin.isTTY !== true || !printer.isTerminal) {
    const hash = shortHash(currentRound(task)?.hash ?? '')
    printer.line(`Decide with: assistant approve ${task.id} --hash ${hash}, or: assistant reject ${task.id}`)
    return
  }
  using prompt = openPrompt(asking)
  try {
    await decide(asking, prompt.readline, task, signal)
  } catch (error) {
    // Decided elsewhere, or the terminal has gone: the task goes on and the view tells it.
    if (!signal.aborted) view.say(errorLine(error))
  }
}

function openPrompt({ deps, onInterrupt }: Asking): { readline: Interface } & Disposable {
  const readline = createInterface({ input: deps.stdin, output: deps.stdout, terminal: true })
  readline.on('SIGINT', onInterrupt)
  return { readline, [Symbol.dispose]: () => readline.close() }
}

async function decide(asking: Asking, readline: Interface, task: Task, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answer = (await readline.question('   Run this? [y]es, [n]o, [e]dit: ', { signal })).trim().toLowerCase()
    if (answer === 'y' || answer === 'yes') return act(asking, task, 'approve')
    if (answer === 'n' || answer === 'no') {
      const note = await readline.question('   Why not (may stay empty)? ', { signal })
      return act(asking, task, 'reject', { note: note.trim() })
    }
    if (answer === 'e' || answer === 'edit') {
      readline.pause()
      const commands = await editCommands(asking.deps, currentRound(task)?.plan.commands ?? [])
      readline.resume()
      if (commands !== undefined) return act(asking, task, 'edit', { commands })
    }
  }
}

async function act({ client, view }: Asking, task: Task, verb: Verb, details: ActDetails = {}): Promise<void> {
  const hash = shortHash(currentRound(task)?.hash ?? '')
  const outcome = await client.inbox.act(client.actor, { verb, taskId: task.id, hash }, details)
  view.say(outcome.sentence)
}
