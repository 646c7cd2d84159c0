/** What Discord's refusals mean for people and for the reporter. */
import { DiscordAPIError, HTTPError, RateLimitError } from 'discord.js'
import { errorLine } from '../../src/core/errors.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'

/** What was being done; decides which permission a refusal is about. */
export type Doing =
  | 'post'
  | 'post_in_thread'
  | 'edit'
  | 'upload'
  | 'open_thread'
  | 'read'
  | 'react'
  | 'register_commands'
  | 'answer'

const PERMISSIONS: Record<Doing, string> = {
  post: '"View Channel" and "Send Messages"',
  post_in_thread: '"View Channel" and "Send Messages in Threads"',
  edit: '"View Channel"',
  upload: '"Attach Files" and "Send Messages in Threads"',
  open_thread: '"Create Public Threads"',
  read: '"View Channel" and "Read Message History"',
  react: '"Add Reactions" and "Read Message History"',
  register_commands: 'the scope "applications.commands"',
  answer: '"View Channel"',
}

export const UNKNOWN_INTERACTION = 10_062
export const ALREADY_ACKNOWLEDGED = 40_060
export const THREAD_EXISTS = 160_004
export const ARCHIVED = 50_083
const LOCKED = 160_005
/** Unknown webhook, unknown interaction, invalid webhook token: the fifteen minutes are over. */
const DEAD_TOKEN: ReadonlySet<unknown> = new Set([10_015, UNKNOWN_INTERACTION, 50_027])
const MISSING_ACCESS = 50_001
const MISSING_PERMISSIONS = 50_013

export function discordCode(error: unknown): number | undefined {
  return error instanceof DiscordAPIError ? Number(error.code) : undefined
}

export function isTokenDead(error: unknown): boolean {
  return DEAD_TOKEN.has(discordCode(error))
}

export function isPermissionMissing(error: unknown): boolean {
  const code = discordCode(error)
  return code === MISSING_ACCESS || code === MISSING_PERMISSIONS
}

/** Turns whatever the client threw into an AdapterError; its sentence holds no token and no address. */
export function toAdapterError(error: unknown, doing: Doing): AdapterError {
  if (error instanceof AdapterError) return error
  if (error instanceof RateLimitError) {
    const waitMs = Math.max(error.retryAfter, error.timeToReset, 0)
    return new AdapterError('rate_limited', 'Discord asks us to wait.', waitMs, { cause: error })
  }
  if (error instanceof DiscordAPIError) return fromApi(error, doing)
  if (error instanceof HTTPError) {
    return new AdapterError('unavailable', `Discord answers with an error (${error.status}).`, null, { cause: error })
  }
  const line = errorLine(error)
  // The client forgets its token after a 401, and then says this.
  if (line.startsWith('Expected token to be set')) return unauthorized(error)
  return new AdapterError('unavailable', `Discord cannot be reached (${line}).`, null, { cause: error })
}

function fromApi(error: DiscordAPIError, doing: Doing): AdapterError {
  const cause = { cause: error }
  switch (Number(error.code)) {
    case 10_008:
    case 30_046:
    case 50_005:
      return new AdapterError('message_gone', 'The message is gone or cannot be edited any more.', null, cause)
    case 10_003:
      return new AdapterError('thread_gone', 'The thread or its channel is gone.', null, cause)
    case LOCKED:
    case ARCHIVED:
      return new AdapterError(
        'thread_gone',
        'The thread is locked. Unlock it, or ask again in the channel.',
        null,
        cause,
      )
    case MISSING_ACCESS:
      return new AdapterError(
        'forbidden',
        'The bot cannot see this channel. Give it "View Channel" there.',
        null,
        cause,
      )
    case MISSING_PERMISSIONS:
      return new AdapterError(
        'forbidden',
        `The bot lacks a permission here. Give it ${PERMISSIONS[doing]}.`,
        null,
        cause,
      )
    case 50_007:
      return new AdapterError('forbidden', 'This person takes no direct messages from the bot.', null, cause)
    case 160_006:
    case 30_033:
      return new AdapterError('forbidden', 'This server has as many active threads as Discord allows.', null, cause)
    case 40_005:
      return new AdapterError('too_large', 'The file is larger than Discord takes here.', null, cause)
    case 20_016:
      return new AdapterError('rate_limited', 'Slow mode is on in this channel.', 10_000, cause)
    default:
      return byStatus(error, doing)
  }
}

function byStatus(error: DiscordAPIError, doing: Doing): AdapterError {
  const cause = { cause: error }
  if (error.status === 401) return unauthorized(error)
  if (error.status === 403) {
    return new AdapterError('forbidden', `Discord refuses this. Give the bot ${PERMISSIONS[doing]}.`, null, cause)
  }
  if (error.status === 413) return new AdapterError('too_large', 'The file is larger than Discord takes.', null, cause)
  if (error.status === 429) return new AdapterError('rate_limited', 'Discord asks us to wait.', null, cause)
  const fields = error.message.replace(/\s+/g, ' ').slice(0, 300)
  return new AdapterError('invalid', `Discord does not take this message: ${fields}`, null, cause)
}

function unauthorized(cause: unknown): AdapterError {
  return new AdapterError(
    'unauthorized',
    'Discord does not accept the token. Reset it in the developer portal and set DISCORD_TOKEN.',
    null,
    { cause },
  )
}
