/** Why a task is being stopped from outside its own course. The first cause wins. */
export type StopCause = 'cancelled' | 'lost' | 'stopping' | 'timed_out'

export interface RunControl {
  readonly signal: AbortSignal
  /** Undefined while nothing stops it. */
  readonly cause: StopCause | undefined
  stop(cause: StopCause): void
  /** The run is about to write its task's end: nothing of it runs any more, so that its slot is another's from now on. */
  leave(): void
}

export function createRunControl(onLeave: () => void): RunControl {
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
    leave: onLeave,
  }
}
