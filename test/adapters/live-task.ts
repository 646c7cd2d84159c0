import { isFinal, type Task } from '../../src/core/task.ts'
import type { LogLine } from '../../src/ports/workspace.ts'
import type { FakeInbox } from '../fakes/fake-inbox.ts'

export interface LiveTask {
  print(...lines: string[]): void
  /** A line of ours. */
  note(line: string): void
  become(task: Task): void
  /** Follows and watches that are open now. */
  readonly open: number
}

/** A task of a scripted inbox that goes on while a test looks: what is printed is followed, each state is watched. */
export function liveTask(inbox: FakeInbox, first: Task): LiveTask {
  const { id } = first
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  let log = ''
  let offset = 0
  let open = 0

  function wake(): void {
    for (const resolve of waiting) resolve()
    waiting.clear()
  }

  function changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  function isOver(): boolean {
    return isFinal(inbox.tasks.get(id)?.status ?? 'done')
  }

  function add(text: string, ours: boolean): void {
    const nextOffset = offset + Buffer.byteLength(text) + 1
    lines.push({ offset, nextOffset, text, ours })
    offset = nextOffset
    log += `${text}\n`
    inbox.logs.set(id, log)
    wake()
  }

  async function* follow(from: number, signal: AbortSignal): AsyncGenerator<LogLine> {
    open += 1
    try {
      let next = lines.findIndex((line) => line.offset >= from)
      if (next < 0) next = lines.length
      while (!signal.aborted) {
        const line = lines[next]
        if (line !== undefined) {
          next += 1
          yield line
        } else if (isOver()) return
        else await changed(signal)
      }
    } finally {
      open -= 1
    }
  }

  async function* watch(signal: AbortSignal): AsyncGenerator<Task> {
    open += 1
    try {
      while (!signal.aborted) {
        const task = inbox.tasks.get(id)
        if (task !== undefined) yield task
        if (isOver()) return
        await changed(signal)
      }
    } finally {
      open -= 1
    }
  }

  inbox.tasks.set(id, first)
  inbox.follow = async (_actor, _taskId, from, signal) => ({ kind: 'lines', lines: follow(from, signal) })
  inbox.watch = (_actor, _taskId, signal) => watch(signal)
  return {
    print(...texts) {
      for (const text of texts) add(text, false)
    },
    note: (text) => add(text, true),
    become(task) {
      inbox.tasks.set(id, task)
      wake()
    },
    get open() {
      return open
    },
  }
}

export function doneTask(task: Task, answer = ''): Task {
  return { ...task, status: 'done', answer }
}
