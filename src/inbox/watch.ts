import { isFinal, type Task } from '../core/task.ts'
import type { Store } from '../ports/store.ts'

/** The task each time it has changed, the first at once, until it is final; several changes in a row may be told as one. */
export async function* watchTask(
  store: Store,
  maySee: (task: Task) => boolean,
  taskId: number,
  signal: AbortSignal,
): AsyncGenerator<Task> {
  let ring = Promise.withResolvers<void>()
  const wake = () => ring.resolve()
  using _watching = store.watch((change) => {
    if (change.taskId === taskId) wake()
  })
  signal.addEventListener('abort', wake)
  try {
    while (!signal.aborted) {
      ring = Promise.withResolvers<void>()
      const task = await store.get(taskId)
      if (task === undefined || !maySee(task)) return
      yield task
      if (isFinal(task.status)) return
      await ring.promise
    }
  } finally {
    signal.removeEventListener('abort', wake)
  }
}
