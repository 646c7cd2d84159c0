/** Calls to Slack's Web API: one attempt each, because only the caller knows what may be done twice. */
import { type App, LogLevel, webApi } from '@slack/bolt'
import { errorLine } from '../../src/core/errors.ts'
import type { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { toAdapterError } from './errors.ts'

export const SLACK_API_URL = 'https://slack.com/api/'
const CALL_TIMEOUT_MS = 20_000

export interface Wire {
  /** Throws AdapterError. */
  call(method: string, args?: Record<string, unknown>): Promise<webApi.WebAPICallResult>
  /** Answers through a response URL (5 uses within 30 minutes). Throws AdapterError. */
  respond(url: string, body: object): Promise<void>
  readonly botToken: string
  readonly apiUrl: string
  /** A sentence when Slack has refused the token since; '' when all is well. */
  readonly problem: string
}

export function createWire(options: { botToken: string; apiUrl: string; logger: Logger }): Wire {
  const { botToken, apiUrl, logger } = options
  const client = new webApi.WebClient(botToken, clientOptions(apiUrl, logger))
  let problem = ''

  function failed(error: unknown): AdapterError {
    const known = toAdapterError(error)
    if (known.code === 'unauthorized' && problem === '') {
      problem = known.message
      logger.error({ code: known.code }, `Slack refuses the token. ${known.message}`)
    }
    return known
  }

  return {
    botToken,
    apiUrl,
    get problem() {
      return problem
    },
    async call(method, args = {}) {
      try {
        const result = await client.apiCall(method, args)
        problem = ''
        return result
      } catch (error) {
        throw failed(error)
      }
    },
    async respond(url, body) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      }).catch((error: unknown) => {
        throw toAdapterError(error)
      })
      if (!response.ok) throw toAdapterError(new Error(`the answer was refused (HTTP ${response.status})`))
    },
  }
}

/** The same for every client: explicitly no retries, or Socket Mode would write a hundred of them into this object. */
export function clientOptions(apiUrl: string, logger: Logger): webApi.WebClientOptions {
  return {
    slackApiUrl: apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: CALL_TIMEOUT_MS,
    logger: boltLogger(logger),
  }
}

/** The library's words at debug level, where nobody reads them by default: what matters we log ourselves. No arguments: they may hold payloads. */
export function boltLogger(logger: Logger): App['logger'] {
  const write = (...messages: unknown[]): void => logger.debug({ part: 'bolt' }, errorLine(messages[0]))
  return {
    debug: () => undefined,
    info: write,
    warn: write,
    error: write,
    setLevel: () => undefined,
    getLevel: () => LogLevel.INFO,
    setName: () => undefined,
  }
}
