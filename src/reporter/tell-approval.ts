/** The message that calls those who decide, one for each round that waits, and the one reminder. */
import type { Approval, Task } from '../core/task.ts'
import { reminderView } from '../core/views/notice-views.ts'
import type { DeliveryRole } from '../ports/store.ts'
import { isPosted } from './messages.ts'
import type { Scene, TellOptions, Wait } from './scene.ts'

function approvalRole(round: number): DeliveryRole {
  return round === 1 ? 'approval' : `notice:approval-${round}`
}

export async function tellApprovals(options: TellOptions, scene: Scene): Promise<Wait> {
  const { messages, screen } = options
  const { task, adapter } = scene
  let soonest: Wait = null
  for (const { number } of task.rounds) {
    const role = approvalRole(number)
    const message = scene.messages.get(role)
    const view = screen.approval(task, number, adapter.limits)
    if (view === undefined) continue
    if (isPosted(message)) {
      const outcome = await messages.edit(scene, message, view, 'status')
      if (outcome.kind === 'gone') await messages.close(scene, message)
      if (outcome.kind === 'wait') soonest = Math.min(soonest ?? outcome.ms, outcome.ms)
    } else if (isWaiting(task, number)) {
      await messages.post(scene, role, view, { silent: false })
    }
  }
  return soonest
}

export async function tellReminder({ messages, config, clock }: TellOptions, scene: Scene): Promise<Wait> {
  const { task } = scene
  const { approval } = task
  if (approval === null || approval.remindedAt === null) return null
  const role: DeliveryRole = `notice:reminder-${approval.round}`
  const message = scene.messages.get(role)
  if (isWaiting(task, approval.round)) {
    if (!isPosted(message))
      await messages.post(scene, role, reminderView(task, config.approvers(task), clock.now()), { silent: false })
    return null
  }
  if (!isPosted(message)) return null
  const outcome = await messages.edit(scene, message, decidedReminder(task, approval), 'status')
  if (outcome.kind === 'gone') await messages.close(scene, message)
  return outcome.kind === 'wait' ? outcome.ms : null
}

/** A reminder has done its work: its buttons go. */
function decidedReminder(task: Task, approval: Approval) {
  const text = `Task #${task.id}: ${approval.decision ?? 'no longer waiting'}.`
  return { kind: 'notice', taskId: task.id, mentions: [], text, controls: [] } as const
}

function isWaiting(task: Task, round: number): boolean {
  return task.status === 'awaiting_approval' && task.approval.round === round && task.approval.decision === null
}
