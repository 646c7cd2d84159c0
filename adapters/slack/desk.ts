/** What all ways in share: who we are, whom we ask, and how we answer privately. */
import type { types } from '@slack/bolt'
import { AppError, errorLine } from '../../src/core/errors.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Presenter } from '../../src/ports/presenter.ts'
import { escapeWithin, section } from './blocks.ts'
import type { Memory } from './memory.ts'
import type { Self } from './parse.ts'
import type { People } from './people.ts'
import type { SlackMessage } from './render.ts'
import type { Wire } from './wire.ts'

export interface Desk {
  readonly inbox: Inbox
  readonly presenter: Presenter
  readonly wire: Wire
  readonly people: People
  readonly memory: Memory
  readonly clock: Clock
  readonly logger: Logger
  readonly self: Self
  /** The slash command's name, for help: "/task". */
  readonly command: string
  /** What has been acknowledged and is not done yet: stopping waits for it, or it would be lost. */
  readonly attending: Set<Promise<void>>
}

/** Where a private answer goes. The response URL also works where the assistant is no member. */
export interface Whereto {
  userId: string
  channelId: string
  threadTs: string | null
  responseUrl: string | null
}

/** Answers so that only this person sees it. Never throws: losing a private answer does no harm. */
export async function tell(desk: Desk, to: Whereto, message: SlackMessage): Promise<void> {
  const { text, blocks } = message
  try {
    if (to.responseUrl !== null) {
      const thread = to.threadTs === null ? {} : { thread_ts: to.threadTs }
      await desk.wire.respond(to.responseUrl, {
        response_type: 'ephemeral',
        replace_original: false,
        ...thread,
        text,
        blocks,
      })
      return
    }
  } catch (error) {
    desk.logger.debug({}, `a response URL did not work: ${errorLine(error)}`)
  }
  try {
    const thread = to.threadTs === null ? {} : { thread_ts: to.threadTs }
    // On App Home there is no channel: the answer becomes a direct message.
    if (to.channelId === '') await desk.wire.call('chat.postMessage', { channel: to.userId, text, blocks })
    else await desk.wire.call('chat.postEphemeral', { channel: to.channelId, user: to.userId, ...thread, text, blocks })
  } catch (error) {
    desk.logger.warn({}, `a private answer in Slack got lost: ${errorLine(error)}`)
  }
}

/** A sentence of ours or of the inbox, escaped, perhaps with more blocks below. */
export function sentence(text: string, ...more: types.KnownBlock[]): SlackMessage {
  const escaped = escapeWithin(text, 2500)
  return { text: escapeWithin(text, 300), blocks: [section(escaped), ...more] }
}

/** What went wrong, for the person: what the error says when it is one of ours, and nothing inner otherwise. */
export function apology(error: unknown): string {
  if (error instanceof AdapterError) return `That did not work: ${error.message}`
  if (error instanceof AppError)
    return 'That did not work: the assistant cannot store it now. Please send it again in a minute.'
  return 'That did not work: something went wrong inside the assistant. Please send it again.'
}

/** Runs one way in. Nothing escapes: it has been acknowledged already, so all that is left is to tell the person and the log. */
export async function attend(
  desk: Desk,
  what: string,
  to: Whereto | undefined,
  work: () => Promise<void>,
): Promise<void> {
  const attending = work().catch(async (error: unknown) => {
    const code = error instanceof AppError ? error.code : 'internal'
    const stack = error instanceof Error ? error.stack : ''
    desk.logger.error({ code, stack }, `a Slack ${what} failed: ${errorLine(error)}`)
    if (to !== undefined) await tell(desk, to, sentence(apology(error)))
  })
  desk.attending.add(attending)
  await attending
  desk.attending.delete(attending)
}
