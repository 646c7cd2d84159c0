import type { Task } from '../task.ts'
import { isFinal } from '../task.ts'
import type { StatusView } from '../view.ts'

const STATUS_VIEWS: Record<StatusView['status'], { icon: string; word: string }> = {
  pending: { icon: '🕒', word: 'Queued' },
  planning: { icon: '🧠', word: 'Planning' },
  awaiting_approval: { icon: '✋', word: 'Needs approval' },
  running: { icon: '⏳', word: 'Running' },
  done: { icon: '✅', word: 'Done' },
  failed: { icon: '❌', word: 'Failed' },
  cancelled: { icon: '🛑', word: 'Cancelled' },
  interrupted: { icon: '⚡', word: 'Interrupted' },
}

/** Icon and word of a status, as lists and menus show it. */
export function iconOf(status: StatusView['status']): string {
  return STATUS_VIEWS[status].icon
}

/** What the task's status is called. A cancel that is asked for and not done yet shows as stopping. */
export function statusView(task: Task): StatusView {
  if (!isFinal(task.status) && task.cancelRequestedBy !== null) {
    return { status: task.status, icon: '🛑', word: 'Stopping…' }
  }
  const status = isInterrupted(task) ? 'interrupted' : task.status
  return { status, ...STATUS_VIEWS[status] }
}

export function isInterrupted(task: Task): boolean {
  return task.status === 'failed' && task.failure.reason === 'interrupted'
}
