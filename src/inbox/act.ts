/** What buttons, words, the API and the CLI can do to a task. Each is authorised by `act` before its handler runs. */
import type { Action, Actor } from '../core/actor.ts'
import type { Control, Verb } from '../core/controls.ts'
import { isFinal, type Task } from '../core/task.ts'
import type { ActDetails, ActOutcome, Refusal } from '../ports/inbox.ts'
import type { NewTask, Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'
import { editedRerunOf, rerunOf, resumeOf, retryOf } from './children.ts'
import type { Decisions } from './decide.ts'
import type { Door } from './door.ts'
import { personOf, requesterOf } from './people.ts'

export interface ActOptions {
  store: Store
  workspace: Workspace
  door: Door
  decisions: Decisions
  submitChild(task: NewTask): Promise<{ kind: 'created' | 'duplicate'; task: Task } | Refusal>
}

type Handler = (actor: Actor, task: Task, control: Control, details: ActDetails) => Promise<ActOutcome>
type ActVerb = Exclude<Verb, 'upload' | 'log' | 'files' | 'status' | 'help'>

const NEEDED_ACTION: Record<ActVerb, Action> = {
  cancel: 'cancel',
  apply: 'cancel',
  retry: 'retry',
  rerun: 'retry',
  restart: 'retry',
  resume: 'retry',
  replan: 'retry',
  approve: 'approve',
  reject: 'reject',
  edit: 'edit_plan',
  discard: 'discard',
}

export function createAct(
  options: ActOptions,
): (actor: Actor, control: Control, details?: ActDetails) => Promise<ActOutcome> {
  const handlers = createHandlers(options)
  return async (actor, control, details = {}) => {
    const { verb } = control
    if (!isActVerb(verb)) return { kind: 'invalid', sentence: `"${verb}" changes nothing; it only shows.` }
    const found = await options.door.find(actor, NEEDED_ACTION[verb], control.taskId)
    return found.kind === 'found' ? handlers[verb](actor, found.task, control, details) : found
  }
}

function isActVerb(verb: Verb): verb is ActVerb {
  return Object.hasOwn(NEEDED_ACTION, verb)
}

function createHandlers(options: ActOptions): Record<ActVerb, Handler> {
  const { decisions } = options
  const childBy =
    (make: typeof retryOf): Handler =>
    (actor, task, { verb }, details) =>
      startChild(options, actor, { task, verb, make: (base) => make(task, base) }, details)
  return {
    cancel: (actor, task) => cancel(options, actor, task),
    apply: (actor, task) => cancel(options, actor, task),
    retry: childBy(retryOf),
    restart: childBy(retryOf),
    rerun: childBy(rerunOf),
    resume: (actor, task, control, details) =>
      isInterrupted(task)
        ? childBy(resumeOf)(actor, task, control, details)
        : Promise.resolve({
            kind: 'conflict',
            sentence: `Task #${task.id} was not interrupted; retry it instead.`,
            task,
          }),
    replan: (actor, task, control, details) => replan(options, childBy(retryOf), { actor, task, control, details }),
    approve: (actor, task, { hash }) => decisions.approve(actor, task, hash),
    reject: (actor, task, { hash }, { note }) => decisions.reject(actor, task, hash, note ?? ''),
    edit: (actor, task, { hash }, details) => {
      const commands = details.commands ?? []
      if (!isFinal(task.status)) return decisions.edit(actor, task, hash, commands)
      if (commands.length === 0) return Promise.resolve({ kind: 'invalid', sentence: 'There is no command to run.' })
      const make = (base: Parameters<typeof retryOf>[1]) => editedRerunOf(task, commands, base)
      return startChild(options, actor, { task, verb: 'edit', make }, details)
    },
    discard: (actor, task) => discard(options, actor, task),
  }
}

async function cancel(options: ActOptions, actor: Actor, task: Task): Promise<ActOutcome> {
  const { store, door } = options
  const by = personOf(actor)
  if (isFinal(task.status)) return hasEnded(task)
  const isHeld = task.status === 'planning' || task.status === 'running'
  const event = isHeld
    ? ({ kind: 'cancel_requested', by } as const)
    : ({ kind: 'cancelled', reason: 'cancelled', by, note: '', outputs: null, redactions: 0 } as const)
  const result = await store.apply(task.id, event, { status: task.status })
  if (result.kind === 'conflict') {
    const now = result.task ?? task
    // It moved on between reading and writing: once more with what it is now.
    return now.status === task.status ? hasEnded(now) : cancel(options, actor, now)
  }
  await door.record(actor, 'cancel', task.id, '')
  return {
    kind: 'done',
    task: result.task,
    sentence: isHeld ? `Stopping task #${task.id}.` : `Task #${task.id} is cancelled.`,
  }
}

async function startChild(
  { door, submitChild }: ActOptions,
  actor: Actor,
  { task, verb, make }: { task: Task; verb: Verb; make: (base: Parameters<typeof retryOf>[1]) => NewTask },
  details: ActDetails,
): Promise<ActOutcome> {
  if (!isFinal(task.status)) {
    return { kind: 'conflict', sentence: `Task #${task.id} has not ended yet; cancel it first.`, task }
  }
  const base = { requester: requesterOf(actor), place: details.place ?? null, dedupeKey: details.dedupeKey ?? null }
  const child = make(base)
  const result = await submitChild(child)
  if ('sentence' in result) return result
  if (result.kind === 'created') await door.record(actor, child.kind, task.id, `task #${result.task.id}`)
  return { kind: 'done', task: result.task, sentence: childSentence(result.task, task, verb) }
}

/** Only what goes on in a copy of the folder continues; all else begins anew. */
function childSentence(child: Task, parent: Task, verb: Verb): string {
  if (verb === 'edit') return `Task #${child.id} runs the edited commands of #${parent.id}.`
  if (child.kind === 'rerun') return `Task #${child.id} runs the same commands as #${parent.id} again.`
  if (child.kind !== 'retry') return `Task #${child.id} continues from #${parent.id}.`
  return verb === 'rerun'
    ? `Task #${parent.id} has no plan to run again, so task #${child.id} is a retry: it asks the same again.`
    : `Task #${child.id} asks the same again as #${parent.id}.`
}

/** A plan that waits is put aside; the model plans once more. */
async function replan(
  { store }: ActOptions,
  retry: Handler,
  { actor, task, control, details }: { actor: Actor; task: Task; control: Control; details: ActDetails },
): Promise<ActOutcome> {
  if (task.status !== 'awaiting_approval') return retry(actor, task, control, details)
  const superseded = { kind: 'superseded', by: personOf(actor) } as const
  const result = await store.apply(task.id, superseded, { status: 'awaiting_approval' })
  return retry(actor, result.task ?? task, control, details)
}

/** Gives up what an ended task left: its files go, the record stays. */
async function discard({ workspace, door }: ActOptions, actor: Actor, task: Task): Promise<ActOutcome> {
  if (!isFinal(task.status))
    return { kind: 'conflict', sentence: `Task #${task.id} has not ended yet; cancel it first.`, task }
  await workspace.remove(task.id)
  await door.record(actor, 'discard', task.id, '')
  return { kind: 'done', task, sentence: `Discarded: the files of task #${task.id} are gone.` }
}

function hasEnded(task: Task): Refusal {
  return { kind: 'conflict', sentence: `Task #${task.id} has already ended: ${task.status}.`, task }
}

function isInterrupted(task: Task): boolean {
  return task.status === 'failed' && task.failure.reason === 'interrupted'
}
