/**
 * How events reach us. Socket Mode: we reconnect ourselves, with a new client each time, because the library's own reconnect gives up with
 * an unhandled rejection and leaves the socket dead. One loop, which only `stop` ends; while nothing arrives, health says so.
 */
import { type App, HTTPReceiver, SocketModeReceiver, type webApi } from '@slack/bolt'
import { errorLine, SetupError } from '../../src/core/errors.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { toAdapterError } from './errors.ts'
import { boltLogger } from './wire.ts'

export interface Connection {
  /** Settles when events can arrive. Throws SetupError for a token that Slack refuses, AdapterError when Slack cannot be reached. */
  start(app: App): Promise<void>
  stop(): Promise<void>
  /** '' while events can arrive. */
  problem(): string
}

/** Of the socket; in tests they are short. */
export interface SocketTimings {
  /** No hello by then: the attempt is given up. */
  helloTimeoutMs: number
  /** A pong later than this: the socket is dead. */
  pongTimeoutMs: number
  firstRetryMs: number
  lastRetryMs: number
  /** Without a connection for this long, the log becomes loud. */
  alarmAfterMs: number
}

export const SOCKET_TIMINGS: SocketTimings = {
  helloTimeoutMs: 30_000,
  pongTimeoutMs: 5000,
  firstRetryMs: 1000,
  lastRetryMs: 30_000,
  alarmAfterMs: 60_000,
}

/** A gap this short is a refresh, as Slack asks for now and then. */
const MAX_GAP_MS = 10_000

export interface SocketOptions {
  appToken: string
  clientOptions: webApi.WebClientOptions
  timings: SocketTimings
  clock: Clock
  logger: Logger
}

export function createSocketConnection(options: SocketOptions): Connection {
  const { clock, logger, timings } = options
  const state: {
    receiver: SocketModeReceiver | null
    stopped: boolean
    failures: number
    lostAt: number
    why: string
  } = {
    receiver: null,
    stopped: false,
    failures: 0,
    lostAt: clock.now(),
    why: 'Slack is not connected yet.',
  }
  let timer: Disposable | undefined

  async function connect(app: App): Promise<void> {
    const receiver = await openSocket(app, options)
    if (state.stopped) return void (await closeSocket(receiver))
    receiver.client.once('disconnected', () => lost(app, receiver))
    if (state.failures > 0) logger.info({ attempts: state.failures }, 'connected to Slack again')
    Object.assign(state, { receiver, failures: 0, why: '' })
  }

  function lost(app: App, receiver: SocketModeReceiver): void {
    if (state.stopped || state.receiver !== receiver) return
    state.receiver = null
    state.lostAt = clock.now()
    logger.debug({}, 'the socket to Slack closed; connecting anew')
    reconnect(app)
  }

  function reconnect(app: App): void {
    connect(app).catch((error: unknown) => {
      if (state.stopped) return
      state.failures += 1
      state.why = `Slack is not connected: ${errorLine(error)}`
      const isAlarming = clock.now() - state.lostAt >= timings.alarmAfterMs
      const fields = { attempts: state.failures, code: error instanceof AdapterError ? error.code : 'setup' }
      logger[isAlarming ? 'error' : 'warn'](fields, `${state.why} Trying again.`)
      const wait = Math.min(timings.lastRetryMs, timings.firstRetryMs * 2 ** Math.min(state.failures - 1, 10))
      timer = clock.after(wait, () => reconnect(app))
    })
  }

  return {
    start: connect,
    async stop() {
      state.stopped = true
      timer?.[Symbol.dispose]()
      if (state.receiver !== null) await closeSocket(state.receiver)
    },
    problem: () => {
      const isGapLong = state.receiver === null && clock.now() - state.lostAt > MAX_GAP_MS
      return state.why === '' && isGapLong ? 'Slack is not connected.' : state.why
    },
  }
}

/** One socket, greeted by Slack. Throws when it is not. */
async function openSocket(app: App, { appToken, clientOptions, timings, clock, logger }: SocketOptions) {
  const receiver = new SocketModeReceiver({
    appToken,
    autoReconnectEnabled: false,
    clientPingTimeout: timings.pongTimeoutMs,
    logger: boltLogger(logger),
    installerOptions: { clientOptions },
    // Never thrown onwards: an event that cannot be processed or acknowledged comes again.
    processEventErrorHandler: async ({ error }) => {
      logger.error({}, `an event from Slack could not be processed: ${errorLine(error)}`)
      return false
    },
  })
  guardMessages(receiver, logger)
  receiver.init(app)
  const timeout = Promise.withResolvers<never>()
  using _timer = clock.after(timings.helloTimeoutMs, () => {
    timeout.reject(new AdapterError('unavailable', 'Slack did not greet the socket in time.'))
  })
  try {
    await Promise.race([receiver.start(), timeout.promise])
    return receiver
  } catch (error) {
    await closeSocket(receiver)
    throw appTokenProblem(toAdapterError(error)) ?? toAdapterError(error)
  }
}

/** The library parses messages in an async listener without a catch: a malformed one would be an unhandled rejection. */
function guardMessages({ client }: SocketModeReceiver, logger: Logger): void {
  const listeners = client.listeners('ws_message')
  client.removeAllListeners('ws_message')
  client.on('ws_message', async (...message: unknown[]) => {
    try {
      for (const listener of listeners) await Reflect.apply(listener, client, message)
    } catch (error) {
      logger.warn({}, `a message on Slack's socket was not understood: ${errorLine(error)}`)
    }
  })
}

async function closeSocket({ client }: SocketModeReceiver): Promise<void> {
  // Not awaited: a dead peer never answers the closing handshake, and the library forces it shut later.
  client.disconnect().catch(() => undefined)
}

/** What only a new token mends. */
function appTokenProblem(error: AdapterError): SetupError | undefined {
  if (error.code !== 'unauthorized' && error.code !== 'forbidden') return undefined
  const fix = 'Create an app-level token with connections:write under Basic Information and set SLACK_APP_TOKEN.'
  return new SetupError('slack_app_token', `Slack does not accept the app token. ${error.message}`, fix, {
    cause: error,
  })
}

export interface HttpOptions {
  signingSecret: string
  port: number
  host: string
  clock: Clock
  logger: Logger
  onListening?: ((port: number) => void) | undefined
}

const SIGNATURE_AGE_MS = 10 * 60_000

/** Signed requests to `/slack/events`. Bolt checks the signature over the raw bytes and its age; we refuse one that was used before. */
export function createHttpConnection({
  signingSecret,
  port,
  host,
  clock,
  logger,
  onListening,
}: HttpOptions): Connection {
  const seen = new Map<string, number>()
  let receiver: HTTPReceiver | undefined
  let problem = 'The HTTP server for Slack is not started yet.'

  function isReplay(signature: unknown): boolean {
    for (const [old, at] of seen) if (clock.now() - at > SIGNATURE_AGE_MS) seen.delete(old)
    const key = String(signature)
    if (seen.has(key)) return true
    seen.set(key, clock.now())
    return false
  }

  return {
    async start(app) {
      const refused = ({ error }: { error: unknown }) =>
        logger.warn({}, `a request to Slack's address was refused: ${errorLine(error)}`)
      const starting = new HTTPReceiver({
        signingSecret,
        port,
        endpoints: ['/slack/events'],
        logger: boltLogger(logger),
        customPropertiesExtractor: (request) => ({ replayed: isReplay(request.headers['x-slack-signature']) }),
        processEventErrorHandler: async ({ error, request, response }) => {
          refused({ error })
          // Slack sends it again, perhaps within the same second and so with the same signature.
          seen.delete(String(request.headers['x-slack-signature']))
          if (!response.headersSent) response.writeHead(500).end()
          return true
        },
        dispatchErrorHandler: ({ response }) => void response.writeHead(404).end(),
      })
      app.use(async ({ context, next, ...args }) => {
        if (context.replayed !== true) return next()
        logger.warn({}, 'a request from Slack came twice with the same signature; the second one is ignored')
        if ('ack' in args && typeof args.ack === 'function') await args.ack()
      })
      starting.init(app)
      const server = await starting.start({ port, host }).catch((error: unknown) => {
        const fix = `Free port ${port}, or set another one for Slack.`
        throw new SetupError('slack_port', `The port for Slack cannot be opened: ${errorLine(error)}`, fix, {
          cause: error,
        })
      })
      receiver = starting
      problem = ''
      const address = server.address()
      if (address !== null && typeof address === 'object') onListening?.(address.port)
    },
    async stop() {
      problem = 'The HTTP server for Slack is stopped.'
      await receiver?.stop()
    },
    problem: () => problem,
  }
}
