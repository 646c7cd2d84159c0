/** Finding our own messages again: the look-ups behind posting once. */
import { z } from 'zod'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { slackCode } from './errors.ts'
import type { SlackPlace } from './place.ts'
import type { Wire } from './wire.ts'

const PAGE = 200
const MAX_PAGES = 5

const foundMessage = z.object({
  ts: z.string(),
  bot_id: z.string().optional(),
  metadata: z
    .object({ event_type: z.string(), event_payload: z.record(z.string(), z.unknown()) })
    .optional()
    .catch(undefined),
  blocks: z
    .array(z.object({ block_id: z.string().optional() }))
    .optional()
    .catch(undefined),
  files: z
    .array(z.object({ id: z.string() }))
    .optional()
    .catch(undefined),
})
export type FoundMessage = z.infer<typeof foundMessage>

const page = z.object({
  messages: z.array(foundMessage).catch([]),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
})

export interface Search {
  /** The first message of a thread, or of the channel's latest, that `isIt` accepts. Throws AdapterError. */
  find(target: SlackPlace, isIt: (message: FoundMessage) => boolean): Promise<FoundMessage | undefined>
  /** Finds a message by its key; where we may not look, nothing is found: rather twice than never. */
  lookUp(target: SlackPlace, key: string): Promise<{ channel: string; ts: string } | undefined>
}

export function createSearch(wire: Wire, logger: Logger): Search {
  async function find(target: SlackPlace, isIt: (message: FoundMessage) => boolean): Promise<FoundMessage | undefined> {
    const method = target.threadTs === null ? 'conversations.history' : 'conversations.replies'
    let cursor: string | undefined
    for (let count = 0; count < MAX_PAGES; count += 1) {
      const answer = page.parse(
        await wire.call(method, {
          channel: target.channelId,
          ...(target.threadTs === null ? {} : { ts: target.threadTs }),
          ...(cursor === undefined ? {} : { cursor }),
          limit: PAGE,
          include_all_metadata: true,
        }),
      )
      const found = answer.messages.find(isIt)
      if (found !== undefined) return found
      cursor = answer.response_metadata?.next_cursor
      if (cursor === undefined || cursor === '') return undefined
    }
    return undefined
  }

  async function lookUp(target: SlackPlace, key: string): Promise<{ channel: string; ts: string } | undefined> {
    try {
      const found = await find(target, (message) => message.metadata?.event_payload.key === key)
      return found === undefined ? undefined : { channel: target.channelId, ts: found.ts }
    } catch (error) {
      if (!(error instanceof AdapterError) || (error.code !== 'forbidden' && error.code !== 'thread_gone')) throw error
      logger.warn({ code: slackCode(error) }, 'Slack did not let us look for an earlier message')
      return undefined
    }
  }

  return { find, lookUp }
}
