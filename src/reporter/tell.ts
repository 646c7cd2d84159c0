/**
 * Tells one task in its thread, as it is now. Order within the thread: root, card, approval, reminder, result, files.
 * Safe to call at any time and any number of times: what has been told is known from rows, never from what was done before.
 */
import { isFinal, type Place } from '../core/task.ts'
import { hasResult } from '../core/views/result-view.ts'
import { rootView } from '../core/views/root-view.ts'
import { MAX_BACKOFF_MS } from './backoff.ts'
import { remainingMs } from './edit-budget.ts'
import { frameOf } from './frame.ts'
import type { Next } from './lanes.ts'
import { isPosted } from './messages.ts'
import { openScene, type Scene, type TellOptions, type Wait } from './scene.ts'
import { tellApprovals, tellReminder } from './tell-approval.ts'
import { quietMs, tellCard } from './tell-card.ts'
import { tellFiles } from './tell-files.ts'
import { tellMark } from './tell-mark.ts'

export interface Told {
  next: Next
  /** Where it was told; null when it is not told anywhere. */
  place: Place | null
  /** The platform answered well. */
  spoke: boolean
}

/** Throws AdapterError and StoreError; the caller decides what becomes of the thread. */
export function createTell(options: TellOptions): (taskId: number) => Promise<Told> {
  return async (taskId) => {
    const restMs = await restsMs(options, taskId)
    if (restMs > 0) return { next: { kind: 'again', afterMs: Math.ceil(restMs) }, place: null, spoke: false }
    const scene = await openScene(options, taskId)
    if (scene === undefined) {
      options.memory.forget(taskId)
      return { next: { kind: 'quiet' }, place: null, spoke: false }
    }
    const blockedMs = remainingMs(scene.delivery.nextAttemptAt, options.clock.now(), MAX_BACKOFF_MS * 10)
    if (blockedMs > 0) return toldAs(scene, { kind: 'blocked', afterMs: blockedMs })
    // In a thread that is there the reaction goes beside all else but the card, its row in one commit with the card's; that of the end is the last.
    const carded = Promise.withResolvers<void>()
    const isBeside = scene.delivery.place.thread && !isFinal(scene.task.status)
    const marked = isBeside ? tellMark(options, scene, carded.promise) : undefined
    const waits = [
      ...(await tellFirst(options, scene).finally(carded.resolve)),
      await tellApprovals(options, scene),
      await tellReminder(options, scene),
      await tellResult(options, scene),
      await tellFiles(options, scene),
      await (marked ?? tellMark(options, scene, carded.promise)),
    ]
    return toldAs(scene, await settle(options, scene, waits))
  }
}

/** Most changes of a task that runs come while nothing can be shown of them: a look at the task tells that, and the thread's rows stay unread. */
async function restsMs({ memory, store, clock }: TellOptions, taskId: number): Promise<number> {
  const known = memory.find(taskId)
  if (known === undefined || known.shownAt === null) return 0
  const task = await store.get(taskId)
  return task === undefined ? 0 : quietMs(known, task, clock.now())
}

async function tellFirst(options: TellOptions, scene: Scene): Promise<readonly Wait[]> {
  return [await tellRoot(options, scene), await tellCard(options, scene)]
}

function toldAs({ delivery, spoke }: Scene, next: Next): Told {
  return { next, place: delivery.place, spoke }
}

async function tellRoot({ messages }: TellOptions, scene: Scene): Promise<Wait> {
  const { task, delivery } = scene
  const before = scene.messages.get('root')
  const view = rootView(task)
  if (!isPosted(before)) {
    // In a thread there is a message to answer to; also when ours made the thread and we died before its reference was kept.
    if (!delivery.place.thread) await messages.post(scene, 'root', view, { silent: true })
    return null
  }
  const outcome = await messages.edit(scene, before, view, isFinal(task.status) ? 'status' : 'tail')
  if (outcome.kind === 'gone') await messages.close(scene, before)
  return outcome.kind === 'wait' ? outcome.ms : null
}

async function tellResult({ messages, screen }: TellOptions, scene: Scene): Promise<Wait> {
  const { task, adapter } = scene
  if (!hasResult(task) || isPosted(scene.messages.get('result'))) return null
  const view = await screen.result(task, adapter.limits)
  // Whoever is not called is not to be woken by old news either.
  const isStale = task.status === 'failed' && view.mention === null
  await messages.post(scene, 'result', view, { silent: isStale })
  return null
}

const REFUSED_RESULT = 'The platform refused the message with the result.'

async function settle({ store, memory }: TellOptions, scene: Scene, waits: readonly Wait[]): Promise<Next> {
  const due = [...waits.filter((wait) => wait !== null), ...(scene.foundOld ? [1] : [])]
  const { task, delivery } = scene
  const settled = isFinal(task.status) && due.length === 0
  const failure = frameOf(scene.messages.get('result')).state === 'refused' ? REFUSED_RESULT : null
  // The cursor is kept when all is told: till then the row says that there is something left, which is what counts.
  if (settled || delivery.attempts > 0) {
    const saved = { ...delivery, attempts: 0, nextAttemptAt: 0, failure, settled }
    scene.delivery = saved
    await store.saveDelivery(saved)
  }
  if (settled) memory.forget(task.id)
  if (due.length === 0) return { kind: 'quiet' }
  return { kind: 'again', afterMs: Math.max(1, Math.ceil(Math.min(...due))) }
}
