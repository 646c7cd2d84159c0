/** Why a task is being stopped from outside its own course. The first cause wins. */
export type StopCause = 'cancelled' | 'lost' | 'stopping' | 'timed_out'

export interface RunControl {
  readonly signal: AbortSignal
  /** Undefined while nothing stops it. */
  readonly cause: StopCause | undefined
  stop(cause: StopCause): void
  /** The run is about to write its task's end: nothing of it runs any more, so that its slot is another's from now on. */
  leave(): void
  /** While the run writes to the store it learns by the answer of what others did to its task. */
  readonly isWriting: boolean
  writing<T>(write: Promise<T>): Promise<T>
}

export function createRunControl(onLeave: () => void): RunControl {
  const controller = new AbortController()
  let cause: StopCause | undefined
  let writes = 0
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
    get isWriting() {
      return writes > 0
    },
    async writing(write) {
      writes += 1
      try {
        return await write
      } finally {
        writes -= 1
      }
    },
  }
}
