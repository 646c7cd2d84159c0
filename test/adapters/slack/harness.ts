/** One Slack, one adapter, one scripted inbox. Dispose it, and nothing is left. */
import { expect } from 'vitest'
import { createSlackAdapter, type SlackOptions } from '../../../adapters/slack/adapter.ts'
import type { CardView } from '../../../src/core/view.ts'
import type { ChatAdapter } from '../../../src/ports/chat-adapter.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Presenter } from '../../../src/ports/presenter.ts'
import { type FakeInbox, fakeInbox } from '../../fakes/fake-inbox.ts'
import { type ManualClock, manualClock } from '../../fakes/manual-clock.ts'
import { type SlackServer, startSlackServer } from '../../fakes/slack-server.ts'

export interface LogEntry {
  level: 'debug' | 'info' | 'warn' | 'error'
  fields: object
  message: string
}

export interface Harness extends AsyncDisposable {
  slack: SlackServer
  inbox: FakeInbox
  adapter: ChatAdapter
  clock: ManualClock
  log: LogEntry[]
  presenter: FakePresenter
  /** Another adapter on the same Slack, as after a restart. */
  restart(): Promise<ChatAdapter>
}

export interface FakePresenter extends Presenter {
  readonly asked: string[]
  cards: Map<number, CardView>
  listed: { path: string; sizeBytes: number }[]
}

export function fakePresenter(): FakePresenter {
  const presenter: FakePresenter = {
    asked: [],
    cards: new Map(),
    listed: [],
    async showLog(taskId, place) {
      presenter.asked.push(`log ${taskId} ${place.key}`)
      return `The log of task #${taskId} is in the thread.`
    },
    async showFiles(taskId, place) {
      presenter.asked.push(`files ${taskId} ${place.key}`)
      return 'The files are in the thread.'
    },
    async showFile(taskId, path, place) {
      presenter.asked.push(`file ${taskId} ${path} ${place.key}`)
      return `${path} is in the thread.`
    },
    files: async (_taskId, max) => ({ files: presenter.listed.slice(0, max), total: presenter.listed.length }),
    async retryUpload(taskId) {
      presenter.asked.push(`upload ${taskId}`)
      return 'Uploaded.'
    },
    async redeliver(taskId) {
      presenter.asked.push(`redeliver ${taskId}`)
      return 'Told again.'
    },
    card: async (taskId) => presenter.cards.get(taskId),
  }
  return presenter
}

export interface HarnessOptions {
  mode?: 'socket' | 'http'
  /** What is different about the adapter. */
  options?: Partial<SlackOptions>
  inbox?: Inbox
  prepare?(slack: SlackServer): void
  start?: boolean
}

export async function startHarness(settings: HarnessOptions = {}): Promise<Harness> {
  const clock = manualClock()
  const slack = await startSlackServer({ now: () => clock.now() })
  settings.prepare?.(slack)
  const inbox = fakeInbox()
  const presenter = fakePresenter()
  const log: LogEntry[] = []
  const adapters: ChatAdapter[] = []
  const rejections: unknown[] = []
  const onRejection = (reason: unknown): void => void rejections.push(reason)
  process.on('unhandledRejection', onRejection)

  async function begin(): Promise<ChatAdapter> {
    const { world } = slack
    const mode: SlackOptions['mode'] =
      settings.mode === 'http'
        ? { kind: 'http', signingSecret: world.signingSecret, port: 0 }
        : { kind: 'socket', appToken: world.appToken }
    const adapter = createSlackAdapter({
      botToken: world.bot.token,
      mode,
      apiUrl: slack.apiUrl,
      clock,
      logger: recordingLogger(log),
      presenter,
      onListening: (port) => {
        slack.eventsUrl = `http://127.0.0.1:${port}/slack/events`
      },
      ...settings.options,
    })
    adapters.push(adapter)
    if (settings.start !== false) await adapter.start(settings.inbox ?? inbox)
    return adapter
  }

  return {
    slack,
    inbox,
    adapter: await begin(),
    clock,
    log,
    presenter,
    restart: begin,
    async [Symbol.asyncDispose]() {
      for (const adapter of adapters) await adapter[Symbol.asyncDispose]()
      await slack[Symbol.asyncDispose]()
      await new Promise(setImmediate)
      process.off('unhandledRejection', onRejection)
      expect(rejections).toEqual([])
      const secrets = ['xoxb-good', 'xapp-good', 'shhh-signing']
      for (const secret of secrets) expect(JSON.stringify(log)).not.toContain(secret)
    },
  }
}

export function recordingLogger(log: LogEntry[]): Logger {
  const at = (level: LogEntry['level']) => (fields: object, message: string) =>
    void log.push({ level, fields, message })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
