/**
 * When Slack hears that we have something: once it is in the store, so that being killed before loses nothing.
 * An event that is not acknowledged comes again. A command, a press or a form does not, and Slack tells the person that it failed.
 */
import type { App } from '@slack/bolt'
import { errorLine } from '../../src/core/errors.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'

/** Slack waits three seconds, the way there and back included. */
export const PATIENCE_MS = 2500
/** An event that nobody acknowledges is sent this often again. */
const MAX_RETRIES = 3

/** What a form is acknowledged with when it stays open. */
export interface FormErrors {
  response_action: 'errors'
  errors: Record<string, string>
}

export interface Receipt {
  readonly state: 'pending' | 'acknowledged' | 'given back'
  /** Slack sends it again when it hears nothing. */
  readonly comesAgain: boolean
  /** It is not the first time that it comes. */
  readonly isRetry: boolean
  /** The first call counts; false: this was another one. Never throws: without a connection, an event comes again. */
  acknowledge(answer?: FormErrors): Promise<boolean>
  /** Leaves it unacknowledged. False when Slack will not send it again: it has been acknowledged, or it was the last time. */
  giveBack(): boolean
}

export interface ReceiptOptions {
  send(answer?: FormErrors): Promise<void>
  logger: Logger
  /** How often Slack sends it again from now on. */
  retriesLeft: number
}

export function createReceipt({ send, logger, retriesLeft }: ReceiptOptions): Receipt {
  let state: Receipt['state'] = 'pending'
  return {
    get state() {
      return state
    },
    comesAgain: retriesLeft > 0,
    isRetry: retriesLeft > 0 && retriesLeft < MAX_RETRIES,
    async acknowledge(answer) {
      if (state !== 'pending') return false
      state = 'acknowledged'
      await send(answer).catch((error: unknown) => {
        logger.warn({}, `Slack could not be told that something of its arrived: ${errorLine(error)}`)
      })
      return true
    },
    giveBack() {
      if (state === 'pending' && retriesLeft > 0) state = 'given back'
      return state === 'given back'
    },
  }
}

/** The library acknowledges events before their listeners run. Here they get a receipt as `context.receipt`, and it is done when they are. */
export function deferReceipts(app: App, logger: Logger): void {
  const processEvent = app.processEvent.bind(app)
  app.processEvent = async (event) => {
    if (event.body.event === undefined) return processEvent(event)
    const retriesLeft = Math.max(0, MAX_RETRIES - (event.retryNum ?? 0))
    const receipt = createReceipt({ send: () => event.ack(), logger, retriesLeft })
    const customProperties = { ...event.customProperties, receipt }
    await processEvent({ ...event, ack: async () => undefined, customProperties })
    // Over HTTP silence would be long: the connection makes an answer of this that says no.
    if (receipt.state === 'given back') throw new AdapterError('unavailable', 'not stored; Slack sends it again')
    await receipt.acknowledge()
  }
}
