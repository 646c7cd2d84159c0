/** What Slack says went wrong, as an AdapterError: a code to act on, and a sentence that names the fix. */
import { webApi } from '@slack/bolt'
import { COMMAND } from '../../src/core/command.ts'
import { errorLine } from '../../src/core/errors.ts'
import { AdapterError, type AdapterErrorCode } from '../../src/ports/chat-adapter.ts'

const INVITE = 'Invite it with /invite, then try again.'

const KNOWN: Readonly<Record<string, { code: AdapterErrorCode; sentence: string }>> = {
  not_in_channel: { code: 'forbidden', sentence: `The assistant is not in this channel. ${INVITE}` },
  channel_not_found: { code: 'forbidden', sentence: `The assistant cannot see this channel. ${INVITE}` },
  user_not_in_channel: { code: 'forbidden', sentence: 'The person is not in this channel.' },
  is_archived: { code: 'thread_gone', sentence: 'The channel is archived.' },
  thread_not_found: { code: 'thread_gone', sentence: 'The thread has been deleted.' },
  cannot_reply_to_message: { code: 'thread_gone', sentence: 'Slack allows no replies to this message.' },
  restricted_action: { code: 'forbidden', sentence: 'The workspace does not let the assistant write here.' },
  restricted_action_read_only_channel: { code: 'forbidden', sentence: 'The channel is read-only.' },
  restricted_action_thread_locked: { code: 'thread_gone', sentence: 'The thread is locked.' },
  restricted_action_thread_only_channel: { code: 'forbidden', sentence: 'The channel takes replies in threads only.' },
  restricted_action_non_threadable_channel: { code: 'forbidden', sentence: 'The channel takes no threads.' },
  message_not_found: { code: 'message_gone', sentence: 'The message has been deleted.' },
  cant_update_message: { code: 'message_gone', sentence: 'The message cannot be edited.' },
  edit_window_closed: { code: 'message_gone', sentence: 'The message is too old to be edited.' },
  invalid_blocks: { code: 'invalid', sentence: 'Slack refused the form of the message.' },
  invalid_blocks_format: { code: 'invalid', sentence: 'Slack refused the form of the message.' },
  msg_blocks_too_long: { code: 'too_large', sentence: 'The message is too long for Slack.' },
  msg_too_long: { code: 'too_large', sentence: 'The message is too long for Slack.' },
  file_not_found: { code: 'invalid', sentence: 'Slack does not know the file any more.' },
  file_deleted: { code: 'invalid', sentence: 'The file has been deleted.' },
  token_revoked: {
    code: 'unauthorized',
    sentence: 'The Slack token was revoked: reinstall the app and set SLACK_BOT_TOKEN anew.',
  },
  token_expired: {
    code: 'unauthorized',
    sentence: 'The Slack token has expired: reinstall the app and set SLACK_BOT_TOKEN anew.',
  },
  invalid_auth: { code: 'unauthorized', sentence: 'Slack does not accept the token: copy it anew and restart.' },
  not_authed: { code: 'unauthorized', sentence: 'There is no Slack token: set SLACK_BOT_TOKEN.' },
  account_inactive: {
    code: 'unauthorized',
    sentence: 'The Slack app was uninstalled: install it again and set SLACK_BOT_TOKEN.',
  },
  not_allowed_token_type: {
    code: 'unauthorized',
    sentence: `This is the wrong kind of Slack token: see \`${COMMAND} setup slack\`.`,
  },
  expired_trigger_id: { code: 'invalid', sentence: 'Slack waited too long for the form: press the button again.' },
  exchanged_trigger_id: { code: 'invalid', sentence: 'Slack waited too long for the form: press the button again.' },
  ratelimited: { code: 'rate_limited', sentence: 'Slack asks to wait.' },
  rate_limited: { code: 'rate_limited', sentence: 'Slack asks to wait.' },
  message_limit_exceeded: { code: 'rate_limited', sentence: 'Slack asks to wait.' },
  internal_error: { code: 'unavailable', sentence: 'Slack has trouble.' },
  fatal_error: { code: 'unavailable', sentence: 'Slack has trouble.' },
  service_unavailable: { code: 'unavailable', sentence: 'Slack has trouble.' },
  request_timeout: { code: 'unavailable', sentence: 'Slack has trouble.' },
  team_added_to_org: { code: 'unavailable', sentence: 'The workspace is being moved into an organisation.' },
}

/** Slack's own word for it, like 'invalid_blocks'; undefined when Slack did not answer. */
export function slackCode(error: unknown): string | undefined {
  if (error instanceof AdapterError) return slackCode(error.cause)
  return error instanceof webApi.WebAPIPlatformError ? error.data.error : undefined
}

export function toAdapterError(error: unknown): AdapterError {
  if (error instanceof AdapterError) return error
  if (error instanceof webApi.WebAPIRateLimitedError) {
    return new AdapterError('rate_limited', 'Slack asks to wait.', error.retryAfter * 1000, { cause: error })
  }
  if (error instanceof webApi.WebAPIPlatformError) return platformError(error)
  if (error instanceof webApi.WebAPIHTTPError) {
    return new AdapterError('unavailable', `Slack answered with HTTP ${error.statusCode}.`, null, { cause: error })
  }
  if (error instanceof webApi.WebAPIRequestError) {
    return new AdapterError('unavailable', 'Slack cannot be reached.', null, { cause: error })
  }
  return new AdapterError('unavailable', `Slack cannot be reached: ${errorLine(error)}`, null, { cause: error })
}

function platformError(error: webApi.WebAPIPlatformError): AdapterError {
  const { data } = error
  if (data.error === 'missing_scope') {
    return new AdapterError(
      'forbidden',
      missingScope('needed' in data ? String(data.needed) : 'that this needs'),
      null,
      { cause: error },
    )
  }
  const known = Object.hasOwn(KNOWN, data.error) ? KNOWN[data.error] : undefined
  const retryAfterS = data.response_metadata?.retryAfter
  const retryAfterMs = typeof retryAfterS === 'number' ? retryAfterS * 1000 : null
  if (known !== undefined) return new AdapterError(known.code, known.sentence, retryAfterMs, { cause: error })
  return new AdapterError('invalid', `Slack refused: ${data.error.slice(0, 100)}.`, null, { cause: error })
}

export function missingScope(scope: string): string {
  return `The Slack app lacks the scope ${scope}: add it under OAuth & Permissions and reinstall the app.`
}
