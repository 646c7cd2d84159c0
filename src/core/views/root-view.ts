import type { Task } from '../task.ts'
import { oneLine } from '../text.ts'
import type { RootView } from '../view.ts'
import { statusView } from './status-view.ts'

const MAX_TITLE = 150

/** The task's title line, for places that have no message of the requester's. */
export function rootView(task: Task): RootView {
  return {
    kind: 'root',
    taskId: task.id,
    status: statusView(task),
    title: `Task #${task.id}: ${oneLine(task.description, MAX_TITLE)}`,
    byLine: `by ${oneLine(task.requester.name, 60)}`,
  }
}
