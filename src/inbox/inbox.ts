import type { Actor } from '../core/actor.ts'
import type { AccessRules } from '../core/authorize.ts'
import type { Box, Reviewer } from '../core/review.ts'
import { isFinal, type Platform, type Task } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Inbox, SubmitOutcome } from '../ports/inbox.ts'
import type { Logger } from '../ports/logger.ts'
import type { ListQuery, QueueLimits, Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'
import { createAct } from './act.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { createDecisions } from './decide.ts'
import { createDeliveryQuestions } from './deliveries.ts'
import { createDoor, type Door } from './door.ts'
import { canFetch, createInputFetcher, type FetchInput } from './inputs.ts'
import { createReply } from './reply.ts'
import { admit, newTaskFrom } from './submit.ts'
import { watchTask } from './watch.ts'

export interface InboxOptions {
  store: Store
  workspace: Workspace
  clock: Clock
  logger: Logger
  access: AccessRules
  limits: QueueLimits
  reviewer: Reviewer
  box(): Promise<Box | undefined>
  approvalExpiryMs: number
  fetchInput: FetchInput
}

export interface RunningInbox extends Inbox, AsyncDisposable {
  /** Goes on fetching the files that a stopped process had begun to fetch; `platforms`: the chats that this one speaks to. */
  resumeInputs(platforms: readonly Platform[]): Promise<void>
  /** Settles when nothing is being fetched. */
  idle(): Promise<void>
}

export function createInbox(options: InboxOptions): RunningInbox {
  const { store, workspace, limits } = options
  const stop = new AbortController()
  const door = createDoor(store, options.access)
  const fetcher = createInputFetcher({ ...options, signal: stop.signal })
  const breaker = createBreaker(options)
  const submitChild = (task: Parameters<typeof admit>[1]) => admit({ store, fetcher, limits, breaker }, task)
  const decisions = createDecisions({ ...options, door })
  const act = createAct({ store, workspace, door, decisions, submitChild })

  return {
    ...createQuestions(store, workspace, door),
    ...createDeliveryQuestions(store, door),
    ...createLoopQuestions(breaker, door),
    act,
    ...createReply({ store, door, act, submitChild }),
    async submit(request): Promise<SubmitOutcome> {
      const refused = await door.check(request.actor, 'submit', null)
      if (refused !== undefined) return refused
      const task = newTaskFrom(request)
      return 'sentence' in task ? task : submitChild(task)
    },
    async may(actor, action, taskId) {
      const task = taskId === null ? null : await store.get(taskId)
      return task !== undefined && door.may(actor, action, task)
    },
    async resumeInputs(platforms) {
      for (const task of await store.waitingForInputs()) {
        if (task.inputs.every((input) => canFetch(input.source, platforms))) fetcher.fetch(task)
      }
    },
    idle: () => fetcher.idle(),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await fetcher.idle()
    },
  }
}

function createLoopQuestions(breaker: Breaker, door: Door): Pick<Inbox, 'stoppedLoops' | 'resetLoops'> {
  return {
    async stoppedLoops(actor) {
      return (await door.check(actor, 'admin', null)) ?? { kind: 'loops', loops: await breaker.list() }
    },
    async resetLoops(actor) {
      const refused = await door.check(actor, 'admin', null)
      if (refused !== undefined) return refused
      const loops = await breaker.reset()
      await door.record(actor, 'breaker_reset', null, loops.map(({ why }) => why).join('; '))
      return { kind: 'loops', loops }
    },
  }
}

type Questions = Pick<
  Inbox,
  | 'get'
  | 'queuePosition'
  | 'list'
  | 'listJson'
  | 'tail'
  | 'follow'
  | 'wholeLog'
  | 'outputs'
  | 'openOutput'
  | 'archive'
  | 'audit'
  | 'watch'
>

/** What only looks. Each asks the door first. */
function createQuestions(store: Store, workspace: Workspace, door: Door): Questions {
  const viewing = (actor: Actor, taskId: number) => door.find(actor, 'view', taskId)
  return {
    get: (actor, taskId) => viewing(actor, taskId),
    async queuePosition(actor, task) {
      const isSeen = task.status === 'pending' && door.may(actor, 'view', task)
      return (isSeen ? await store.queuePosition(task.id) : undefined) ?? null
    },
    async list(actor, query) {
      const refused = await door.check(actor, 'view', null)
      if (refused !== undefined) return refused
      const page = await store.list({ ...query, limit: pageLimit(query), ...ownTasks(door, actor, query) })
      return { kind: 'page', ...page, tasks: page.tasks.filter((task) => door.maySee(actor, task)) }
    },
    async listJson(actor, query) {
      const refused = await door.check(actor, 'view', null)
      if (refused !== undefined) return refused
      if (!hasScopes(actor)) return { kind: 'forbidden', sentence: 'Not every task can be seen here.' }
      return { kind: 'page', ...(await store.listJson({ ...query, limit: pageLimit(query) })) }
    },
    async tail(actor, taskId, lines) {
      const found = await viewing(actor, taskId)
      if (found.kind !== 'found') return found
      return { kind: 'tail', tail: await workspace.tail(taskId, Math.min(Math.max(1, Math.trunc(lines)), 10_000)) }
    },
    async follow(actor, taskId, offset, signal) {
      const found = await viewing(actor, taskId)
      if (found.kind !== 'found') return found
      const isOver = async () => isFinal((await store.get(taskId))?.status ?? 'done')
      const onChange = (listener: () => void) =>
        store.watch((change) => {
          if (change.taskId === taskId) listener()
        })
      return { kind: 'lines', lines: workspace.follow(taskId, offset, { signal, isOver, onChange }) }
    },
    async wholeLog(actor, taskId) {
      const found = await viewing(actor, taskId)
      if (found.kind !== 'found') return found
      const log = await workspace.openWholeLog(taskId)
      return log === undefined
        ? { kind: 'not_found', sentence: `Task #${taskId} has no log yet.` }
        : { kind: 'log', ...log }
    },
    async outputs(actor, taskId) {
      const found = await viewing(actor, taskId)
      return found.kind === 'found' ? { kind: 'outputs', ...(await workspace.outputs(taskId)) } : found
    },
    async openOutput(actor, taskId, path, range) {
      const found = await viewing(actor, taskId)
      if (found.kind !== 'found') return found
      const opened = await workspace.openOutput(taskId, path, range)
      return opened === undefined
        ? { kind: 'not_found', sentence: 'The task has no such file.' }
        : { kind: 'opened', ...opened }
    },
    async archive(actor, taskId) {
      const found = await viewing(actor, taskId)
      return found.kind === 'found' ? { kind: 'archive', stream: await workspace.archive(taskId) } : found
    },
    async audit(actor, query) {
      const refused = await door.check(actor, 'audit', null)
      return refused ?? { kind: 'entries', entries: await store.listAudit(query) }
    },
    watch: (actor, taskId, signal) => watchTask(store, (task: Task) => door.may(actor, 'view', task), taskId, signal),
  }
}

/** Who may not see everything lists what is theirs, or what is told of in the place where they ask. */
function ownTasks(door: Door, actor: Actor, query: { place?: unknown }) {
  const seesAll = hasScopes(actor) || door.may(actor, 'admin', null)
  if (seesAll || query.place !== undefined) return {}
  return { requester: { platform: actor.platform, userId: actor.userId } }
}

/** What they may is said by a token or the machine, the same for each task. */
function hasScopes({ platform }: Actor): boolean {
  return platform === 'api' || platform === 'cli'
}

function pageLimit({ limit }: ListQuery): number {
  return Math.min(Math.max(1, Math.trunc(limit)), 200)
}
