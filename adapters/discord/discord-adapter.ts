/** Discord as a chat adapter. What is shared with other chats (words, views, authorisation, pacing) is not here. */
import { errorLine } from '../../src/core/errors.ts'
import type { ChatAdapter } from '../../src/ports/chat-adapter.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Presenter } from '../../src/ports/presenter.ts'
import { download } from './attachments.ts'
import { type CommandScope, registerCommands } from './commands.ts'
import { converse } from './conversation.ts'
import { createGateway } from './gateway.ts'
import { interact } from './interactions.ts'
import { DISCORD_CHAT_LIMITS } from './limits.ts'
import type { Notes } from './notes.ts'
import { createOpenAnswers } from './open-answers.ts'
import { lazyParts, type Parts } from './parts.ts'
import { createRest, DISCORD_API } from './rest.ts'

export interface DiscordAdapterOptions {
  token: string
  /** Where Discord's API is; default https://discord.com/api. */
  apiUrl?: string
  commandScope: CommandScope
  clock: Clock
  logger: Logger
  presenter: Presenter
  notes: Notes
}

const CDN_ORIGINS = ['https://cdn.discordapp.com', 'https://media.discordapp.net']

/** Nothing is connected before `start`; `post` and the like work from the first call on, and throw AdapterError while Discord is away. */
export function createDiscordAdapter(options: DiscordAdapterOptions): ChatAdapter {
  const { token, apiUrl = DISCORD_API, clock, logger, notes, presenter } = options
  const rest = createRest(token, apiUrl)
  const openAnswers = createOpenAnswers()
  let inbox: Inbox | undefined
  let commandsProblem = ''
  const running = new Set<Promise<void>>()
  const parts = lazyParts({ rest, notes, logger, ...openAnswers })
  const register = async () => {
    commandsProblem = await registerOrExplain(parts, options)
  }

  /** Runs a handler for what came in; nothing that it throws may reach the library. */
  function handle(payload: unknown, handler: typeof converse | typeof interact): void {
    const act = async () => {
      if (inbox === undefined) return
      const { api, channels, identity } = await parts()
      const shared = { api, channels, inbox, presenter, clock, logger, notes, openAnswers }
      await handler(payload, { ...shared, botId: identity.botId, readsContent: () => gateway.readsContent })
    }
    const handling = act().catch((error: unknown) =>
      logger.error({ error: errorLine(error) }, 'something that came from Discord was lost'),
    )
    running.add(handling)
    void handling.finally(() => running.delete(handling))
  }

  const noMark = (error: unknown) => logger.debug({ error: errorLine(error) }, 'a mark could not be set')
  const gateway = createGateway({
    token,
    apiUrl,
    clock,
    logger,
    onMessage: (payload) => handle(payload, converse),
    onInteraction: (payload) => handle(payload, interact),
    onConnected: () => void register(),
  })
  const origins = originsOf(apiUrl)

  return {
    name: 'discord',
    limits: DISCORD_CHAT_LIMITS,
    async start(given) {
      inbox = given
      await gateway.start()
    },
    health() {
      const health = gateway.health()
      return health.ok && commandsProblem !== '' ? { ok: true, problem: commandsProblem } : health
    },
    post: async (...args) => (await parts()).deliver.post(...args),
    edit: async (...args) => (await parts()).deliver.edit(...args),
    upload: async (...args) => (await parts()).deliver.upload(...args),
    mark: (...args) => parts().then(({ deliver }) => deliver.mark(...args), noMark),
    async fetchInput(ref, signal) {
      return download(ref, { api: (await parts()).api, origins }, signal)
    },
    async [Symbol.asyncDispose]() {
      inbox = undefined
      await settled(running, clock)
      await gateway[Symbol.asyncDispose]()
      rest.clearHashSweeper()
      rest.clearHandlerSweeper()
    },
  }
}

const FLUSH_MS = 5000

/** What is being handled may finish, so that nobody is left without an answer; but nobody waits long for it. */
async function settled(running: ReadonlySet<Promise<void>>, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>()
  using _timer = clock.after(FLUSH_MS, late.resolve)
  await Promise.race([Promise.all(running), late.promise])
}

/** Where attachments may come from: Discord's own hosts, and a server that stands in for it. */
function originsOf(apiUrl: string): readonly string[] {
  return apiUrl === DISCORD_API ? CDN_ORIGINS : [...CDN_ORIGINS, new URL(apiUrl).origin]
}

/** Tells Discord of the commands; answers what stands in the way, '' when nothing does. */
async function registerOrExplain(
  parts: () => Promise<Parts>,
  { notes, logger, commandScope }: DiscordAdapterOptions,
): Promise<string> {
  try {
    const { api, identity } = await parts()
    await registerCommands({ api, notes, applicationId: identity.applicationId, scope: commandScope })
    return ''
  } catch (error) {
    logger.warn({ error: errorLine(error) }, 'the commands could not be registered')
    return `The commands could not be registered: ${errorLine(error)}`
  }
}
