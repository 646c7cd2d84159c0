/** Slack as a chat adapter: the wire, the ways in, and one connection. */
import { App } from '@slack/bolt'
import { z } from 'zod'
import { errorLine, SetupError } from '../../src/core/errors.ts'
import type { ChatAdapter } from '../../src/ports/chat-adapter.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Presenter } from '../../src/ports/presenter.ts'
import {
  type Connection,
  createHttpConnection,
  createSocketConnection,
  SOCKET_TIMINGS,
  type SocketTimings,
} from './connection.ts'
import { createFiles } from './files.ts'
import { CHAT_LIMITS } from './limits.ts'
import { createMark } from './mark.ts'
import { createMemory, type Memory } from './memory.ts'
import { createMessages } from './messages.ts'
import type { Self } from './parse.ts'
import { createPeople } from './people.ts'
import { createSearch } from './search.ts'
import { tokenProblem } from './setup.ts'
import { attachWaysIn } from './ways-in.ts'
import { boltLogger, clientOptions, createWire, SLACK_API_URL, type Wire } from './wire.ts'

export interface SlackOptions {
  botToken: string
  /** Socket Mode: no public address is needed. HTTP: Slack calls `http://host:port/slack/events`, signed. */
  mode: { kind: 'socket'; appToken: string } | { kind: 'http'; signingSecret: string; port: number; host?: string }
  /** Default: Slack itself. */
  apiUrl?: string
  clock: Clock
  logger: Logger
  presenter: Presenter
  /** User groups that the access lists name; each is asked for its members. */
  userGroups?: readonly string[]
  /** Default "/task". */
  command?: string
  timings?: Partial<SocketTimings>
  /** The port in use, in HTTP mode. */
  onListening?: (port: number) => void
}

const START_RETRY_MS = 10_000

interface State {
  self: Self | null
  stopped: boolean
  problem: string
  timer: Disposable | undefined
  attending: Set<Promise<void>>
}

export function createSlackAdapter(options: SlackOptions): ChatAdapter {
  const { clock, logger, botToken, apiUrl = SLACK_API_URL } = options
  const state: State = {
    self: null,
    stopped: false,
    problem: 'Slack is not connected yet.',
    timer: undefined,
    attending: new Set(),
  }
  const wire = createWire({ botToken, apiUrl, logger })
  const memory = createMemory()
  const search = createSearch(wire, logger)
  const messages = createMessages({ wire, memory, search, logger, botName: () => state.self?.botName ?? 'assistant' })
  const files = createFiles({ wire, search, memory })
  const connection = createConnection(options, apiUrl)

  return {
    name: 'slack',
    limits: CHAT_LIMITS,
    start: createStart(options, { wire, memory, connection, state }),
    health() {
      const problem = state.problem || wire.problem || connection.problem()
      return { ok: problem === '', problem }
    },
    post: (place, view, { key }) => messages.post(place, view, key),
    edit: (ref, view) => messages.edit(ref, view),
    upload: (place, list, upload) => files.upload(place, list, upload),
    mark: createMark(wire, logger),
    fetchInput: (ref, signal) => files.fetchInput(ref, signal),
    async [Symbol.asyncDispose]() {
      if (state.stopped) return
      state.stopped = true
      state.problem = 'Slack is stopped.'
      state.timer?.[Symbol.dispose]()
      await comeToRest(state.attending, connection, clock)
    },
  }
}

interface StartParts {
  wire: Wire
  memory: Memory
  connection: Connection
  state: State
}

/** Slack being down is no reason not to start: it is tried again until it works. A wrong token is. */
function createStart(options: SlackOptions, { wire, memory, connection, state }: StartParts): ChatAdapter['start'] {
  const { clock, logger, presenter, command = '/task', apiUrl = SLACK_API_URL, userGroups = [] } = options
  const people = createPeople({ wire, clock, logger, teamId: () => state.self?.teamId ?? '', userGroups })
  const shared = { presenter, wire, people, memory, clock, logger, command, attending: state.attending }

  async function begin(inbox: Inbox): Promise<void> {
    const self = await whoAmI(wire)
    state.self = self
    const app = createApp(options, self, apiUrl)
    attachWaysIn(app, { ...shared, inbox, self })
    await connection.start(app)
    state.problem = ''
    logger.info({ team: self.teamId, mode: options.mode.kind }, `connected to Slack as ${self.botName}`)
  }

  async function beginLater(inbox: Inbox): Promise<void> {
    await begin(inbox).catch((error: unknown) => tryAgain(inbox, error))
  }

  function tryAgain(inbox: Inbox, error: unknown): void {
    if (state.stopped) return
    state.problem = `Slack is not connected: ${errorLine(error)}`
    logger.error({}, `${state.problem} Trying again.`)
    state.timer = clock.after(START_RETRY_MS, () => void beginLater(inbox))
  }

  return async (inbox) => {
    await begin(inbox).catch((error: unknown) => {
      if (error instanceof SetupError) throw error
      tryAgain(inbox, error)
    })
  }
}

const STOP_GRACE_MS = 5000

/** Lets what has arrived come to its end while it can still be acknowledged, and what arrives meanwhile too. */
async function comeToRest(attending: ReadonlySet<Promise<void>>, connection: Connection, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>()
  using _timer = clock.after(STOP_GRACE_MS, late.resolve)
  await Promise.race([Promise.all(attending), late.promise])
  await connection.stop()
  await Promise.race([Promise.all(attending), late.promise])
}

function createConnection({ mode, clock, logger, timings, onListening }: SlackOptions, apiUrl: string): Connection {
  if (mode.kind === 'socket') {
    const { appToken } = mode
    const times = { ...SOCKET_TIMINGS, ...timings }
    return createSocketConnection({
      appToken,
      clientOptions: clientOptions(apiUrl, logger),
      timings: times,
      clock,
      logger,
    })
  }
  const { signingSecret, port, host = '127.0.0.1' } = mode
  if (signingSecret === '') {
    throw new SetupError(
      'slack_signing_secret',
      'Slack over HTTP needs a signing secret.',
      'Copy it from Basic Information and set SLACK_SIGNING_SECRET.',
    )
  }
  return createHttpConnection({ signingSecret, port, host, clock, logger, onListening })
}

const identity = z.object({
  team_id: z.string(),
  user_id: z.string(),
  bot_id: z.string().optional(),
  user: z.string().catch('assistant'),
  url: z.string().catch('https://slack.com/'),
  response_metadata: z.object({ scopes: z.array(z.string()).optional() }).optional(),
})

/** Throws SetupError for a token that cannot do the work, AdapterError when Slack cannot be reached. */
async function whoAmI(wire: Wire): Promise<Self> {
  const answer = await wire.call('auth.test').catch((error: unknown) => {
    throw tokenProblem(error) ?? error
  })
  const {
    team_id: teamId,
    user_id: botUserId,
    bot_id: botId,
    user,
    url,
    response_metadata: more,
  } = identity.parse(answer)
  const missing = tokenProblem({ scopes: more?.scopes ?? [], isBot: botId !== undefined })
  if (missing !== undefined) throw missing
  return { teamId, botUserId, botId: botId ?? '', botName: user, url }
}

function createApp({ botToken, logger }: SlackOptions, self: Self, apiUrl: string): App {
  return new App({
    token: botToken,
    // Given, so that no event waits for, or is lost to, an `auth.test` of the library's own.
    botId: self.botId,
    botUserId: self.botUserId,
    receiver: { init: () => undefined, start: async () => undefined, stop: async () => undefined },
    clientOptions: clientOptions(apiUrl, logger),
    logger: boltLogger(logger),
    convoStore: false,
    // Our own filter knows about edits and other bots too.
    ignoreSelf: false,
  })
}
