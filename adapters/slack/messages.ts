/**
 * Posting, once. Slack has no idempotent send, so each message carries its key as metadata, and where an earlier attempt may have
 * taken effect (a lost answer, an earlier process) we look for the key before posting again.
 */
import { z } from 'zod'
import type { Place } from '../../src/core/task.ts'
import type { MessageView } from '../../src/core/view.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { slackCode } from './errors.ts'
import type { Memory } from './memory.ts'
import { formatRef, fromPlace, parseRef, type SlackPlace, toPlace } from './place.ts'
import type { Search } from './search.ts'
import { createSender } from './send.ts'
import type { Wire } from './wire.ts'

export interface Messages {
  post(place: Place, view: MessageView, key: string): Promise<{ ref: string; place: Place }>
  edit(ref: string, view: MessageView): Promise<void>
}

export interface MessagesOptions {
  wire: Wire
  memory: Memory
  search: Search
  logger: Logger
  /** The assistant's own name in Slack, for the sentence on how to invite it. */
  botName(): string
}

const opened = z.object({ channel: z.object({ id: z.string() }) })

interface Posting {
  view: MessageView
  key: string
  /** Whether a message with this key may be there already. */
  look: boolean
}

export function createMessages({ wire, memory, search, logger, botName }: MessagesOptions): Messages {
  const sender = createSender(wire, logger)

  async function place(target: SlackPlace, { view, key, look }: Posting, notes: readonly string[]) {
    const found = look ? await search.lookUp(target, key) : undefined
    const message = found ?? (await sender.send(target, view, { key, notes }))
    return { ...target, channelId: message.channel, threadTs: target.threadTs ?? message.ts, ts: message.ts }
  }

  /** Where the assistant is not a member, the requester gets the thread as a direct message: nothing is held back, nothing is lost. */
  async function placeDirectly(target: SlackPlace, userId: string, posting: Posting) {
    const answer = opened.parse(await wire.call('conversations.open', { users: userId }))
    const notes = [`You asked where I am not a member. To have threads there: /invite @${botName()}`]
    const { taskId } = posting.view
    logger.info({ taskId }, `[TASK ${taskId}] goes on as a direct message: the channel cannot be written to`)
    return place({ ...target, channelId: answer.channel.id, threadTs: null }, posting, notes)
  }

  async function placeSomewhere(target: SlackPlace, posting: Posting) {
    try {
      return await place(target, posting, [])
    } catch (error) {
      if (target.fallbackUserId === null || !cannotWrite(error)) throw error
      return await placeDirectly(target, target.fallbackUserId, posting)
    }
  }

  return {
    async post(where, view, key) {
      const target = readPlace(where)
      const look = memory.mayHavePosted(target, view.taskId, key)
      memory.attempting(key)
      const { ts, ...placed } = await placeSomewhere(target, { view, key, look })
      const thread = { ...placed, fallbackUserId: null }
      if (placed.threadTs === ts) memory.bornHere(thread, view.taskId)
      memory.announce(view.taskId, toPlace(thread))
      return { ref: formatRef({ channelId: placed.channelId, ts, key }), place: toPlace(thread) }
    },
    async edit(ref, view) {
      const target = parseRef(ref)
      if (target === undefined) throw new AdapterError('message_gone', 'The message is not known.')
      await sender.update(target, view)
    },
  }
}

/** Throws AdapterError for a place that is not Slack's. */
export function readPlace(place: Place): SlackPlace {
  const target = fromPlace(place)
  if (target === undefined) throw new AdapterError('thread_gone', 'This place is not in Slack.')
  return target
}

/** We are not in the channel, or may not write there. */
function cannotWrite(error: unknown): boolean {
  const code = slackCode(error) ?? ''
  return ['not_in_channel', 'channel_not_found', 'is_archived'].includes(code) || code.startsWith('restricted_action')
}
