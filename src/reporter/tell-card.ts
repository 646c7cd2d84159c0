/** The one message that is edited. */
import { isFinal, type Task } from '../core/task.ts'
import type { CardView } from '../core/view.ts'
import { statusView } from '../core/views/status-view.ts'
import { LEAST_GAP_MS, remainingMs, type Urgency } from './edit-budget.ts'
import type { TaskMemory } from './memory.ts'
import { isPosted, type PostedMessage, restMs } from './messages.ts'
import type { Scene, TellOptions, Wait } from './scene.ts'
import type { DrawnCard } from './screen.ts'
import { withDeadline } from './with-deadline.ts'

/** What most tasks are told after their card. */
const LATER = ['result', 'files'] as const

export async function tellCard(options: TellOptions, scene: Scene): Promise<Wait> {
  const { messages, screen } = options
  const { task, memory } = scene
  const card = scene.messages.get('card')
  const leftMs = isPosted(card) ? restMs(scene, card, options.clock.now()) : 0
  if (leftMs > 0) return leftMs
  const drawn = await screen.card(task)
  if (!isPosted(card)) {
    await tellParent(options, scene)
    const posted = messages.post(scene, 'card', drawn.view, { silent: true })
    await Promise.all([posted, ...LATER.map((role) => messages.reserve(scene, role))])
    remember(scene, drawn)
    memory.shownAt = options.clock.now()
    return nextLook(options, scene)
  }
  const outcome = await messages.edit(scene, card, drawn.view, urgencyOf(memory, task, drawn))
  if (outcome.kind === 'edited') memory.shownAt = options.clock.now()
  switch (outcome.kind) {
    case 'wait':
      return outcome.ms
    case 'gone':
      return replace(options, scene, card, drawn)
    default:
      remember(scene, drawn)
      return nextLook(options, scene)
  }
}

/** The card was deleted, or is too old to be edited: a new one lower in the thread, unless the result has said it all. */
async function replace(options: TellOptions, scene: Scene, card: PostedMessage, drawn: DrawnCard): Promise<Wait> {
  const { messages } = options
  if (isFinal(scene.task.status) && isPosted(scene.messages.get('result'))) {
    await messages.close(scene, card)
    return null
  }
  await freeze(options, scene, { ...drawn, card })
  await messages.repost(scene, 'card')
  await messages.post(scene, 'card', drawn.view, { silent: true })
  remember(scene, drawn)
  return nextLook(options, scene)
}

/** Takes the buttons from the card that is left behind, where it is still there. */
async function freeze(
  { clock }: TellOptions,
  { adapter }: Scene,
  left: DrawnCard & { card: PostedMessage },
): Promise<void> {
  const frozen: CardView = { ...left.view, steps: [], diff: [], tail: null, controls: [], notes: ['Continued below'] }
  // It may be gone, or refuse to be edited; that is why there is a new one.
  await withDeadline(adapter.edit(left.card.ref, frozen), FREEZE_MS, clock).catch(() => undefined)
}

const FREEZE_MS = 10_000

/** The parent's card in the same thread says where things go on. Its row first, so that a restart does not forget it. */
async function tellParent({ store, wake }: TellOptions, { task, memory, delivery }: Scene): Promise<void> {
  if (task.parentId === null || memory.toldParent) return
  memory.toldParent = true
  const parent = await store.delivery(task.parentId)
  if (parent === undefined || parent.failure !== null) return
  if (parent.place.platform !== delivery.place.platform || parent.place.key !== delivery.place.key) return
  if (parent.settled) await store.saveDelivery({ ...parent, settled: false })
  await wake(task.parentId)
}

/**
 * How long a task that is at work is left alone although it has changed: its card shows the status that it has, and has shown it for less than
 * the time that passes between two edits. 0: there may be something to tell.
 */
export function quietMs(memory: TaskMemory, task: Task, now: number): number {
  // Only then has the thread nothing but the card and the mark.
  const isAtWork = task.status === 'planning' || task.status === 'running'
  if (!isAtWork || memory.shownAt === null || memory.statusKey !== statusKeyOf(task)) return 0
  return remainingMs(memory.shownAt + LEAST_GAP_MS, now, LEAST_GAP_MS)
}

function remember({ memory, task }: Scene, { view, stepKey }: DrawnCard): void {
  memory.statusKey = statusKeyOf(task)
  memory.stepKey = stepKey
  memory.stableKey = view.stableKey
}

function statusKeyOf(task: Task): string {
  return `${statusView(task).word}:${task.round}`
}

function urgencyOf(memory: TaskMemory, task: Task, { view, stepKey }: DrawnCard): Urgency {
  if (memory.statusKey !== statusKeyOf(task)) return 'status'
  if (memory.stepKey !== stepKey) return isFinal(task.status) ? 'status' : 'step'
  return memory.stableKey !== view.stableKey && task.status === 'running' ? 'tail' : 'clock'
}

/** When a card that ticks is to be looked at again. */
function nextLook({ clock }: TellOptions, { task, memory, budget, cards, messages }: Scene): Wait {
  if (task.status === 'planning' || task.status === 'pending') return budget.gapMs('clock', cards)
  if (task.status !== 'running') return null
  const gap = budget.gapMs('tail', cards)
  const shownAt = memory.editedAt.get('card') ?? messages.get('card')?.postedAt ?? clock.now()
  // Nothing new when the gap is over: look again half a gap later, so that output is shown soon after a silence.
  const left = shownAt + gap - clock.now()
  return left > 0 && left <= gap ? left : gap / 2
}
