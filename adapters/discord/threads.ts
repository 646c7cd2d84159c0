/** Threads of tasks: from a message, as a forum post, or where neither is allowed as replies. */
import type { Logger } from '../../src/ports/logger.ts'
import type { ChannelFacts, Channels } from './channels.ts'
import type { DiscordApi } from './discord-api.ts'
import { discordCode, isPermissionMissing, THREAD_EXISTS, toAdapterError } from './errors.ts'
import { DISCORD_LIMITS } from './limits.ts'
import type { Notes } from './notes.ts'
import { encodeMessage, type Spot } from './place.ts'
import { type MessageBody, nonceOf } from './render.ts'

export interface Threads {
  /**
   * The thread of a message, started or found; `userId` becomes a member. Without the permission the place is replies to the message,
   * which is said once per channel. Throws AdapterError.
   */
  open(request: { channelId: string; messageId: string; name: string; userId: string | null }): Promise<Opened>
  /** One post per task; one with this name by us is taken for the same task's. */
  openPost(request: {
    facts: ChannelFacts
    name: string
    userId: string
    message: MessageBody
  }): Promise<Opened & { rootRef: string }>
}

export interface Opened {
  spot: Spot
  isFresh: boolean
}

export interface ThreadsOptions {
  api: DiscordApi
  channels: Channels
  notes: Notes
  botId: string
  logger: Logger
}

export function createThreads({ api, channels, notes, botId, logger }: ThreadsOptions): Threads {
  const shape = (name: string) => ({ name, auto_archive_duration: DISCORD_LIMITS.threadArchiveMinutes })

  async function welcome(threadId: string, userId: string | null): Promise<void> {
    if (userId === null) return
    try {
      await api.addThreadMember(threadId, userId)
    } catch (error) {
      // They find the thread under the root message all the same.
      logger.warn({ error: String(error) }, 'the requester could not be added to the thread')
    }
  }

  async function sayWhyReplies(channelId: string, messageId: string): Promise<void> {
    const key = `discord:no-threads:${channelId}`
    if ((await notes.get(key)) !== undefined) return
    await api.createMessage(
      channelId,
      {
        content:
          'I may not start threads here, so I answer with replies. Give me the permission "Create Public Threads" and each task gets its own thread.',
        message_reference: { message_id: messageId, fail_if_not_exists: false },
        allowed_mentions: { parse: [] },
        nonce: nonceOf(key),
        enforce_nonce: true,
      },
      { doing: 'post' },
    )
    await notes.set(key, 'said')
  }

  return {
    async open({ channelId, messageId, name, userId }) {
      const facts = await channels.get(channelId)
      if (facts.kind === 'thread' || facts.kind === 'direct')
        return { spot: { kind: 'channel', channelId }, isFresh: false }
      try {
        const thread = await api.startThread(channelId, messageId, shape(name))
        await welcome(thread.id, userId)
        return { spot: { kind: 'channel', channelId: thread.id }, isFresh: true }
      } catch (error) {
        // A thread made from a message has the message's id.
        if (discordCode(error) === THREAD_EXISTS)
          return { spot: { kind: 'channel', channelId: messageId }, isFresh: false }
        if (!isPermissionMissing(error)) throw toAdapterError(error, 'open_thread')
        await sayWhyReplies(channelId, messageId)
        return { spot: { kind: 'replies', channelId, messageId }, isFresh: false }
      }
    },

    async openPost({ facts, name, userId, message }) {
      const known = await findPost(facts, name)
      const id = known ?? (await startPost(facts.id, name, message))
      if (known === undefined) await welcome(id, userId)
      const rootRef = encodeMessage({ own: true, channelId: id, messageId: id })
      return { spot: { kind: 'channel', channelId: id }, isFresh: known === undefined, rootRef }
    },
  }

  /** Posts know no nonce; the name begins with the task's number. */
  async function findPost({ guildId, id }: ChannelFacts, name: string): Promise<string | undefined> {
    if (guildId === null) return undefined
    const threads = await api.activeThreads(guildId)
    return threads.find(
      (thread) => 'parent_id' in thread && thread.parent_id === id && isOurs(thread) && thread.name === name,
    )?.id
  }

  function isOurs(thread: object): boolean {
    return Reflect.get(thread, 'owner_id') === botId
  }

  async function startPost(forumId: string, name: string, message: MessageBody): Promise<string> {
    try {
      return (await api.startThread(forumId, null, { ...shape(name), message })).id
    } catch (error) {
      throw toAdapterError(error, 'post')
    }
  }
}
