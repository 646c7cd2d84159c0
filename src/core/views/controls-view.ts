/** Which buttons a task has, by what can be done with it now. An adapter draws them in this order. */
import { shortHash } from '../approval.ts'
import type { Verb } from '../controls.ts'
import { assertNever } from '../errors.ts'
import type { Task } from '../task.ts'
import { currentRound } from '../task.ts'
import type { ControlView } from '../view.ts'
import { isInterrupted } from './status-view.ts'
import { hasRun, stepInFocus } from './task-facts.ts'

const LABELS = {
  cancel: 'Cancel',
  retry: 'Retry',
  rerun: 'Run again exactly',
  replan: 'Plan again',
  approve: 'Approve',
  edit: 'Edit plan',
  reject: 'Reject',
  resume: 'Resume',
  restart: 'Start over',
  discard: 'Discard',
  apply: 'Apply now (cancels)',
  upload: 'Retry upload',
  log: 'Full log',
  files: 'Files',
} as const satisfies Partial<Record<Verb, string>>

export function control(verb: keyof typeof LABELS, task: Task, style: ControlView['style'] = 'plain'): ControlView {
  const decides = verb === 'approve' || verb === 'reject' || verb === 'edit'
  const round = currentRound(task)
  const hash = decides && round !== undefined ? shortHash(round.hash) : null
  return { control: { verb, taskId: task.id, hash }, label: LABELS[verb], style, confirm: null }
}

/** Buttons of the card. A final task that gets a result message has them there instead. */
export function cardControls(task: Task): ControlView[] {
  if (task.cancelRequestedBy !== null) return task.status === 'running' ? logControl(task) : finalCardControls(task)
  switch (task.status) {
    case 'pending':
      return [...applyControl(task), cancelControl(task)]
    case 'planning':
    case 'running':
      return [cancelControl(task), ...logControl(task)]
    case 'awaiting_approval':
      return decisionControls(task)
    case 'done':
    case 'failed':
    case 'cancelled':
      return finalCardControls(task)
    default:
      return assertNever(task)
  }
}

function finalCardControls(task: Task): ControlView[] {
  return task.status === 'cancelled' ? resultControls(task) : []
}

export function decisionControls(task: Task): ControlView[] {
  return [control('approve', task, 'primary'), control('edit', task), control('reject', task, 'danger')]
}

/** Buttons of a task that has ended. */
export function resultControls(task: Task): ControlView[] {
  switch (task.status) {
    case 'done':
      return [...againControls(task), ...filesControl(task), ...logControl(task)]
    case 'failed':
      return isInterrupted(task) ? interruptedControls(task) : failedControls(task)
    case 'cancelled':
      return cancelledControls(task)
    case 'pending':
    case 'planning':
    case 'awaiting_approval':
    case 'running':
      return []
    default:
      return assertNever(task)
  }
}

function againControls(task: Task): ControlView[] {
  if (task.rounds.length === 0) return [control('retry', task)]
  return [control('retry', task), control('rerun', task)]
}

function failedControls(task: Task): ControlView[] {
  const edit = task.rounds.length === 0 ? [] : [control('edit', task)]
  return [control('retry', task), ...edit, ...filesControl(task), ...logControl(task)]
}

function interruptedControls(task: Task): ControlView[] {
  const step = stepInFocus(task)
  const resume =
    step === undefined ? [] : [{ ...control('resume', task, 'primary'), label: `Resume from ${step.index + 1}` }]
  return [...resume, control('restart', task), control('discard', task)]
}

function cancelledControls(task: Task): ControlView[] {
  const isUndecided =
    task.status === 'cancelled' && (task.cancellation.reason === 'expired' || task.cancellation.reason === 'rejected')
  return [control(isUndecided ? 'replan' : 'retry', task), ...filesControl(task), ...logControl(task)]
}

function cancelControl(task: Task): ControlView {
  const confirm = task.status === 'running' ? `Stop task #${task.id}? The running command is ended.` : null
  return { ...control('cancel', task, 'danger'), confirm }
}

/** A refinement that waits: its button cancels the task that it waits for. */
function applyControl({ afterId }: Task): ControlView[] {
  if (afterId === null) return []
  const apply = { verb: 'apply', taskId: afterId, hash: null } as const
  return [{ control: apply, label: LABELS.apply, style: 'plain', confirm: null }]
}

function filesControl(task: Task): ControlView[] {
  return (task.outputs?.files ?? 0) > 0 ? [control('files', task)] : []
}

function logControl(task: Task): ControlView[] {
  return hasRun(task) ? [control('log', task)] : []
}
