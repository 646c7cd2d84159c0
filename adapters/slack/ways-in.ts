/** Which of Slack's payloads goes where. Every one is acknowledged before anything is done; forms are the exception that has a limit. */
import type { App } from '@slack/bolt'
import { errorLine } from '../../src/core/errors.ts'
import { attend, type Desk } from './desk.ts'
import { publishHome } from './home.ts'
import { runForm, SHORTCUT } from './modals.ts'
import { onAction } from './on-action.ts'
import { onCommand } from './on-command.ts'
import { onMessage } from './on-message.ts'
import { onSubmission } from './on-submission.ts'
import { parseAction, parseCommand, parseHomeOpened, parseMessage, parseShortcut, parseSubmission } from './parse.ts'
import { createRecent } from './recent.ts'

const MESSAGE_AGE_MS = 10 * 60_000
const PRESS_AGE_MS = 3000

export function attachWaysIn(app: App, desk: Desk): void {
  const messages = createRecent(desk.clock, MESSAGE_AGE_MS)
  const presses = createRecent(desk.clock, PRESS_AGE_MS)

  // The library acknowledges events itself, before its listeners run.
  const take = async (body: unknown): Promise<void> => {
    const intent = parseMessage(body, desk.self)
    if (intent !== undefined) await onMessage(desk, messages, intent)
  }
  app.event('message', ({ body }) => take(body))
  app.event('app_mention', ({ body }) => take(body))
  app.event('app_home_opened', async ({ body }) => {
    const opened = parseHomeOpened(body)
    if (opened !== undefined) await attend(desk, 'Home', undefined, () => publishHome(desk, opened.userId))
  })
  app.command(/.*/, async ({ ack, body }) => {
    await ack()
    const intent = parseCommand(body, desk.self)
    if (intent !== undefined) await onCommand(desk, intent)
  })
  app.action(/.*/, async ({ ack, body }) => {
    await ack()
    const intent = parseAction(body)
    if (intent !== undefined) await onAction(desk, presses, intent)
  })
  app.shortcut(SHORTCUT, async ({ ack, body }) => {
    await ack()
    const intent = parseShortcut(body, desk.self)
    if (intent === undefined) return
    const { userId, channelId, threadTs, triggerId: trigger_id } = intent
    const to = { userId, channelId, threadTs, responseUrl: null }
    await attend(desk, 'shortcut', to, async () => {
      await desk.wire.call('views.open', { trigger_id, view: runForm(intent) })
    })
  })
  app.view({ type: 'view_submission', callback_id: /.*/ }, async ({ ack, body }) => {
    const intent = parseSubmission(body)
    if (intent === undefined) return ack()
    await onSubmission(desk, intent, (answer) => (answer === undefined ? ack() : ack(answer)))
  })
  // The last net: without it the library rejects, and nobody would be there to catch.
  app.error(async (error) => desk.logger.error({ code: error.code }, `a Slack event failed: ${errorLine(error)}`))
}
