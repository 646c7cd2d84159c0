/** One client of the library, from its login to its end. A destroyed client cannot be used again, so each try has its own. */
import {
  Client,
  type ClientOptions,
  Events,
  GatewayDispatchEvents,
  GatewayIntentBits,
  Options,
  SimpleShardingStrategy,
} from 'discord.js'
import { z } from 'zod'
import { errorLine } from '../../src/core/errors.ts'
import type { Logger } from '../../src/ports/logger.ts'

export interface Connection {
  /** Settles when the session has begun; throws what the library throws. */
  login(): Promise<void>
  /** Nothing is told any more, and no connection is left or made later. May be called twice. */
  end(): Promise<void>
}

export interface ConnectionOptions {
  token: string
  apiUrl: string
  readsContent: boolean
  logger: Logger
  onMessage(payload: unknown): void
  onInteraction(payload: unknown): void
  /** A session has begun or gone on. */
  onConnected(): void
  /** The library tries to get it back. */
  onInterrupted(): void
  /** Discord has closed it for good, with this code. */
  onClosed(code: number): void
}

const INTENTS = [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.DirectMessages]

export function openConnection(options: ConnectionOptions): Connection {
  const { logger } = options
  let hasEnded = false
  const client = createClient(options, () => hasEnded)

  function listen(): void {
    client.on(Events.ShardReconnecting, () => hasEnded || options.onInterrupted())
    client.on(Events.ShardDisconnect, ({ code }) => hasEnded || options.onClosed(code))
    client.on(Events.ShardError, (error) =>
      logger.warn({ error: errorLine(error) }, 'the connection to Discord failed'),
    )
    client.on(Events.Error, (error) => logger.error({ error: errorLine(error) }, 'the Discord client reports an error'))
  }

  listen()
  return {
    async login() {
      await client.login(options.token)
    },
    async end() {
      if (hasEnded) return
      hasEnded = true
      await client.destroy()
    },
  }
}

function createClient(options: ConnectionOptions, hasEnded: () => boolean): Client {
  const { apiUrl, readsContent } = options
  return new Client({
    intents: readsContent ? [...INTENTS, GatewayIntentBits.MessageContent] : INTENTS,
    rest: { api: apiUrl, version: '10' },
    // What people write is not kept; channels and guilds the library needs for itself.
    makeCache: Options.cacheWithLimits({ ...Options.DefaultMakeCacheSettings, MessageManager: 0, PresenceManager: 0 }),
    ws: {
      buildStrategy(manager) {
        // A shard that pauses before a reconnect when the client is destroyed connects all the same afterwards, as a second
        // session that nobody can end. It asks for its session first; once we have ended, it gets no answer.
        const { retrieveSessionInfo } = manager.options
        manager.options.retrieveSessionInfo = (shardId) =>
          hasEnded() ? new Promise(() => undefined) : retrieveSessionInfo(shardId)
        return new SimpleShardingStrategy(intercept(manager, options, hasEnded))
      },
    },
  })
}

type Manager = Parameters<NonNullable<NonNullable<ClientOptions['ws']>['buildStrategy']>>[0]

/**
 * Takes what we read ourselves before the library does: it makes objects of payloads, throws at one with a field that it did not expect,
 * and what it throws there ends the process.
 */
function intercept(manager: Manager, options: ConnectionOptions, hasEnded: () => boolean): Manager {
  const emit = (event: string, payload: unknown): boolean => {
    if (event !== 'dispatch') return pass(event, payload)
    const { t, d } = dispatchSchema.parse(payload).data
    if (hasEnded()) return true
    if (t === GatewayDispatchEvents.MessageCreate) options.onMessage(d)
    else if (t === GatewayDispatchEvents.InteractionCreate) options.onInteraction(d)
    else pass(event, payload)
    if (t === GatewayDispatchEvents.Ready || t === GatewayDispatchEvents.Resumed) options.onConnected()
    return true
  }
  const pass = (event: string, payload: unknown): boolean => {
    try {
      return Reflect.apply(manager.emit, manager, [event, payload])
    } catch (error) {
      options.logger.warn({ error: errorLine(error) }, 'the Discord client could not read an event')
      return true
    }
  }
  return Object.create(manager, { emit: { value: emit } })
}

const dispatchSchema = z.object({ data: z.object({ t: z.string(), d: z.unknown() }) })
