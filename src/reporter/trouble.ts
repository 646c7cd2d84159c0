/** What becomes of a thread that could not be told: try again later, or record once that it cannot be told. Never the task's failure. */
import { errorLine } from '../core/errors.ts'
import { AdapterError } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { type Store, StoreError } from '../ports/store.ts'
import { backoffMs, type PlatformGate } from './backoff.ts'
import type { Next } from './lanes.ts'

export interface TroubleOptions {
  store: Store
  clock: Clock
  logger: Logger
  random(): number
}

/** Days of trying once a minute. */
const MAX_ATTEMPTS = 5000
const STORE_RETRY_MS = 1000

export function createTrouble(options: TroubleOptions) {
  const { store, clock, logger, random } = options

  return async (taskId: number, error: unknown, gate: PlatformGate | undefined): Promise<Next> => {
    if (error instanceof StoreError) {
      logger.error(
        { taskId, code: error.code, err: error },
        `[TASK ${taskId}] the store cannot be used; telling it later`,
      )
      return { kind: 'blocked', afterMs: STORE_RETRY_MS }
    }
    // Read afresh: the place may have become a thread since.
    const delivery = await store.delivery(taskId)
    if (delivery === undefined) return { kind: 'quiet' }
    const attempts = delivery.attempts + 1
    if (isPermanent(error) || attempts > MAX_ATTEMPTS) {
      logger.warn(
        { taskId, code: codeOf(error), place: delivery.place },
        `[TASK ${taskId}] cannot be told: ${errorLine(error)}`,
      )
      await store.saveDelivery({ ...delivery, attempts, failure: errorLine(error) || codeOf(error) })
      return { kind: 'quiet' }
    }
    const asked = error instanceof AdapterError ? (error.retryAfterMs ?? 0) : 0
    const afterMs = Math.max(asked, backoffMs(attempts, random))
    // One thread's own limit says nothing of the platform.
    if (codeOf(error) !== 'rate_limited') gate?.failed(afterMs)
    logger.warn(
      { taskId, code: codeOf(error), attempts, afterMs, ...unexpected(error) },
      `[TASK ${taskId}] telling it later`,
    )
    await store.saveDelivery({ ...delivery, attempts, nextAttemptAt: clock.now() + afterMs })
    return { kind: 'blocked', afterMs }
  }
}

function isPermanent(error: unknown): boolean {
  return error instanceof AdapterError && (error.code === 'thread_gone' || error.code === 'forbidden')
}

function codeOf(error: unknown): string {
  return error instanceof AdapterError ? error.code : 'internal'
}

/** Anything but an AdapterError is a bug of ours: its stack belongs into the log. */
function unexpected(error: unknown): object {
  return error instanceof AdapterError ? {} : { err: error }
}
