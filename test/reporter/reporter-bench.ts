import type { PlannedRound, TaskEvent } from '../../src/core/events.ts'
import type { NewTask, Store } from '../../src/ports/store.ts'
import type { Workspace } from '../../src/ports/workspace.ts'
import { createReporter, type Reporter } from '../../src/reporter/create-reporter.ts'
import type { ReporterConfig } from '../../src/reporter/reporter-config.ts'
import { type ConsoleAdapter, consoleAdapter } from '../fakes/console-adapter.ts'
import type { ManualClock } from '../fakes/manual-clock.ts'
import { type MemoryWorkspace, memoryWorkspace } from '../fakes/memory-workspace.ts'
import {
  applied,
  claim,
  openBench,
  plannedRound,
  quietLogger,
  type StoreBench,
  submit,
} from '../store/store-helpers.ts'

export interface ReporterBench extends AsyncDisposable {
  store: Store
  clock: ManualClock
  chat: ConsoleAdapter
  workspace: MemoryWorkspace
  reporter: Reporter
  log: string[]
  /** Stops this reporter and starts another on the same store and chat, as a restart does. */
  restart(): Promise<Reporter>
  submit(changes?: Partial<NewTask>): Promise<number>
  apply(taskId: number, ...events: TaskEvent[]): Promise<void>
  /** Claims the task and lets its plan run, its first step begun. */
  run(taskId: number, commands?: readonly string[]): Promise<void>
  finish(taskId: number, answer?: string): Promise<void>
  /** Time passes in steps of a second, with everything told that can be told in between. */
  pass(ms: number): Promise<void>
  /** Texts of the messages that are there now, oldest first. */
  texts(): string[]
}

export const REPORTER_CONFIG: ReporterConfig = {
  approvers: () => ['U-BOSS'],
  terms: () => ['No network.'],
  sandboxWarning: () => null,
  maxRounds: 2,
  timeZone: 'UTC',
  maxUploadFiles: 10,
  maxUploadBytes: 20_000_000,
}

export const ROUND: PlannedRound = { ...plannedRound(), hash: '7f3a9c01'.repeat(8) }

export function doneEvent(answer = 'all well', files = 0): TaskEvent {
  return { kind: 'finished', answer, outputs: { files, bytes: files * 10 }, redactions: 0 }
}

export async function openReporter(
  config: Partial<ReporterConfig> = {},
  disk: (bench: StoreBench) => Workspace | undefined = () => undefined,
): Promise<ReporterBench> {
  const bench = await openBench({ synchronous: 'normal' })
  const { store, clock } = bench
  const chat = consoleAdapter()
  const workspace = memoryWorkspace()
  const log: string[] = []
  const start = async (): Promise<Reporter> => {
    const reporter = createReporter({
      ...{ store, workspace: disk(bench) ?? workspace, clock, adapters: [chat], logger: quietLogger(log) },
      config: { ...REPORTER_CONFIG, ...config },
      random: () => 0,
    })
    await reporter.start()
    return reporter
  }
  const self: ReporterBench = {
    ...{ store, clock, chat, workspace, log },
    reporter: await start(),
    async restart() {
      await self.reporter[Symbol.asyncDispose]()
      self.reporter = await start()
      return self.reporter
    },
    submit: (changes) => {
      return submit(store, {
        requester: { platform: 'console', scope: 'S1', userId: 'U-ANA', name: 'Ana' },
        place: { platform: 'console', channelId: 'general', key: 'thread-1', thread: true },
        ...changes,
      })
    },
    async apply(taskId, ...events) {
      for (const event of events) await applied(store, taskId, event)
    },
    async run(taskId, commands = ['ls', 'wc -l']) {
      await claim(store, taskId)
      const round = { ...plannedRound(1, commands), hash: ROUND.hash }
      await self.apply(taskId, { kind: 'plan_allowed', ...round }, { kind: 'step_started', round: 1, index: 0 })
    },
    finish: (taskId, answer) => self.apply(taskId, doneEvent(answer)),
    async pass(ms) {
      for (let left = ms; left > 0; left -= 1000) {
        await self.reporter.idle()
        clock.advance(Math.min(1000, left))
      }
      await self.reporter.idle()
    },
    texts: () => chat.messages.filter((message) => !message.deleted).map((message) => message.text),
    async [Symbol.asyncDispose]() {
      await self.reporter[Symbol.asyncDispose]()
      await bench[Symbol.asyncDispose]()
    },
  }
  return self
}
