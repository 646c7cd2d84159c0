/**
 * Which of Slack's payloads goes where, each with its receipt: what has an effect is acknowledged when that is stored (`receipt.ts`),
 * what only shows something at once.
 */
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
import { createReceipt, deferReceipts, type FormErrors, type Receipt } from './receipt.ts'
import { createRecent } from './recent.ts'

const MESSAGE_AGE_MS = 10 * 60_000
const PRESS_AGE_MS = 3000

type WithReceipt = { receipt: Receipt }

export function attachWaysIn(app: App, desk: Desk): void {
  const { clock, logger } = desk
  const messages = { done: createRecent(clock, MESSAGE_AGE_MS), underway: new Map<string, Promise<boolean>>() }
  const presses = createRecent(clock, PRESS_AGE_MS)
  /** Slack never sends these again. */
  const receiptOf = (send: (answer?: FormErrors) => Promise<void>) => createReceipt({ send, logger, retriesLeft: 0 })

  deferReceipts(app, logger)
  const take = async (body: unknown, receipt: Receipt): Promise<void> => {
    const intent = parseMessage(body, desk.self)
    if (intent !== undefined) await onMessage(desk, messages, { intent, receipt })
  }
  app.event<'message', WithReceipt>('message', ({ body, context }) => take(body, context.receipt))
  app.event<'app_mention', WithReceipt>('app_mention', ({ body, context }) => take(body, context.receipt))
  app.event<'app_home_opened', WithReceipt>('app_home_opened', async ({ body, context }) => {
    await context.receipt.acknowledge()
    const opened = parseHomeOpened(body)
    if (opened === undefined) return
    await attend(desk, { what: 'Home', to: undefined }, () => publishHome(desk, opened.userId))
  })
  app.command(/.*/, async ({ ack, body }) => {
    const intent = parseCommand(body, desk.self)
    if (intent === undefined) return ack()
    await onCommand(
      desk,
      intent,
      receiptOf(() => ack()),
    )
  })
  app.action(/.*/, async ({ ack, body }) => {
    const intent = parseAction(body)
    if (intent === undefined) return ack()
    await onAction(desk, presses, { intent, receipt: receiptOf(() => ack()) })
  })
  app.shortcut(SHORTCUT, async ({ ack, body }) => {
    await ack()
    const intent = parseShortcut(body, desk.self)
    if (intent === undefined) return
    const { userId, channelId, threadTs, triggerId: trigger_id } = intent
    const to = { userId, channelId, threadTs, responseUrl: null }
    await attend(desk, { what: 'shortcut', to }, async () => {
      await desk.wire.call('views.open', { trigger_id, view: runForm(intent) })
    })
  })
  app.view({ type: 'view_submission', callback_id: /.*/ }, async ({ ack, body }) => {
    const intent = parseSubmission(body)
    if (intent === undefined) return ack()
    const receipt = receiptOf((answer) => (answer === undefined ? ack() : ack(answer)))
    await onSubmission(desk, intent, receipt)
  })
  // The last net: without it the library rejects, and nobody would be there to catch.
  app.error(async (error) => desk.logger.error({ code: error.code }, `a Slack event failed: ${errorLine(error)}`))
}
