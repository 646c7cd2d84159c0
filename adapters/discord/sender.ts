/** One message into one channel, once per key: by the nonce for some minutes, and by a marker in the message for as long as it is near the end. */
import { type APIMessage, MessageFlags, type RawFile, type RESTPostAPIChannelMessageJSONBody } from 'discord.js'
import type { MessageView } from '../../src/core/view.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { DiscordApi } from './discord-api.ts'
import type { Doing } from './errors.ts'
import type { Spot } from './place.ts'
import { footerOf, type MessageBody, markerOf, nonceOf, renderFallback, renderMessage } from './render.ts'

export interface Posting {
  key: string
  silent: boolean
  doing: Doing
  /** Nothing can have been posted with this key before. */
  isFresh: boolean
}

export interface Sender {
  /** Answers the id of the message: a new one, or the one that this key has posted before. Throws AdapterError. */
  view(spot: Spot, view: MessageView, posting: Posting): Promise<string>
  /** `files` are read only when they are needed. */
  files(
    spot: Spot,
    body: RESTPostAPIChannelMessageJSONBody,
    key: string,
    files: () => Promise<RawFile[]>,
  ): Promise<string>
}

export interface SenderOptions {
  api: DiscordApi
  botId: string
  logger: Logger
}

export function createSender({ api, botId, logger }: SenderOptions): Sender {
  async function findPosted(channelId: string, key: string): Promise<string | undefined> {
    const marker = markerOf(key)
    const messages = await api.latestMessages(channelId)
    return messages.find((message) => message.author.id === botId && hasMarker(message, marker))?.id
  }

  async function send(
    spot: Spot,
    body: MessageBody,
    { key, silent, doing }: Posting,
    files: RawFile[] = [],
  ): Promise<string> {
    const flags = (body.flags ?? 0) | (silent ? MessageFlags.SuppressNotifications : 0)
    const whole = { ...body, ...referenceTo(spot), flags, nonce: nonceOf(key), enforce_nonce: true }
    return (await api.createMessage(spot.channelId, whole, { files, doing })).id
  }

  return {
    async view(spot, view, posting) {
      const posted = posting.isFresh ? undefined : await findPosted(spot.channelId, posting.key)
      if (posted !== undefined) return posted
      const marker = markerOf(posting.key)
      try {
        return await send(spot, renderMessage(view, marker), posting)
      } catch (error) {
        if (!isRefusedContent(error)) throw error
        const { taskId } = view
        logger.warn({ taskId, error: error.message }, `[TASK ${taskId}] Discord refused components; posting an embed`)
        return send(spot, renderFallback(view, marker), posting)
      }
    },
    async files(spot, body, key, read) {
      const posted = await findPosted(spot.channelId, key)
      return posted ?? send(spot, body, { key, silent: true, doing: 'upload', isFresh: true }, await read())
    },
  }
}

function referenceTo(spot: Spot): Pick<RESTPostAPIChannelMessageJSONBody, 'message_reference'> {
  const isReply = spot.kind === 'replies' || spot.kind === 'message'
  return isReply ? { message_reference: { message_id: spot.messageId, fail_if_not_exists: false } } : {}
}

export function isRefusedContent(error: unknown): error is AdapterError {
  return error instanceof AdapterError && error.code === 'invalid'
}

/** The marker is the id of the first component, the footer of an embed, or the end of the first file's description. */
function hasMarker(message: APIMessage, marker: number): boolean {
  return (
    message.components?.[0]?.id === marker ||
    message.embeds[0]?.footer?.text === footerOf(marker) ||
    message.attachments[0]?.description?.endsWith(` · ${marker.toString(36)}`) === true
  )
}
