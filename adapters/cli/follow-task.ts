/** Follows one task to its end: its states and its lines at once, drawn by a view; Ctrl-C cancels the task. */
import { isFinal, type Task } from '../../src/core/task.ts'
import type { CliClient, CliDeps } from './deps.ts'
import { CliError, EXIT, refusalError } from './exit.ts'
import type { TaskView } from './task-view.ts'

export interface FollowOptions {
  client: CliClient
  taskId: number
  view: TaskView
  /**
   * Called once for each plan that waits, and not before the one before has settled: they share one terminal.
   * Settles when the person has decided, or `signal` says that somebody else has. Must not reject.
   */
  onApproval(task: Task, signal: AbortSignal): Promise<void>
}

/** The task as it ended. Throws CliError when the person leaves before that. */
export async function followTask(deps: Pick<CliDeps, 'onSignal'>, options: FollowOptions): Promise<Task> {
  const { client, taskId, view } = options
  const left = new AbortController()
  using _signals = deps.onSignal(createInterrupt(options, left))
  const leaving = new Promise<never>((_resolve, reject) => {
    left.signal.addEventListener('abort', () => reject(left.signal.reason), { once: true })
  })
  try {
    await Promise.race([leaving, Promise.all([followStates(options, left.signal), followLines(options, left.signal)])])
  } finally {
    left.abort(new CliError(EXIT.terminated, ''))
    view.close()
    // Rejected by our own abort when nobody left; nothing is lost.
    leaving.catch(() => undefined)
  }
  const outcome = await client.inbox.get(client.actor, taskId)
  if (outcome.kind !== 'found') throw refusalError(outcome)
  return outcome.task
}

type Listener = Parameters<CliDeps['onSignal']>[0]

/** First Ctrl-C: cancel the task and wait. Second: leave. Being told to end is not cancelling: the task is left as it is. */
function createInterrupt({ client, taskId, view }: FollowOptions, left: AbortController): Listener {
  let asked = false
  return (signal) => {
    if (signal !== 'SIGINT') return left.abort(new CliError(EXIT.terminated, `Left task #${taskId} as it is.`))
    if (asked) return left.abort(new CliError(EXIT.cancelled, `Left while task #${taskId} was stopping.`))
    asked = true
    view.say('Stopping… (Ctrl-C again leaves at once)')
    void client.inbox.act(client.actor, { verb: 'cancel', taskId, hash: null }).then(
      // A task that has just ended cannot be cancelled any more; then its end is shown.
      (outcome) => outcome.kind !== 'done' && outcome.kind !== 'conflict' && left.abort(refusalError(outcome)),
      (error: unknown) => left.abort(error),
    )
  }
}

async function followStates({ client, taskId, view, onApproval }: FollowOptions, signal: AbortSignal): Promise<void> {
  let asking: { hash: string; decided: AbortController } | undefined
  let asked = Promise.resolve()
  try {
    for await (const task of client.inbox.watch(client.actor, taskId, signal)) {
      view.task(task)
      const hash = task.status === 'awaiting_approval' ? task.approval.hash : undefined
      if (hash === asking?.hash) continue
      asking?.decided.abort()
      asking = hash === undefined ? undefined : { hash, decided: new AbortController() }
      if (asking !== undefined) {
        const over = AbortSignal.any([asking.decided.signal, signal])
        asked = asked.then(() => (over.aborted ? undefined : onApproval(task, over)))
      }
      if (isFinal(task.status)) return
    }
  } finally {
    asking?.decided.abort()
    // An editor may still be open; the terminal is its until it closes. Ctrl-C does not wait for this.
    await asked
  }
}

async function followLines({ client, taskId, view }: FollowOptions, signal: AbortSignal): Promise<void> {
  const outcome = await client.inbox.follow(client.actor, taskId, 0, signal)
  if (outcome.kind !== 'lines') throw refusalError(outcome)
  for await (const line of outcome.lines) view.line(line)
}
