/** Waiting longer after each failure, and noticing that a whole platform is down rather than one thread. */
import type { Clock } from '../ports/clock.ts'
import { remainingMs } from './edit-budget.ts'

export const MAX_BACKOFF_MS = 60_000

/** 1 s, 2 s, 4 s … a minute, each with up to half of it taken off at random, so that threads do not come back all at once. */
export function backoffMs(attempts: number, random: () => number): number {
  const full = Math.min(MAX_BACKOFF_MS, 1000 * 2 ** Math.min(10, Math.max(0, attempts - 1)))
  return Math.ceil(full * (1 - random() / 2))
}

/** Lets everything pass until several calls in a row have failed; then one at a time, until one succeeds. */
export interface PlatformGate {
  /** 0: go on; else how long to wait before asking again. */
  waitMs(): number
  failed(retryMs: number): void
  succeeded(): void
}

const FAILURES_UNTIL_CLOSED = 3

export function createPlatformGate(clock: Clock): PlatformGate {
  let failures = 0
  let opensAt = 0
  return {
    waitMs() {
      if (failures < FAILURES_UNTIL_CLOSED) return 0
      const now = clock.now()
      const wait = remainingMs(opensAt, now, MAX_BACKOFF_MS)
      // Whoever is let through is the probe; the others wait for what becomes of it.
      if (wait === 0) opensAt = now + 1000
      return wait
    },
    failed(retryMs) {
      failures++
      opensAt = clock.now() + Math.min(retryMs, MAX_BACKOFF_MS)
    },
    succeeded() {
      failures = 0
    },
  }
}
