/**
 * Fetches the files that came with a request, after the task is stored: a task with inputs waits until they are all here.
 * What to fetch is in the rows, so a restart goes on with it.
 */
import { createReadStream } from 'node:fs'
import { assertNever, errorLine } from '../core/errors.ts'
import type { InputFile, InputSource, Platform, Task } from '../core/task.ts'
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
  logger: Logger
  fetchInput: FetchInput
  signal: AbortSignal
}

export function createInputFetcher(options: InputFetcherOptions): InputFetcher {
  const { store, logger } = options
  const running = new Map<number, Promise<void>>()

  async function fetchAll(task: Task): Promise<void> {
    try {
      for (const [index, input] of task.inputs.entries()) {
        if (input.state === 'waiting') await fetchOne(task, index, input)
      }
      await finish(task.id)
    } catch (error) {
      if (options.signal.aborted) return
      logger.error({ taskId: task.id, error: errorLine(error) }, `[TASK ${task.id}] fetching its files failed`)
    }
  }

  async function fetchOne(task: Task, index: number, input: InputFile): Promise<void> {
    try {
      const saved = await save(options, task.id, input)
      await store.setInput(task.id, index, { ...input, ...saved, state: 'saved' })
    } catch (error) {
      options.signal.throwIfAborted()
      await store.setInput(task.id, index, { ...input, state: 'failed', problem: errorLine(error) })
    }
  }

  async function finish(taskId: number): Promise<void> {
    const task = await store.get(taskId)
    const failed = task?.inputs.find((input) => input.state === 'failed')
    if (failed === undefined) await store.apply(taskId, { kind: 'inputs_ready' }, { status: 'pending' })
    else await store.apply(taskId, inputFailure(failed), { status: 'pending' })
  }

  return {
    fetch(task) {
      if (running.has(task.id)) return
      running.set(
        task.id,
        fetchAll(task).finally(() => running.delete(task.id)),
      )
    },
    async idle() {
      while (running.size > 0) await Promise.all(running.values())
    },
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
