/** Follows a task that this command has made or was given, draws it, and answers the exit code: what `run` and `--follow` do. */
import { COMMAND } from '../../src/core/command.ts'
import { AppError, errorLine } from '../../src/core/errors.ts'
import { isFinal, type Task } from '../../src/core/task.ts'
import { outputJson, taskJson } from '../../src/core/task-json.ts'
import type { OutputFile } from '../../src/ports/workspace.ts'
import { askApproval } from './ask-approval.ts'
import { type ExitCode, exitOf } from './exit.ts'
import { followTask } from './follow-task.ts'
import { createPlainView } from './plain-view.ts'
import type { Session } from './session.ts'
import { createSignals } from './signals.ts'
import { decideHint, endLines } from './task-lines.ts'
import type { TaskView } from './task-view.ts'

export interface WatchOptions {
  /** Nothing is drawn; the end is one JSON object. */
  json: boolean
}

/** Runs the task's worker itself when there is none. */
export async function watchTask(session: Session, task: Task, options: WatchOptions): Promise<ExitCode> {
  const { client } = session
  const ended = isFinal(task.status) ? task : await followWithWorker(session, task, options)
  const outcome = await client.inbox.outputs(client.actor, task.id)
  const files = outcome.kind === 'outputs' ? outcome.files : []
  printEnd(session, ended, files, options)
  return exitOf(ended.status)
}

async function followWithWorker(session: Session, task: Task, options: WatchOptions): Promise<Task> {
  const { client, deps, printer } = session
  const signals = createSignals(deps)
  await using _worker = await standIn(session, task.id)
  const view = await createView(session, options)
  if (client.sandboxWarning !== null) view.say(client.sandboxWarning)
  const asking = { deps, client, printer, view, onInterrupt: () => signals.raise('SIGINT') }
  return await followTask(signals, {
    client,
    taskId: task.id,
    view,
    onApproval: (waiting, signal) =>
      options.json ? noteApproval(session, waiting) : askApproval(asking, waiting, signal),
  })
}

/** stdout is for the JSON at the end; without a word on stderr nobody would know what it waits for. */
async function noteApproval({ printer }: Session, task: Task): Promise<void> {
  printer.note(`Task #${task.id} waits for an approval; ${COMMAND} show ${task.id} shows the plan. ${decideHint(task)}`)
}

const LOOK_AGAIN_MS = 2000

/** A worker of this process as long as there is none elsewhere: one that was just killed may seem alive for a while, so it looks again. */
async function standIn({ client, deps }: Session, taskId: number): Promise<AsyncDisposable> {
  let own: AsyncDisposable | undefined
  let timer: Disposable | undefined
  let looking = look()

  async function look(): Promise<void> {
    if (await client.workerElsewhere()) {
      timer = deps.clock.after(LOOK_AGAIN_MS, () => {
        // What goes wrong at a later look was no trouble at the first: the worker elsewhere is still waited for.
        looking = look().catch(() => undefined)
      })
    } else {
      own = await client.startWorker({ only: taskId })
    }
  }

  await looking
  return {
    async [Symbol.asyncDispose]() {
      timer?.[Symbol.dispose]()
      await looking
      timer?.[Symbol.dispose]()
      await own?.[Symbol.asyncDispose]()
    },
  }
}

async function createView({ deps, client, printer }: Session, { json }: WatchOptions): Promise<TaskView> {
  if (json) return SILENT_VIEW
  if (!printer.isTerminal) return createPlainView(printer)
  const { createLiveView } = await import('./live-view.ts')
  const { clock, stdout } = deps
  const { maxRounds, sandboxWarning } = client
  return createLiveView({ printer, stdout, clock, maxRounds, sandboxWarning })
}

const nothing = () => undefined
const SILENT_VIEW: TaskView = {
  task: nothing,
  line: nothing,
  say: nothing,
  pause: nothing,
  resume: nothing,
  close: nothing,
}

function printEnd(
  { printer, client, deps }: Session,
  task: Task,
  files: readonly OutputFile[],
  { json }: WatchOptions,
) {
  if (json) return printer.json({ ...taskJson(task, null), files: files.map(outputJson) })
  const context = { now: deps.clock.now(), files, maxRounds: client.maxRounds }
  for (const line of endLines(task, context, printer.style)) printer.line(line)
}

/** Said when a task was left to a worker and there is none, or nobody knows. Never throws trouble of the store: the task is stored. */
export async function noteMissingWorker({ client, printer }: Session, task: Task): Promise<void> {
  if (isFinal(task.status)) return
  try {
    if (await client.workerElsewhere()) return
    printer.note(`No worker is running: it waits until \`${COMMAND} start\` or \`${COMMAND} worker\` does.`)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    printer.note(`Task #${task.id} is stored. Whether a worker is running for it is not known: ${errorLine(error)}`)
  }
}
