/** The real adapter and the real client against the stand-in for Discord, with a scripted inbox behind. */
import { createDiscordAdapter, type DiscordAdapterOptions } from '../../../adapters/discord/discord-adapter.ts'
import type { Notes } from '../../../adapters/discord/notes.ts'
import type { CardView } from '../../../src/core/view.ts'
import type { ChatAdapter } from '../../../src/ports/chat-adapter.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Presenter } from '../../../src/ports/presenter.ts'
import { createDiscordServer, type DiscordServer } from '../../fakes/discord-server.ts'
import type { FakeChannel, FakeUser } from '../../fakes/discord-server-state.ts'
import { type FakeInbox, fakeInbox } from '../../fakes/fake-inbox.ts'
import { type ManualClock, manualClock } from '../../fakes/manual-clock.ts'
import { sampleCard } from './samples.ts'

export interface Harness extends AsyncDisposable {
  server: DiscordServer
  adapter: ChatAdapter
  inbox: FakeInbox
  clock: ManualClock
  notes: Notes & { readonly values: Map<string, string> }
  presenter: FakePresenter
  guildId: string
  channel: FakeChannel
  ana: FakeUser
  ben: FakeUser
  logged: string[]
  /** Another adapter on the same account, as after a restart. */
  restart(options?: Partial<DiscordAdapterOptions>): Promise<ChatAdapter>
}

export interface FakePresenter extends Presenter {
  readonly asked: string[]
  paths: string[]
  current: CardView | undefined
}

export interface HarnessOptions extends Partial<DiscordAdapterOptions> {
  start?: boolean
  contentIntent?: boolean
  heartbeatMs?: number
  /** Before the adapter starts. */
  prepare?: (server: DiscordServer) => void
}

export async function createHarness(options: HarnessOptions = {}): Promise<Harness> {
  const { start = true, contentIntent = true, heartbeatMs = 40_000, prepare, ...adapterOptions } = options
  const clock = manualClock(Date.now())
  const server = await createDiscordServer({ now: clock.now, heartbeatMs })
  server.setContentIntent(contentIntent)
  const guild = server.people.addGuild('Workshop')
  const channel = server.addChannel({ type: 0, name: 'jobs' })
  const ana = server.people.addUser('Ana')
  const ben = server.people.addUser('Ben')
  prepare?.(server)
  const inbox = fakeInbox()
  const notes = memoryNotes()
  const presenter = fakePresenter()
  const logged: string[] = []
  const base: DiscordAdapterOptions = {
    token: server.token,
    apiUrl: server.apiUrl,
    commandScope: { kind: 'global' },
    clock,
    logger: collectingLogger(logged),
    presenter,
    notes,
    ...adapterOptions,
  }
  const adapters: ChatAdapter[] = []
  const make = (extra: Partial<DiscordAdapterOptions> = {}) => {
    const adapter = createDiscordAdapter({ ...base, ...extra })
    adapters.push(adapter)
    return adapter
  }
  const adapter = make()
  const harness: Harness = {
    server,
    adapter,
    inbox,
    clock,
    notes,
    presenter,
    guildId: guild.id,
    channel,
    ana,
    ben,
    logged,
    async restart(extra) {
      await adapters.at(-1)?.[Symbol.asyncDispose]()
      const next = make(extra)
      await next.start(inbox)
      return next
    },
    async [Symbol.asyncDispose]() {
      for (const each of adapters) await each[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
  if (start) await adapter.start(inbox)
  return harness
}

export function memoryNotes(): Harness['notes'] {
  const values = new Map<string, string>()
  return {
    values,
    get: async (key) => values.get(key),
    set: async (key, value) => void values.set(key, value),
  }
}

export function fakePresenter(): FakePresenter {
  const presenter: FakePresenter = {
    asked: [],
    paths: ['out.zip', 'summary.csv'],
    current: sampleCard(),
    async showLog(taskId, place) {
      presenter.asked.push(`log ${taskId} ${place.key}`)
      return 'The log is below.'
    },
    async showFiles(taskId, place) {
      presenter.asked.push(`files ${taskId} ${place.key}`)
      return 'The files are below.'
    },
    async showFile(taskId, path, place) {
      presenter.asked.push(`file ${taskId} ${path} ${place.key}`)
      return `${path} is below.`
    },
    async files(_taskId, max) {
      const files = presenter.paths.slice(0, max).map((path) => ({ path, sizeBytes: 2048 }))
      return { files, total: presenter.paths.length }
    },
    async retryUpload(taskId) {
      presenter.asked.push(`upload ${taskId}`)
      return 'The files are uploaded now.'
    },
    async redeliver(taskId) {
      presenter.asked.push(`redeliver ${taskId}`)
      return 'Trying again.'
    },
    card: async () => presenter.current,
  }
  return presenter
}

export function collectingLogger(lines: string[]): Logger {
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
