/** Why a task is being stopped from outside its own course. The first cause wins. */
export type StopCause = 'cancelled' | 'lost' | 'stopping' | 'timed_out'

export interface RunControl {
  readonly signal: AbortSignal
  /** Undefined while nothing stops it. */
  readonly cause: StopCause | undefined
  stop(cause: StopCause): void
}

export function createRunControl(): RunControl {
  const controller = new AbortController()
  let cause: StopCause | undefined
  return {
    signal: controller.signal,
    get cause() {
      return cause
    },
    stop(next) {
      cause ??= next
      controller.abort()
    },
  }
}
