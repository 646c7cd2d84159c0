/**
 * One message of a task: posted once, edited when it differs. Its row is written before it is posted, with no reference: whoever finds it
 * so after a crash posts with the same key again, and the adapter finds what is there.
 */
import type { Place } from '../core/task.ts'
import type { MessageView } from '../core/view.ts'
import { AdapterError, type ChatAdapter } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { DeliveredMessage, Delivery, DeliveryRole, Store } from '../ports/store.ts'
import { type EditBudget, remainingMs, type Urgency } from './edit-budget.ts'
import { encodeFrame, type Frame, frameOf, hashOf, postingKey } from './frame.ts'
import type { TaskMemory } from './memory.ts'
import { withDeadline } from './with-deadline.ts'

/** A delivery while it is being told: kept in step with its rows. */
export interface Telling {
  adapter: ChatAdapter
  budget: EditBudget
  delivery: Delivery
  messages: Map<DeliveryRole, DeliveredMessage>
  memory: TaskMemory
  /** Cards that compete for the budget of edits. */
  cards: number
  /** The platform has answered well since this began. */
  spoke: boolean
  /** A message was found that an earlier attempt posted: it may show what was true then, and is to be looked at again. */
  foundOld: boolean
}

export type PostedMessage = DeliveredMessage & { ref: string }

export type EditOutcome = { kind: 'same' } | { kind: 'edited' } | { kind: 'gone' } | { kind: 'wait'; ms: number }

export interface Messages {
  /** Posts unless it is there. A content that the platform refuses is recorded, not thrown. Throws AdapterError for all else. */
  post(telling: Telling, role: DeliveryRole, view: MessageView, options: { silent: boolean }): Promise<void>
  /**
   * Edits when the view differs from what is shown and the budget allows. `gone`: deleted, or too old to be edited.
   * Content that is refused counts as shown. Throws AdapterError for all else.
   */
  edit(telling: Telling, message: PostedMessage, view: MessageView, urgency: Urgency): Promise<EditOutcome>
  save(telling: Telling, message: DeliveredMessage): Promise<void>
  /**
   * Writes the row of a message that will be posted later, unless it is there. Asked for together with a row that is due, the two share a
   * commit, and the later message goes out without waiting for one.
   */
  reserve(telling: Telling, role: DeliveryRole): Promise<void>
  /** Forgets the posting, so that `post` makes a new one. */
  repost(telling: Telling, role: DeliveryRole): Promise<void>
  /** Nothing more is tried with this message. */
  close(telling: Telling, message: DeliveredMessage): Promise<void>
}

const CALL_MS = 60_000
const RATE_LIMIT_MS = 5000
const MAX_PAUSE_MS = 600_000

export function isPosted(message: DeliveredMessage | undefined): message is PostedMessage {
  return message !== undefined && message.ref !== null
}

/** How long a message that was shown just now is left alone, whatever there is to show: until then nothing needs to be drawn. */
export function restMs({ memory, budget }: Telling, { role, postedAt }: PostedMessage, now: number): number {
  const gap = budget.gapMs('status', 1)
  const shownAt = memory.editedAt.get(role) ?? postedAt
  return shownAt === null ? 0 : remainingMs(shownAt + gap, now, gap)
}

interface MessagesOptions {
  store: Store
  clock: Clock
  logger: Logger
}

export function createMessages(options: MessagesOptions): Messages {
  const { store, clock, logger } = options

  async function save(telling: Telling, message: DeliveredMessage): Promise<void> {
    await store.saveMessage(message)
    telling.messages.set(message.role, message)
  }

  async function moveTo(telling: Telling, place: Place): Promise<void> {
    const before = telling.delivery.place
    if (before.key === place.key && before.thread === place.thread) return
    telling.delivery = { ...telling.delivery, place }
    await store.saveDelivery(telling.delivery)
  }

  async function post(telling: Telling, role: DeliveryRole, view: MessageView, silent: boolean): Promise<void> {
    const { taskId } = telling.delivery
    const before = telling.messages.get(role)
    const frame = frameOf(before)
    if (isPosted(before) || frame.state !== 'open') return
    const row = unposted(telling, role, frame)
    // Tried before: what the adapter answers may be the message of that try, with the view of that time.
    const isOurs = before === undefined || telling.memory.reserved.delete(role)
    if (before === undefined) await save(telling, row)
    try {
      const key = postingKey(taskId, role, frame.posting)
      const posting = telling.adapter.post(telling.delivery.place, view, { key, silent })
      const { ref, place } = await withDeadline(posting, CALL_MS, clock)
      // The thread first: a root without a reference in a thread that is known does no harm, the other way round does.
      await moveTo(telling, place)
      const hash = isOurs ? hashOf(view) : ''
      await save(telling, { ...row, ref, frame: encodeFrame({ ...frame, hash }), postedAt: clock.now() })
      telling.memory.hashes.set(role, hash)
      telling.spoke = true
      if (!isOurs) telling.foundOld = true
    } catch (error) {
      if (!isRefusal(logger, telling, { role, error })) throw error
      await save(telling, { ...row, frame: encodeFrame({ ...frame, state: 'refused' }) })
    }
  }

  return {
    save,
    async reserve(telling, role) {
      if (telling.messages.has(role)) return
      telling.memory.reserved.add(role)
      await save(telling, unposted(telling, role, frameOf(undefined)))
    },
    post: (telling, role, view, { silent }) => post(telling, role, view, silent),
    async edit(telling, message, view, urgency) {
      const { budget, memory, adapter } = telling
      const { role, postedAt } = message
      const frame = frameOf(message)
      const hash = hashOf(view)
      if (frame.state !== 'open' || (memory.hashes.get(role) ?? frame.hash) === hash) return { kind: 'same' }
      const pausedMs = remainingMs(memory.pausedUntil, clock.now(), MAX_PAUSE_MS)
      if (pausedMs > 0) return { kind: 'wait', ms: pausedMs }
      const ms = budget.take({ urgency, editedAt: memory.editedAt.get(role) ?? null, cards: telling.cards })
      if (ms > 0) return { kind: 'wait', ms }
      if (role === 'card' && isTooOld(adapter, postedAt, clock.now())) return { kind: 'gone' }
      const outcome = await sendEdit(options, telling, { ...message, view })
      memory.editedAt.set(role, clock.now())
      if (outcome.kind !== 'edited') return outcome
      telling.spoke = true
      memory.hashes.set(role, hash)
      // Frames of output pass; after a restart one of them is sent once more, which costs less than a row for each.
      if (urgency === 'status') await save(telling, { ...message, frame: encodeFrame({ ...frame, hash }) })
      return outcome
    },
    async repost(telling, role) {
      const { posting } = frameOf(telling.messages.get(role))
      await save(telling, unposted(telling, role, { posting: posting + 1, hash: '', state: 'open' }))
    },
    close: (telling, message) => {
      return save(telling, { ...message, frame: encodeFrame({ ...frameOf(message), state: 'closed' }) })
    },
  }
}

function unposted({ delivery }: Telling, role: DeliveryRole, frame: Frame): DeliveredMessage {
  return { taskId: delivery.taskId, role, ref: null, frame: encodeFrame(frame), postedAt: null }
}

async function sendEdit(
  { clock, logger }: MessagesOptions,
  telling: Telling,
  { ref, role, view }: { ref: string; role: DeliveryRole; view: MessageView },
): Promise<EditOutcome> {
  try {
    await withDeadline(telling.adapter.edit(ref, view), CALL_MS, clock)
    return { kind: 'edited' }
  } catch (error) {
    if (error instanceof AdapterError && error.code === 'message_gone') return { kind: 'gone' }
    // Not the thread's trouble: what is new in it, the result above all, need not wait for an edit.
    if (error instanceof AdapterError && error.code === 'rate_limited') return pause(telling, error, clock)
    if (!isRefusal(logger, telling, { role, error })) throw error
    return { kind: 'edited' }
  }
}

/** What is edited again and again must be young; a message that is edited once, when it is decided, may have any age. */
function isTooOld({ limits }: ChatAdapter, postedAt: number | null, now: number): boolean {
  return limits.maxEditAgeMs !== null && postedAt !== null && now - postedAt > limits.maxEditAgeMs
}

function pause({ adapter, budget, memory }: Telling, error: AdapterError, clock: Clock): EditOutcome {
  const ms = error.retryAfterMs ?? RATE_LIMIT_MS
  if (adapter.limits.editBudget === 'shared') budget.pause(ms)
  else memory.pausedUntil = clock.now() + ms
  return { kind: 'wait', ms }
}

function isRefusal(logger: Logger, telling: Telling, { role, error }: { role: DeliveryRole; error: unknown }): boolean {
  if (!(error instanceof AdapterError) || (error.code !== 'invalid' && error.code !== 'too_large')) return false
  const { taskId } = telling.delivery
  const fields = { taskId, role, code: error.code, problem: error.message }
  logger.error(fields, `[TASK ${taskId}] ${telling.adapter.name} refused the ${role} message`)
  return true
}
