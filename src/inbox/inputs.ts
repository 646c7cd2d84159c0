/**
 * Fetches the files that came with a request, after the task is stored: a task with inputs waits until they are all here.
 * What to fetch is in the rows, so a restart goes on with it.
 */
import { createReadStream } from 'node:fs'
import { assertNever, errorLine } from '../core/errors.ts'
import type { InputFile, InputSource, Platform, Task } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'

export type FetchInput = (platform: Platform, ref: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>

export interface InputFetcher {
  /** Begins to fetch; nothing to wait for. A task that is being fetched already is left alone. */
  fetch(task: Task): void
  /** Settles when nothing is being fetched. */
  idle(): Promise<void>
}

export interface InputFetcherOptions {
  store: Store
  workspace: Workspace
  clock: Clock
  logger: Logger
  fetchInput: FetchInput
  signal: AbortSignal
}

/** After a store that could not be written: nothing else would ever come back to the task. */
const RETRY_MS = 30_000

export function createInputFetcher(options: InputFetcherOptions): InputFetcher {
  const { store, logger, clock, signal } = options
  const running = new Map<number, Promise<void>>()
  const retries = new Map<number, Disposable>()
  /** What is done with an input but not written down yet: another try must not save the file a second time. */
  const unwritten = new Map<string, InputFile>()
  signal.addEventListener('abort', () => {
    for (const retry of retries.values()) retry[Symbol.dispose]()
  })

  function begin(taskId: number): void {
    retries.get(taskId)?.[Symbol.dispose]()
    retries.delete(taskId)
    if (running.has(taskId)) return
    running.set(
      taskId,
      fetchAll(taskId).finally(() => running.delete(taskId)),
    )
  }

  async function fetchAll(taskId: number): Promise<void> {
    try {
      const task = await store.get(taskId)
      if (task?.status !== 'pending') return
      for (const [index, input] of task.inputs.entries()) {
        if (input.state === 'waiting') await fetchOne(taskId, index, input)
      }
      await finish(taskId)
    } catch (error) {
      if (signal.aborted) return
      const what = 'fetching its files was cut short; it will be tried again'
      logger.error({ taskId, error: errorLine(error) }, `[TASK ${taskId}] ${what}`)
      retries.set(
        taskId,
        clock.after(RETRY_MS, () => begin(taskId)),
      )
    }
  }

  async function fetchOne(taskId: number, index: number, input: InputFile): Promise<void> {
    const key = `${taskId}:${index}`
    const fetched = unwritten.get(key) ?? (await outcomeOf(options, taskId, input))
    unwritten.set(key, fetched)
    await store.setInput(taskId, index, fetched)
    unwritten.delete(key)
  }

  async function finish(taskId: number): Promise<void> {
    const task = await store.get(taskId)
    const failed = task?.inputs.find((input) => input.state === 'failed')
    if (failed === undefined) await store.apply(taskId, { kind: 'inputs_ready' }, { status: 'pending' })
    else await store.apply(taskId, inputFailure(failed), { status: 'pending' })
  }

  return {
    fetch: (task) => begin(task.id),
    async idle() {
      while (running.size > 0) await Promise.all(running.values())
    },
  }
}

/** The input as saved, or with why it could not be. Throws only when the fetcher is stopped. */
async function outcomeOf(options: InputFetcherOptions, taskId: number, input: InputFile): Promise<InputFile> {
  try {
    return { ...input, ...(await save(options, taskId, input)), state: 'saved' }
  } catch (error) {
    options.signal.throwIfAborted()
    return { ...input, state: 'failed', problem: errorLine(error) }
  }
}

function inputFailure(input: InputFile) {
  const detail = `${input.name}: ${input.problem ?? 'it could not be fetched'}`
  return { kind: 'failed', reason: 'input_unavailable', detail, step: null, outputs: null, redactions: 0 } as const
}

async function save(
  { workspace, fetchInput, signal }: InputFetcherOptions,
  taskId: number,
  input: InputFile,
): Promise<{ name: string; sizeBytes: number }> {
  const { source, name } = input
  const expect = { sizeBytes: input.sizeBytes, mimeType: input.mimeType }
  switch (source.kind) {
    case 'parent':
      return workspace.copyInput(source.taskId, taskId, name)
    case 'path':
      return workspace.addInput(taskId, name, createReadStream(source.path), expect)
    case 'chat':
      return workspace.addInput(taskId, name, await fetchInput(source.platform, source.ref, signal), expect)
    default:
      return assertNever(source)
  }
}

/** Whether this process can fetch it: a chat's files through the chat's adapter, the others where the file system is at hand. */
export function canFetch(source: InputSource, platforms: readonly Platform[]): boolean {
  return source.kind === 'chat' ? platforms.includes(source.platform) : true
}
