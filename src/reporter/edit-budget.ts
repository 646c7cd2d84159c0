/**
 * How often messages are edited. A platform with one budget for all gets at most 50 edits a minute, of which changes of
 * status keep a reserve; the interval between two tail frames grows with the number of live cards (the adapter's limits say how).
 */
import type { ChatLimits } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'

/** The task has moved on; a step has; there is new output; only clocks and queue positions have moved. */
export type Urgency = 'status' | 'step' | 'tail' | 'clock'

export interface EditRequest {
  urgency: Urgency
  /** When this message was last edited; null when it never was. */
  editedAt: number | null
  /** Cards that compete for the budget. */
  cards: number
}

export interface EditBudget {
  /** Takes one edit from the budget and answers 0, or answers how many milliseconds to wait before asking again. */
  take(request: EditRequest): number
  /** Least time between two edits of one message. */
  gapMs(urgency: Urgency, cards: number): number
  /** The platform asked for a pause. */
  pause(ms: number): void
}

const WINDOW_MS = 60_000
const SHARES: Record<Urgency, number> = { status: 50, step: 45, tail: 40, clock: 35 }
export const LEAST_GAP_MS = 1000
const CLOCK_GAP_MS = 30_000

export function createEditBudget(limits: ChatLimits, clock: Clock): EditBudget {
  let taken: number[] = []
  let pausedUntil = 0
  const isShared = limits.editBudget === 'shared'

  function gapMs(urgency: Urgency, cards: number): number {
    const interval = limits.minEditIntervalMs(Math.max(1, cards))
    switch (urgency) {
      case 'status':
        return LEAST_GAP_MS
      case 'step':
        return Math.max(LEAST_GAP_MS, interval / 2)
      case 'tail':
        return interval
      case 'clock':
        return Math.max(CLOCK_GAP_MS, interval)
    }
  }

  function windowWaitMs(now: number, share: number): number {
    taken = taken.filter((at) => at <= now && now - at < WINDOW_MS)
    const oldest = taken[taken.length - share]
    return isShared && oldest !== undefined ? oldest + WINDOW_MS - now : 0
  }

  return {
    gapMs,
    take({ urgency, editedAt, cards }) {
      const now = clock.now()
      const gap = gapMs(urgency, cards)
      const wait = Math.max(
        remainingMs(pausedUntil, now, WINDOW_MS * 10),
        editedAt === null ? 0 : remainingMs(editedAt + gap, now, gap),
        windowWaitMs(now, SHARES[urgency]),
      )
      if (wait === 0) taken.push(now)
      return wait
    },
    pause(ms) {
      pausedUntil = Math.max(pausedUntil, clock.now() + ms)
    },
  }
}

/** Milliseconds until `at`; 0 when it has passed, and also when it is farther away than it can be: then the wall clock has jumped. */
export function remainingMs(at: number, now: number, atMost: number): number {
  const left = at - now
  return left <= 0 || left > atMost ? 0 : left
}
