/** The REST calls that the adapter makes, on the client's own queue and rate limits. Each throws AdapterError, unless it says otherwise. */
import {
  type APIChannel,
  type APIInteractionResponse,
  type APIMessage,
  type RawFile,
  type REST,
  type RESTPatchAPIChannelMessageJSONBody,
  type RESTPostAPIChannelMessageJSONBody,
  type RESTPostAPIChannelThreadsJSONBody,
  type RouteLike,
  Routes,
} from 'discord.js'
import { ARCHIVED, type Doing, discordCode, isTokenDead, toAdapterError } from './errors.ts'
import { DISCORD_LIMITS } from './limits.ts'

export interface DiscordApi {
  createMessage(
    channelId: string,
    body: RESTPostAPIChannelMessageJSONBody,
    options: { files?: RawFile[]; doing: Doing },
  ): Promise<APIMessage>
  /** Un-archives the thread where that is what stands in the way. */
  editMessage(channelId: string, messageId: string, body: RESTPatchAPIChannelMessageJSONBody): Promise<void>
  getMessage(channelId: string, messageId: string): Promise<APIMessage>
  /** The newest ones first. */
  latestMessages(channelId: string): Promise<readonly APIMessage[]>
  getChannel(channelId: string): Promise<APIChannel>
  /** From a message, or without one, or as a post of a forum. Throws the client's own error: which code it is matters. */
  startThread(channelId: string, messageId: string | null, body: ThreadBody): Promise<APIChannel>
  activeThreads(guildId: string): Promise<readonly APIChannel[]>
  addThreadMember(threadId: string, userId: string): Promise<void>
  react(channelId: string, messageId: string, emoji: string): Promise<void>
  unreact(channelId: string, messageId: string, emoji: string): Promise<void>
  /** The first answer to an interaction. Throws the client's own error. */
  answer(interactionId: string, token: string, response: APIInteractionResponse): Promise<void>
  /** Edits the answer; false when the token is too old. */
  editAnswer(token: string, body: RESTPatchAPIChannelMessageJSONBody): Promise<boolean>
  /** Another private answer; false when the token is too old. */
  followUp(token: string, body: RESTPostAPIChannelMessageJSONBody, files?: RawFile[]): Promise<boolean>
  putCommands(scope: { guildId: string | null }, commands: readonly object[]): Promise<void>
}

export type ThreadBody =
  | RESTPostAPIChannelThreadsJSONBody
  | { name: string; auto_archive_duration: number; message?: object }

export interface DiscordApiOptions {
  rest: REST
  applicationId: string
}

export function createDiscordApi({ rest, applicationId }: DiscordApiOptions): DiscordApi {
  async function call<T>(doing: Doing, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      throw toAdapterError(error, doing)
    }
  }

  /** The library answers unknown; what a route answers is written in Discord's reference. */
  const get = async <T>(route: RouteLike, query?: Record<string, string>): Promise<T> =>
    (await rest.get(route, query === undefined ? {} : { query: new URLSearchParams(query) })) as T
  const post = async <T>(route: RouteLike, body: object, files: RawFile[] = []): Promise<T> =>
    (await rest.post(route, { body, files })) as T

  async function whileAlive(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act()
      return true
    } catch (error) {
      if (isTokenDead(error)) return false
      throw toAdapterError(error, 'answer')
    }
  }

  async function edit(channelId: string, messageId: string, body: object): Promise<void> {
    const route = Routes.channelMessage(channelId, messageId)
    try {
      await rest.patch(route, { body })
    } catch (error) {
      if (discordCode(error) !== ARCHIVED) throw error
      await rest.patch(Routes.channel(channelId), { body: { archived: false } })
      await rest.patch(route, { body })
    }
  }

  return {
    createMessage: (channelId, body, { files, doing }) =>
      call(doing, () => post<APIMessage>(Routes.channelMessages(channelId), body, files)),
    editMessage: (channelId, messageId, body) => call('edit', () => edit(channelId, messageId, body)),
    getMessage: (channelId, messageId) =>
      call('read', () => get<APIMessage>(Routes.channelMessage(channelId, messageId))),
    latestMessages: (channelId) =>
      call('read', () => get<APIMessage[]>(Routes.channelMessages(channelId), { limit: String(DISCORD_LIMITS.page) })),
    getChannel: (channelId) => call('read', () => get<APIChannel>(Routes.channel(channelId))),
    startThread: (channelId, messageId, body) =>
      post<APIChannel>(messageId === null ? Routes.threads(channelId) : Routes.threads(channelId, messageId), body),
    activeThreads: (guildId) =>
      call('read', async () => (await get<{ threads: APIChannel[] }>(Routes.guildActiveThreads(guildId))).threads),
    addThreadMember: (threadId, userId) =>
      call('post_in_thread', async () => void (await rest.put(Routes.threadMembers(threadId, userId)))),
    react: (channelId, messageId, emoji) =>
      call('react', async () => void (await rest.put(reaction(channelId, messageId, emoji)))),
    unreact: (channelId, messageId, emoji) =>
      call('react', async () => void (await rest.delete(reaction(channelId, messageId, emoji)))),
    answer: async (interactionId, token, response) =>
      void (await rest.post(Routes.interactionCallback(interactionId, token), { body: response, auth: false })),
    editAnswer: (token, body) =>
      whileAlive(() => rest.patch(Routes.webhookMessage(applicationId, token), { body, auth: false })),
    followUp: (token, body, files = []) =>
      whileAlive(() => rest.post(Routes.webhook(applicationId, token), { body, files, auth: false })),
    putCommands: ({ guildId }, commands) =>
      call('register_commands', async () => {
        const route =
          guildId === null
            ? Routes.applicationCommands(applicationId)
            : Routes.applicationGuildCommands(applicationId, guildId)
        await rest.put(route, { body: commands })
      }),
  }
}

function reaction(channelId: string, messageId: string, emoji: string): RouteLike {
  return Routes.channelMessageOwnReaction(channelId, messageId, encodeURIComponent(emoji))
}
