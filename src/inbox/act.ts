/** What buttons, words, the API and the CLI can do to a task. Each is authorised by `act` before its handler runs. */
import type { Action, Actor } from '../core/actor.ts'
import type { Control, Verb } from '../core/controls.ts'
import { changedTheShell, firstUnfinished } from '../core/resume.ts'
import { currentRound, isFinal, type Task } from '../core/task.ts'
import type { ActDetails, ActOutcome, Refusal } from '../ports/inbox.ts'
import type { NewTask, Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'
import { editedRerunOf, rerunOf, resumeOf, retryOf } from './children.ts'
import { type Decisions, editedPlan } from './decide.ts'
import type { Door } from './door.ts'
import { personOf, requesterOf } from './people.ts'
import { supersede } from './supersede.ts'

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
    (make: Make): Handler =>
    (actor, task, { verb }, details) =>
      startChild(options, actor, { task, verb, make }, details)
  return {
    cancel: (actor, task) => cancel(options, actor, task),
    apply: (actor, task) => cancel(options, actor, task),
    retry: childBy(retryOf),
    restart: childBy(retryOf),
    rerun: childBy(rerunOf),
    resume: async (actor, task, control, details) => {
      const why = whyNotResumed(task) ?? (await whyNotNow(options, task, details))
      if (why === undefined) return childBy(resumeOf)(actor, task, control, details)
      return { kind: 'conflict', sentence: why, task }
    },
    replan: (actor, task, _control, details) => replan(options, actor, task, details),
    approve: (actor, task, { hash }) => decisions.approve(actor, task, hash),
    reject: (actor, task, { hash }, { note }) => decisions.reject(actor, task, hash, note ?? ''),
    edit: (actor, task, { hash }, details) =>
      isFinal(task.status)
        ? runEdited(options, actor, task, details)
        : decisions.edit(actor, task, hash, details.commands ?? []),
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

type Make = typeof retryOf

interface Start {
  task: Task
  verb: Verb
  make: Make
}

async function startChild(options: ActOptions, actor: Actor, start: Start, details: ActDetails): Promise<ActOutcome> {
  const { task } = start
  if (isFinal(task.status)) return admitChild(options, actor, start, details)
  return { kind: 'conflict', sentence: `Task #${task.id} has not ended yet; cancel it first.`, task }
}

async function admitChild(options: ActOptions, actor: Actor, start: Start, details: ActDetails): Promise<ActOutcome> {
  const { store, door, submitChild } = options
  const { task, verb, make } = start
  const base = { requester: requesterOf(actor), place: details.place ?? null, dedupeKey: details.dedupeKey ?? null }
  const child = make(task, base)
  const result = await submitChild(child)
  if ('sentence' in result) return result
  const { id } = result.task
  const isOvertaken = result.kind === 'created' && (await supersede(store, actor, task))
  if (result.kind === 'created') await door.record(actor, child.kind, task.id, `task #${id}`)
  const now = (isOvertaken ? await store.get(id) : undefined) ?? result.task
  return { kind: 'done', task: now, sentence: childSentence(now, task, verb) }
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

/** An approver who may submit nothing edits what waits, and starts nothing of their own. */
async function runEdited(options: ActOptions, actor: Actor, task: Task, details: ActDetails): Promise<ActOutcome> {
  const refused = await options.door.check(actor, 'retry', task)
  if (refused !== undefined) return refused
  const plan = editedPlan(task, details.commands ?? [])
  if ('sentence' in plan) return plan
  const make: Make = (parent, base) => editedRerunOf(parent, plan.commands, base)
  return startChild(options, actor, { task, verb: 'edit', make }, details)
}

/** A plan that waits is put aside; the model plans once more. */
async function replan(options: ActOptions, actor: Actor, task: Task, details: ActDetails): Promise<ActOutcome> {
  if (task.status !== 'awaiting_approval')
    return startChild(options, actor, { task, verb: 'replan', make: retryOf }, details)
  const make: Make = (parent, base) => ({ ...retryOf(parent, base), afterId: parent.id })
  return admitChild(options, actor, { task, verb: 'replan', make }, details)
}

/** Gives up what an ended task left: its files go, the record stays. */
async function discard({ store, workspace, door }: ActOptions, actor: Actor, task: Task): Promise<ActOutcome> {
  if (!isFinal(task.status))
    return { kind: 'conflict', sentence: `Task #${task.id} has not ended yet; cancel it first.`, task }
  const child = (await store.children(task.id)).find(({ status }) => !isFinal(status))
  if (child !== undefined) {
    return { kind: 'conflict', sentence: `Task #${child.id} goes on with these files; cancel it first.`, task }
  }
  await workspace.remove(task.id)
  await door.record(actor, 'discard', task.id, '')
  return { kind: 'done', task, sentence: `Discarded: the files of task #${task.id} are gone.` }
}

function hasEnded(task: Task): Refusal {
  return { kind: 'conflict', sentence: `Task #${task.id} has already ended: ${task.status}.`, task }
}

function whyNotResumed(task: Task): string | undefined {
  if (task.status !== 'failed' || task.failure.reason !== 'interrupted') {
    return `Task #${task.id} was not interrupted; retry it instead.`
  }
  const round = currentRound(task)
  if (round !== undefined && firstUnfinished(round) === undefined) {
    return `Every command of task #${task.id} had ended well; there is nothing to resume.`
  }
  if (!changedTheShell(task)) return undefined
  return `Task #${task.id} cannot be resumed: a command before the interruption changed the folder or the variables of the later ones. Start over instead.`
}

/** What it left is gone, or goes on already: its commands may have had effects, and are not run a second time by a second click. */
async function whyNotNow(
  { store, workspace }: ActOptions,
  task: Task,
  { dedupeKey }: ActDetails,
): Promise<string | undefined> {
  // The same wish, brought again, is answered with what it has started.
  if (dedupeKey !== undefined && (await store.hasKey(dedupeKey))) return undefined
  const children = await store.children(task.id)
  const child = children.find(({ kind, status }) => kind === 'resume' && (status === 'done' || !isFinal(status)))
  if (child !== undefined) return `Task #${task.id} is already resumed as #${child.id}.`
  if (await workspace.exists(task.id)) return undefined
  return `The files of task #${task.id} are gone, so there is nothing to go on with; restart it instead.`
}
