import { formatAge } from '../format.ts'
import type { Task } from '../task.ts'
import { oneLine } from '../text.ts'
import type { NoticeView } from '../view.ts'
import { control, decisionControls } from './controls-view.ts'

/** An approval that nobody has decided on yet. */
export function reminderView(task: Task, mentions: readonly string[], now: number): NoticeView {
  const left = task.approval === null ? 0 : task.approval.expiresAt - now
  return {
    kind: 'notice',
    taskId: task.id,
    mentions,
    text: `Task #${task.id} still waits for a decision. It expires in ${formatAge(left)}.`,
    controls: decisionControls(task),
  }
}

/** The files could not be uploaded; the task stays as it is. */
export function uploadFailedView(task: Task, problem: string): NoticeView {
  return {
    kind: 'notice',
    taskId: task.id,
    mentions: [],
    text: `The files of task #${task.id} could not be uploaded: ${oneLine(problem, 300)}`,
    controls: [control('upload', task)],
  }
}

/** The same notice once a later try has succeeded. */
export function uploadDoneView(task: Task): NoticeView {
  return {
    kind: 'notice',
    taskId: task.id,
    mentions: [],
    text: `The files of task #${task.id} are uploaded now.`,
    controls: [],
  }
}
