import type { Clock } from '../ports/clock.ts'
import { PlannerError } from '../ports/planner.ts'

export interface PatienceOptions {
  clock: Clock
  host: string
  coldStartTimeoutMs: number
  idleTimeoutMs: number
  signal: AbortSignal
  onFirstByte(): void
}

/** How long a reply is waited for: a long time for its first byte, a short one between bytes. `signal` aborts with PlannerError('timeout'). */
export interface Patience extends Disposable {
  readonly signal: AbortSignal
  byte(this: void): void
}

export function startPatience(options: PatienceOptions): Patience {
  const { clock, host, coldStartTimeoutMs, idleTimeoutMs } = options
  const hangUp = new AbortController()
  let sawByte = false

  function waitAtMost(ms: number, what: string): Disposable {
    const seconds = Math.round(ms / 1000)
    const message = `The model server at ${host} ${what} for ${seconds} s.`
    return clock.after(ms, () => hangUp.abort(new PlannerError('timeout', message)))
  }

  let timer = waitAtMost(coldStartTimeoutMs, 'sent nothing')
  return {
    signal: AbortSignal.any([options.signal, hangUp.signal]),
    byte() {
      timer[Symbol.dispose]()
      timer = waitAtMost(idleTimeoutMs, 'went silent in the middle of a reply')
      if (!sawByte) options.onFirstByte()
      sawByte = true
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }
}
