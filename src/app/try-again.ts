import type { Clock } from '../ports/clock.ts'

const EVERY_MS = 30_000

export interface RetryOptions {
  clock: Clock
  /** True when there is nothing more to try. */
  attempt(): Promise<boolean>
}

/** Tries again now and then what could not start, until it can; disposing waits for a try that is under way. */
export function tryAgain({ clock, attempt }: RetryOptions): AsyncDisposable {
  let isOver = false
  let trying: Promise<void> = Promise.resolve()
  let timer: Disposable | undefined

  async function tryOnce(): Promise<void> {
    if (!isOver && !(await attempt())) tryLater()
  }

  function tryLater(): void {
    timer = clock.after(EVERY_MS, () => {
      trying = tryOnce()
    })
  }

  tryLater()
  return {
    async [Symbol.asyncDispose]() {
      isOver = true
      timer?.[Symbol.dispose]()
      await trying
      timer?.[Symbol.dispose]()
    },
  }
}
