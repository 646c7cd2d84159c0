/** Messages out: new ones and edits, with a smaller one when Slack refuses the form of the first. */
import { z } from 'zod'
import type { MessageView } from '../../src/core/view.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { context } from './blocks.ts'
import { slackCode } from './errors.ts'
import type { SlackPlace, SlackRef } from './place.ts'
import { renderSmaller, renderView, type SlackMessage } from './render.ts'
import type { Wire } from './wire.ts'

const EVENT_TYPE = 'assistant_message'
const posted = z.object({ channel: z.string(), ts: z.string() })

export interface Sender {
  /** A new message; `notes` are small lines below the view. Throws AdapterError. */
  send(
    target: SlackPlace,
    view: MessageView,
    options: { key: string; notes: readonly string[] },
  ): Promise<{ channel: string; ts: string }>
  /** Replaces a message. Throws AdapterError. */
  update(target: SlackRef, view: MessageView): Promise<void>
}

export function createSender(wire: Wire, logger: Logger): Sender {
  async function fitting<T>(view: MessageView, attempt: (message: SlackMessage) => Promise<T>): Promise<T> {
    try {
      return await attempt(renderView(view))
    } catch (error) {
      if (!isRefusedContent(error)) throw error
      const fields = { taskId: view.taskId, code: slackCode(error) }
      logger.warn(fields, `[TASK ${view.taskId}] Slack refused a message; a smaller one goes out`)
      return attempt(renderSmaller(view))
    }
  }

  return {
    send: (target, view, { key, notes }) =>
      fitting(view, async ({ text, blocks }) => {
        const answer = await wire.call('chat.postMessage', {
          channel: target.channelId,
          ...(target.threadTs === null ? {} : { thread_ts: target.threadTs }),
          text,
          blocks: [...blocks, ...context(notes)],
          unfurl_links: false,
          unfurl_media: false,
          metadata: metadata(key),
        })
        return posted.parse(answer)
      }),
    update: (target, view) =>
      fitting(view, async (message) => {
        const { channelId: channel, ts } = target
        await wire.call('chat.update', { channel, ts, ...message, metadata: metadata(target.key) })
      }),
  }
}

function metadata(key: string): object {
  return { event_type: EVENT_TYPE, event_payload: { key } }
}

function isRefusedContent(error: unknown): boolean {
  const code = slackCode(error) ?? ''
  return ['invalid_blocks', 'invalid_blocks_format', 'msg_too_long', 'msg_blocks_too_long'].includes(code)
}
