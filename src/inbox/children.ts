/** The tasks that come out of a task: what each takes over from its parent. */
import {
  currentRound,
  type InputFile,
  isFinal,
  type Place,
  type Requester,
  type Task,
  type TaskKind,
} from '../core/task.ts'
import { formatVerbatim } from '../core/verbatim.ts'
import type { NewTask } from '../ports/store.ts'

interface ChildOptions {
  requester: Requester
  place: Place | null
  dedupeKey: string | null
}

/** The same request once more, planned afresh, in a clean folder with the original inputs. */
export function retryOf(parent: Task, options: ChildOptions): NewTask {
  return child(parent, 'retry', parent.description, options)
}

/** The same commands once more, without a model; a request without a plan is retried. */
export function rerunOf(parent: Task, options: ChildOptions): NewTask {
  const commands = currentRound(parent)?.plan.commands
  return commands === undefined ? retryOf(parent, options) : child(parent, 'rerun', parent.description, options)
}

/** Commands that a person has changed, run as written. */
export function editedRerunOf(parent: Task, commands: readonly string[], options: ChildOptions): NewTask {
  return child(parent, 'retry', formatVerbatim(commands), options)
}

/** What is left of an interrupted plan, in a copy of the parent's folder. */
export function resumeOf(parent: Task, options: ChildOptions): NewTask {
  return child(parent, 'resume', parent.description, options)
}

/** A sentence about the parent's work, in a copy of its folder; it waits while the parent has not ended. */
export function refinementOf(parent: Task, text: string, added: readonly InputFile[], options: ChildOptions): NewTask {
  const refinement = child(parent, 'refine', text, options)
  return { ...refinement, inputs: [...refinement.inputs, ...added], afterId: isFinal(parent.status) ? null : parent.id }
}

function child(parent: Task, kind: TaskKind, description: string, options: ChildOptions): NewTask {
  return {
    description,
    kind,
    parentId: parent.id,
    afterId: null,
    requester: options.requester,
    place: options.place ?? parent.place,
    model: parent.model,
    inputs: parent.inputs.map((input) => inherited(parent.id, input)),
    dedupeKey: options.dedupeKey,
  }
}

function inherited(taskId: number, input: InputFile): InputFile {
  if (input.state !== 'saved') return { ...input, state: 'waiting', problem: null }
  return { ...input, source: { kind: 'parent', taskId }, state: 'waiting', problem: null }
}
