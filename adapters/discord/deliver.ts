/** Posting, editing, uploading and marking, as the port says. */
import { buffer } from 'node:stream/consumers'
import { MessageFlags, type RawFile, type RESTPostAPIChannelMessageJSONBody } from 'discord.js'
import { isFinal, type Place } from '../../src/core/task.ts'
import { withEllipsis } from '../../src/core/text.ts'
import type { StatusView } from '../../src/core/view.ts'
import type { ChatAdapter, UploadFile } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Channels } from './channels.ts'
import type { DiscordApi } from './discord-api.ts'
import { DISCORD_LIMITS } from './limits.ts'
import { escapeWithin } from './markdown.ts'
import type { PlaceNews } from './open-answers.ts'
import { encodeMessage, parseMessage, parseSpot, placeOf } from './place.ts'
import { markerOf, renderFallback, renderMessage } from './render.ts'
import { createSender, isRefusedContent } from './sender.ts'
import { createSettle } from './settle.ts'
import type { Threads } from './threads.ts'

export interface DeliverOptions extends PlaceNews {
  api: DiscordApi
  channels: Channels
  threads: Threads
  botId: string
  logger: Logger
}

export const SEEN = '👀'

export type Deliver = Pick<ChatAdapter, 'post' | 'edit' | 'upload' | 'mark'>

export function createDeliver(options: DeliverOptions): Deliver {
  const { api, logger } = options
  const sender = createSender(options)
  const settle = createSettle({ ...options, sender })

  return {
    async post(place, view, posting) {
      const { spot, rootRef, isFresh } = await settle(parseSpot(place.key), view, posting)
      const next = placeOf(spot, place.channelId)
      if (view.kind === 'root' && rootRef !== null) return { ref: rootRef, place: next }
      const doing = spot.kind === 'channel' ? 'post_in_thread' : 'post'
      const messageId = await sender.view(spot, view, { ...posting, doing, isFresh })
      return { ref: encodeMessage({ own: true, channelId: spot.channelId, messageId }), place: next }
    },

    async edit(ref, view) {
      const { own, channelId, messageId } = parseMessage(ref)
      // The requester's own message stands for the root; its thread shows the state.
      if (!own) return
      try {
        await api.editMessage(channelId, messageId, renderMessage(view, null))
      } catch (error) {
        if (!isRefusedContent(error)) throw error
        // It was posted as an embed, and components cannot take the place of that.
        await api.editMessage(channelId, messageId, renderFallback(view, null))
      }
    },

    async upload(place, files, { key, comment }) {
      const spot = parseSpot(place.key)
      const messageId = await sender.files(spot, uploadBody(files, comment, markerOf(key)), key, () => readFiles(files))
      return encodeMessage({ own: true, channelId: spot.channelId, messageId })
    },

    async mark(place, status, before) {
      try {
        const root = await rootOf(place, options)
        const [emoji, old] = [emojiOf(status), before === null ? null : emojiOf(before)]
        if (root === null || emoji === old) return
        if (old !== null) await api.unreact(root.channelId, root.messageId, old)
        await api.react(root.channelId, root.messageId, emoji)
        // Put there when the message was taken: of a task that was claimed at once, after our first mark.
        if (hasEnded(status) && old !== SEEN) await api.unreact(root.channelId, root.messageId, SEEN)
      } catch (error) {
        // A mark that is missing does no harm; the card says the same.
        logger.debug({ error: String(error) }, 'a reaction could not be set')
      }
    },
  }
}

/** A task that waits has been seen: that is what people expect of a reaction. */
function emojiOf({ status, icon }: StatusView): string {
  return status === 'pending' ? SEEN : icon
}

function hasEnded({ status }: StatusView): boolean {
  return status === 'interrupted' || isFinal(status)
}

async function rootOf(
  place: Place,
  { channels, botId }: DeliverOptions,
): Promise<{ channelId: string; messageId: string } | null> {
  const spot = parseSpot(place.key)
  if (spot.kind === 'replies' || spot.kind === 'message') return spot
  if (spot.kind === 'new') return null
  const facts = await channels.get(spot.channelId)
  if (facts.kind !== 'thread' || facts.ownerId !== botId) return null
  const parent = await channels.get(facts.parentId)
  // A post's first message is in the post; a thread's root is in the channel, under the same id.
  return { channelId: parent.kind === 'forum' ? facts.id : facts.parentId, messageId: facts.id }
}

function uploadBody(files: readonly UploadFile[], comment: string, marker: number): RESTPostAPIChannelMessageJSONBody {
  return {
    content: escapeWithin(comment, DISCORD_LIMITS.content),
    flags: MessageFlags.SuppressEmbeds,
    allowed_mentions: { parse: [] },
    attachments: files.map((file, id) => ({
      id,
      filename: file.name,
      ...(id === 0 ? { description: `${withEllipsis(file.name, 200)} · ${marker.toString(36)}` } : {}),
    })),
  }
}

/** In memory, as the request has to be: the caller keeps them within `limits.maxUploadBytes`. */
async function readFiles(files: readonly UploadFile[]): Promise<RawFile[]> {
  const read: RawFile[] = []
  for (const file of files) {
    read.push({ name: file.name, data: await buffer(await file.open()) })
  }
  return read
}
