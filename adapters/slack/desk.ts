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
import { PATIENCE_MS, type Receipt } from './receipt.ts'
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
  /** What is being done: stopping waits for it, or what has been acknowledged would be lost. */
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

const NOT_STORED_YET =
  'This takes longer than usual and is not stored yet. If nothing of it shows within a minute, please send it again.'

/** What went wrong, for the person: what the error says when it is one of ours, and nothing inner otherwise. */
export function apology(error: unknown, comesAgain = false): string {
  if (error instanceof AdapterError) return `That did not work: ${error.message}${comesAgain ? ` ${COMES_AGAIN}` : ''}`
  if (comesAgain) return `That did not work yet: the assistant cannot store it now. ${COMES_AGAIN}`
  if (error instanceof AppError)
    return 'That did not work: the assistant cannot store it now. Please send it again in a minute.'
  return 'That did not work: something went wrong inside the assistant. Please send it again.'
}

const COMES_AGAIN = 'Slack brings it again by itself within minutes; there is no need to repeat it.'

export interface Attended {
  /** For the log. */
  what: string
  /** Whom to tell when it does not work. */
  to: Whereto | undefined
  /** Of what has not been acknowledged before. */
  receipt?: Receipt
}

/**
 * Runs one way in, and acknowledges it when it is done, if nobody has before. When Slack's patience ends first, an event is left to come
 * again: acknowledged it would be lost with us. What does not come again is acknowledged then, and the person told how it stands.
 * Nothing escapes: what is left to do with an error is to have Slack send it again, where it does that, and to tell the person and the log.
 */
export async function attend(desk: Desk, { what, to, receipt }: Attended, work: () => Promise<void>): Promise<void> {
  const hurry = async (): Promise<void> => {
    if (receipt?.state !== 'pending' || receipt.comesAgain) return
    const telling = to === undefined ? undefined : tell(desk, to, sentence(NOT_STORED_YET))
    await receipt.acknowledge()
    await telling
  }
  const failed = async (error: unknown): Promise<void> => {
    const comesAgain = receipt?.giveBack() === true
    // Before it is told: that may take long, and patience would end meanwhile and tell that it may be stored yet.
    const acknowledging = receipt?.acknowledge()
    const code = error instanceof AppError ? error.code : 'internal'
    const stack = error instanceof Error ? error.stack : ''
    desk.logger.error({ code, stack }, `a Slack ${what} failed: ${errorLine(error)}`)
    // Once is enough for what comes again.
    const isTold = comesAgain && receipt?.isRetry === true
    if (to !== undefined && !isTold) await tell(desk, to, sentence(apology(error, comesAgain)))
    await acknowledging
  }
  using _late = desk.clock.after(PATIENCE_MS, () => void hurry())
  const attending = work()
    .catch(failed)
    .then(async () => void (await receipt?.acknowledge()))
  desk.attending.add(attending)
  await attending
  desk.attending.delete(attending)
}
