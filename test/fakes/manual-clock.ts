import type { Clock } from '../../src/ports/clock.ts'

export interface ManualClock extends Clock {
  /** Lets `ms` pass: the wall clock moves and every timer that falls due fires, in order, at its own time. */
  advance(ms: number): void
  /** The wall clock jumps, forwards or backwards; no time passes, so no timer fires. */
  set(at: number): void
  /** Timers that have neither fired nor been disposed of. */
  readonly waiting: number
}

interface Timer {
  dueAt: number
  action: () => void
}

/** A clock that stands still until a test moves it. Timers run on passed time, as real ones do, not on the wall clock. */
export function manualClock(startAt = Date.UTC(2030, 0, 1)): ManualClock {
  let wall = startAt
  let passed = 0
  const timers = new Set<Timer>()

  function nextDue(until: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of timers) {
      if (timer.dueAt <= until && (next === undefined || timer.dueAt < next.dueAt)) next = timer
    }
    return next
  }

  function passTo(time: number): void {
    wall += time - passed
    passed = time
  }

  return {
    now: () => wall,
    after(ms, action) {
      const timer = { dueAt: passed + Math.max(0, ms), action }
      timers.add(timer)
      return { [Symbol.dispose]: () => void timers.delete(timer) }
    },
    advance(ms) {
      const until = passed + ms
      for (let timer = nextDue(until); timer !== undefined; timer = nextDue(until)) {
        timers.delete(timer)
        passTo(timer.dueAt)
        timer.action()
      }
      passTo(until)
    },
    set(at) {
      wall = at
    },
    get waiting() {
      return timers.size
    },
  }
}
