/** The connection on which Discord tells us what happens. It is kept up for as long as the adapter lives. */
import { errorLine, SetupError } from '../../src/core/errors.ts'
import type { AdapterHealth } from '../../src/ports/chat-adapter.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { type Connection, openConnection } from './connection.ts'

export interface GatewayOptions {
  token: string
  apiUrl: string
  clock: Clock
  logger: Logger
  onMessage(payload: unknown): void
  onInteraction(payload: unknown): void
  /** A session has begun or gone on. */
  onConnected(): void
}

export interface Gateway extends AsyncDisposable {
  /**
   * Settles when connected, or when Discord could not be reached the first time: then it goes on trying, and `health` says so.
   * Throws SetupError for a token that Discord refuses.
   */
  start(): Promise<void>
  health(): AdapterHealth
  /** Whether Discord gives us the text of messages that do not mention us. */
  readonly readsContent: boolean
}

const MAX_RETRY_MS = 60_000
const DISALLOWED_INTENTS = 4014
export const CONTENT_PROBLEM =
  'Replies in threads cannot be read: turn on "Message Content Intent" under Bot at https://discord.com/developers/applications, and restart.'

const FATAL: Readonly<Record<number, string>> = {
  4004: 'Discord refuses the token. Reset it in the developer portal under Bot and set DISCORD_TOKEN.',
  4010: 'Discord refuses the shard.',
  4011: 'The bot is in too many servers for one connection.',
  4012: 'Discord no longer speaks this version of its API.',
  4013: 'Discord refuses the intents.',
}

export function createGateway(options: GatewayOptions): Gateway {
  const { clock, logger } = options
  const state: State = { ...FIRST_STATE }
  let connection: Connection | undefined
  const retry = createRetry(clock, () => void connect().catch(failed))

  function open(): Connection {
    return openConnection({
      ...options,
      readsContent: state.readsContent,
      onConnected() {
        Object.assign(state, { isUp: true, problem: '', tries: 0 })
        options.onConnected()
      },
      onInterrupted: () => interrupted('Reconnecting to Discord.'),
      onClosed,
    })
  }

  async function connect(): Promise<void> {
    await connection?.end()
    const opened = open()
    connection = opened
    try {
      await opened.login()
      if (state.isDisposed) await opened.end()
    } catch (error) {
      await opened.end()
      if (state.isDisposed) return
      if (!isIntentRefused(error) || !state.readsContent) throw error
      doWithoutContent()
      await connect()
    }
  }

  const interrupted = (problem: string) => void Object.assign(state, { isUp: false, problem })
  const doWithoutContent = () => {
    state.readsContent = false
    logger.warn({}, CONTENT_PROBLEM)
  }

  function onClosed(code: number): void {
    const wasUp = state.isUp
    interrupted(FATAL[code] ?? `Discord has closed the connection (${code}).`)
    // During login the library throws too, and `connect` deals with it.
    if (code !== DISALLOWED_INTENTS || !state.readsContent || !wasUp) return
    doWithoutContent()
    retry.after(0)
  }

  function failed(error: unknown): void {
    const setup = setupError(error)
    interrupted(setup?.message ?? `Discord cannot be reached (${errorLine(error)}).`)
    logger.warn({ error: errorLine(error) }, 'connecting to Discord failed')
    if (setup !== undefined || state.isDisposed) return
    retry.after(Math.min(MAX_RETRY_MS, 1000 * 2 ** state.tries))
    state.tries += 1
  }

  return {
    async start() {
      try {
        await connect()
      } catch (error) {
        const setup = setupError(error)
        if (setup !== undefined) throw setup
        failed(error)
      }
    },
    health: () => healthOf(state),
    get readsContent() {
      return state.readsContent
    },
    async [Symbol.asyncDispose]() {
      state.isDisposed = true
      retry[Symbol.dispose]()
      await connection?.end()
    },
  }
}

/** At most one try is planned at a time. */
function createRetry(clock: Clock, act: () => void): Disposable & { after(ms: number): void } {
  let timer: Disposable | undefined
  const stop = () => timer?.[Symbol.dispose]()
  return {
    after(ms) {
      stop()
      timer = clock.after(ms, act)
    },
    [Symbol.dispose]: stop,
  }
}

interface State {
  isUp: boolean
  isDisposed: boolean
  readsContent: boolean
  problem: string
  /** Failed since the last session. */
  tries: number
}

const FIRST_STATE: State = {
  isUp: false,
  isDisposed: false,
  readsContent: true,
  problem: 'Not connected to Discord yet.',
  tries: 0,
}

function healthOf({ isUp, problem, readsContent }: State): AdapterHealth {
  // Without the text of messages everything but plain replies works, so that is a remark.
  return isUp ? { ok: true, problem: readsContent ? '' : CONTENT_PROBLEM } : { ok: false, problem }
}

function isIntentRefused(error: unknown): boolean {
  return errorLine(error) === 'Used disallowed intents'
}

/** A token that Discord refuses is not going to be taken later. */
function setupError(error: unknown): SetupError | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'TokenInvalid' && errorLine(error) !== 'Authentication failed') return undefined
  return new SetupError(
    'discord_token',
    'Discord refuses the token.',
    'Reset it at https://discord.com/developers/applications under Bot, and set DISCORD_TOKEN in .env.',
    { cause: error },
  )
}
