import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlannedRound, TaskEvent } from '../../src/core/events.ts'
import type { Person, TaskStatus } from '../../src/core/task.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { NewTask, QueueLimits, Store } from '../../src/ports/store.ts'
import { createStore, type StoreOptions } from '../../src/store/create-store.ts'
import { type ManualClock, manualClock } from '../fakes/manual-clock.ts'

export const LEASE_MS = 30_000
export const ANA: Person = { platform: 'slack', userId: 'U1', name: 'Ana' }
export const NO_LIMITS: QueueLimits = { perRequester: 1e6, perPlace: 1e6, total: 1e6 }

export function quietLogger(lines: string[] = []): Logger {
  const log = (_fields: object, message: string) => void lines.push(message)
  return { debug: log, info: log, warn: log, error: log }
}

export interface StoreBench extends AsyncDisposable {
  store: Store
  clock: ManualClock
  folder: string
  file: string
  open(options?: Partial<StoreOptions>): Promise<Store>
}

/** A store on a real file in a folder of its own; everything opened through it is closed and removed at the end. */
export async function openBench(options: Partial<StoreOptions> = {}): Promise<StoreBench> {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-store-'))
  const file = join(folder, 'tasks.db')
  const clock = manualClock()
  const opened: Store[] = []
  async function open(more: Partial<StoreOptions> = {}): Promise<Store> {
    const store = await createStore({ file, clock, logger: quietLogger(), ...options, ...more })
    opened.push(store)
    return store
  }
  return {
    store: await open(),
    clock,
    folder,
    file,
    open,
    async [Symbol.asyncDispose]() {
      for (const store of opened) await store[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

export function newTask(changes: Partial<NewTask> = {}): NewTask {
  return {
    description: 'count the files',
    kind: 'request',
    parentId: null,
    afterId: null,
    requester: { platform: 'slack', scope: 'T1', userId: 'U1', name: 'Ana' },
    place: { platform: 'slack', channelId: 'C1', key: 'C1', thread: false },
    model: null,
    inputs: [],
    dedupeKey: null,
    ...changes,
  }
}

export function by(userId: string): Partial<NewTask> {
  return { requester: { platform: 'slack', scope: 'T1', userId, name: userId } }
}

export async function submit(store: Store, changes: Partial<NewTask> = {}): Promise<number> {
  const result = await store.submit(newTask(changes), NO_LIMITS)
  if (result.kind === 'full') throw new Error('the queue is full')
  return result.task.id
}

export function plannedRound(round = 1, commands: readonly string[] = ['ls', 'wc -l']): PlannedRound {
  return {
    round,
    plan: { commands: [...commands], summary: 'Counts the files.', network: null },
    author: { kind: 'model', model: 'qwen' },
    verdict: {
      decision: 'ask',
      reasons: [],
      steps: commands.map(() => ({ decision: 'ask', badges: ['reads'], reasons: [] })),
    },
    hash: `hash-${round}-${commands.join()}`,
    repairOf: round === 1 ? null : 'ls failed',
  }
}

export function planned(expiresAt = Date.UTC(2031, 0, 1)): TaskEvent {
  return { kind: 'planned', expiresAt, ...plannedRound() }
}

export function finished(): TaskEvent {
  return { kind: 'finished', answer: '3 files', outputs: { files: 1, bytes: 10 }, redactions: 2 }
}

export function cancelled(): TaskEvent {
  return { kind: 'cancelled', reason: 'cancelled', by: ANA, note: '', outputs: null, redactions: 0 }
}

export async function applied(store: Store, taskId: number, event: TaskEvent): Promise<void> {
  const result = await store.apply(taskId, event, {})
  if (result.kind !== 'applied') throw new Error(`${event.kind} did not apply in ${result.task?.status}`)
}

export function claim(store: Store, only?: number) {
  return store.claim({ id: 'w1', leaseMs: LEASE_MS, ...(only === undefined ? {} : { only }) })
}

/** Makes a task and leads it to the status by the shortest way. */
export async function taskIn(store: Store, status: TaskStatus): Promise<number> {
  const id = await submit(store)
  if (status === 'pending') return id
  if (status === 'cancelled') {
    await applied(store, id, cancelled())
    return id
  }
  await claim(store, id)
  if (status === 'awaiting_approval') await applied(store, id, planned())
  if (status === 'done') await applied(store, id, { kind: 'answered', answer: '42' })
  if (status === 'running') await applied(store, id, { kind: 'plan_allowed', ...plannedRound() })
  if (status === 'failed') {
    const failed = { reason: 'plan_invalid', detail: 'no JSON', step: null, outputs: null, redactions: 0 } as const
    await applied(store, id, { kind: 'failed', ...failed })
  }
  return id
}
