/** What a message in a task's thread means, and doing it. */
import type { Actor } from '../core/actor.ts'
import { shortHash } from '../core/approval.ts'
import { isSamePerson } from '../core/authorize.ts'
import { parseThreadWords, type Verb } from '../core/controls.ts'
import { isFinal, type Place, TASK_STATUSES, type Task, type TaskSummary } from '../core/task.ts'
import type { ActDetails, ActOutcome, Inbox, Refusal, ReplyOutcome, ReplyRequest } from '../ports/inbox.ts'
import type { NewTask, Store } from '../ports/store.ts'
import { refinementOf } from './children.ts'
import { PLAN_CHANGED } from './decide.ts'
import { type Door, notFound } from './door.ts'
import { requesterOf } from './people.ts'
import { checkText, inputsFrom } from './submit.ts'
import { supersede } from './supersede.ts'

export interface ReplyOptions {
  store: Store
  door: Door
  act(
    actor: Actor,
    control: { verb: Verb; taskId: number; hash: string | null },
    details: ActDetails,
  ): Promise<ActOutcome>
  submitChild(task: NewTask): Promise<{ kind: 'created' | 'duplicate'; task: Task } | Refusal>
}

export function createReply(options: ReplyOptions): Pick<Inbox, 'reply' | 'refine'> {
  return {
    async reply(request) {
      const task = await options.store.latestInPlace(request.place)
      if (task === undefined) return { kind: 'not_found', sentence: 'There is no task in this thread.' }
      const words = parseThreadWords(request.text)
      if (words.kind === 'idle' && request.attachments.length === 0) return { kind: 'ignored' }
      if (words.kind === 'control') return control(options, request, task, words.verb)
      if (!request.addressed && !isSamePerson(request.actor, task.requester)) return { kind: 'ignored' }
      const text = words.kind === 'refinement' && words.text !== '' ? words.text : 'Use the attached files.'
      return refine(options, task, { ...request, text })
    },
    async refine(request) {
      const task = await options.store.get(request.taskId)
      if (task === undefined) return notFound(request.taskId)
      const result = await refine(options, task, { ...request, place: null })
      return result.kind === 'queued' ? { ...result, kind: 'done' } : result
    },
  }
}

async function control(options: ReplyOptions, request: ReplyRequest, task: Task, verb: Verb): Promise<ReplyOutcome> {
  const { actor, addressed } = request
  if (verb === 'status' || verb === 'log' || verb === 'files' || verb === 'help') {
    return (await options.door.check(actor, 'view', task)) ?? { kind: 'show', what: verb, task }
  }
  if (verb === 'cancel') return cancelLive(options, request, task)
  const decides = verb === 'approve' || verb === 'reject'
  // "yes" and "no" are also talk: where there is nothing to decide, only the bot's own name makes them orders.
  if (decides && task.status !== 'awaiting_approval' && !addressed) return { kind: 'ignored' }
  if (isAboutEarlier(request, task)) return saidBefore(task)
  if (decides && isAnswerToEarlier(request, task)) return { kind: 'conflict', sentence: PLAN_CHANGED, task }
  const hash = decides && task.status === 'awaiting_approval' ? shortHash(task.approval.hash) : null
  return options.act(actor, { verb, taskId: task.id, hash }, { dedupeKey: request.dedupeKey, place: request.place })
}

const LIVE = TASK_STATUSES.filter((status) => !isFinal(status))
/** No thread has so many that live. */
const MOST_IN_THREAD = 100

/**
 * Stops the newest task here that lives, and those that it waits for: who says "stop" while a command runs and a reply waits behind it
 * does not mean the reply alone. Newest first, so that what waits does not begin as the other ends.
 */
async function cancelLive(options: ReplyOptions, request: ReplyRequest, newest: Task): Promise<ReplyOutcome> {
  const { actor, place, addressed } = request
  const { tasks } = await options.store.list({ place, status: LIVE, limit: MOST_IN_THREAD })
  // It is talk, too: where nothing lives, only the bot's own name makes it an order.
  if (tasks.length === 0 && !addressed) return { kind: 'ignored' }
  if (isAboutEarlier(request, newest)) return saidBefore(newest)
  const cancel = (taskId: number) => options.act(actor, { verb: 'cancel', taskId, hash: null }, { place })
  const [first = newest.id, ...others] = chainOf(tasks)
  let told = await cancel(first)
  for (const id of others) {
    const next = await cancel(id)
    const isRefused = told.kind !== 'done' && told.kind !== 'conflict'
    told = { ...(isRefused ? told : next), sentence: `${told.sentence} ${next.sentence}` }
  }
  return told
}

function chainOf(live: readonly TaskSummary[]): number[] {
  const chain: number[] = []
  for (let task = live[0]; task !== undefined; ) {
    const { id, afterId } = task
    chain.push(id)
    task = live.find((each) => each.id === afterId)
  }
  return chain
}

function saidBefore(task: Task): ReplyOutcome {
  const sentence = `That was said before task #${task.id} was asked for, so nothing was done. Say it again if you mean this task.`
  return { kind: 'conflict', sentence, task }
}

/** A platform's clock and ours agree within this. */
const CLOCK_SKEW_MS = 5000

/** Whether the task was not there yet when the person wrote: what a platform brings late or again was meant for another. */
function isAboutEarlier({ at }: ReplyRequest, task: Task): boolean {
  return at !== null && task.createdAt - at > CLOCK_SKEW_MS
}

/** Whether the plan that waits now was not there yet when the person wrote: what they read was another one. */
function isAnswerToEarlier({ at }: ReplyRequest, task: Task): boolean {
  return at !== null && task.status === 'awaiting_approval' && task.approval.requestedAt > at
}

type RefineRequest = Pick<ReplyRequest, 'actor' | 'text' | 'attachments'> & {
  place: Place | null
  dedupeKey: string | null
}

type RefineOutcome = ActOutcome | Extract<ReplyOutcome, { kind: 'queued' }>

async function refine(options: ReplyOptions, task: Task, request: RefineRequest): Promise<RefineOutcome> {
  const { store, door } = options
  const { actor, place, dedupeKey } = request
  const refused = (await door.check(actor, 'refine', task)) ?? checkText(request.text)
  if (refused !== undefined) return refused
  const base = { requester: requesterOf(actor), place, dedupeKey }
  const child = refinementOf(task, request.text.trim(), inputsFrom(request.attachments), base)
  const result = await options.submitChild(child)
  if ('sentence' in result) return result
  const { id, parentId } = result.task
  const parent = parentId ?? task.id
  const isOvertaken = result.kind === 'created' && (await supersede(store, actor, task))
  if (result.kind === 'created') await door.record(actor, 'refine', task.id, `task #${id}`)
  const now = (isOvertaken ? await store.get(id) : undefined) ?? result.task
  if (now.afterId === null) return { kind: 'done', task: now, sentence: `Task #${id} continues from #${parent}.` }
  return { kind: 'queued', task: now, sentence: `Noted as task #${id}; it starts when #${parent} has ended.` }
}
