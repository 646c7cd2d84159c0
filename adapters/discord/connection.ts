/** One client of the library, from its login to its end. A destroyed client cannot be used again, so each try has its own. */
import { Client, Events, GatewayDispatchEvents, GatewayIntentBits, Options, SimpleShardingStrategy } from 'discord.js'
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

  /** Raw payloads, because our parser reads those; the library's own objects are not used. */
  function listen(): void {
    const { ws } = client
    ws.on(GatewayDispatchEvents.MessageCreate, (payload: unknown) => hasEnded || options.onMessage(payload))
    ws.on(GatewayDispatchEvents.InteractionCreate, (payload: unknown) => hasEnded || options.onInteraction(payload))
    ws.on(GatewayDispatchEvents.Ready, () => hasEnded || options.onConnected())
    ws.on(GatewayDispatchEvents.Resumed, () => hasEnded || options.onConnected())
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

function createClient({ apiUrl, readsContent }: ConnectionOptions, hasEnded: () => boolean): Client {
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
        return new SimpleShardingStrategy(manager)
      },
    },
  })
}
