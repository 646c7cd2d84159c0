/**
 * The status as a reaction on the thread's first message. What may be shown there is a row, written before it is shown: whoever goes on
 * after a crash takes away what is out of date.
 */
import { z } from 'zod'
import { isFinal, TASK_STATUSES } from '../core/task.ts'
import type { StatusView } from '../core/view.ts'
import { statusView } from '../core/views/status-view.ts'
import type { DeliveredMessage } from '../ports/store.ts'
import { remainingMs } from './edit-budget.ts'
import type { Scene, TellOptions, Wait } from './scene.ts'
import { withDeadline } from './with-deadline.ts'

const MARK_MS = 10_000
/** A status that has passed within it is not shown: nobody could read it, and platforms count each call. */
const GAP_MS = 1000
const ROLE = 'notice:mark'

const shownSchema = z.array(
  z.object({ status: z.enum([...TASK_STATUSES, 'interrupted']), icon: z.string(), word: z.string() }),
)

/** Nothing in the thread waits for a reaction: only that of the end is waited for, when all else has been told. It goes out when `after` has settled. */
export async function tellMark(options: TellOptions, scene: Scene, after: Promise<void>): Promise<Wait> {
  const { task, memory } = scene
  if (isFinal(task.status)) {
    await memory.marking
    await mark(options, scene, after)
    return null
  }
  if (memory.marked?.icon === statusView(task).icon) return null
  const sinceMs = memory.markedAt === null ? 0 : remainingMs(memory.markedAt + GAP_MS, options.clock.now(), GAP_MS)
  if (sinceMs > 0 || memory.marking !== null) return sinceMs || GAP_MS
  memory.marking = mark(options, scene, after).finally(() => {
    memory.marking = null
  })
  options.beside(task.id, memory.marking)
  return null
}

async function mark({ messages, clock }: TellOptions, scene: Scene, after: Promise<void>): Promise<void> {
  const { task, memory, adapter } = scene
  const status = statusView(task)
  if (memory.marked?.icon === status.icon) return
  const shown = memory.marked === null ? shownIn(scene.messages.get(ROLE)) : [memory.marked]
  const isShown = shown.length === 1 && shown[0]?.icon === status.icon
  const others = shown.filter(({ icon }) => icon !== status.icon)
  const isLast = isFinal(task.status)
  // The last one, alone, can never be out of date: a row before it would only keep it from being shown after a crash.
  if (!isShown && (!isLast || others.length > 0)) await save([...others, status])
  memory.marked = status
  memory.markedAt = clock.now()
  if (isShown) return
  await after
  for (const before of others.length === 0 ? [null] : others) {
    // It never throws, but it may take its time.
    await withDeadline(adapter.mark(scene.delivery.place, status, before), MARK_MS, clock).catch(() => undefined)
  }
  // A look at the thread later finds that there is nothing to do.
  if (isLast) await save([status])

  function save(views: readonly StatusView[]): Promise<void> {
    const row = { taskId: task.id, role: ROLE, ref: null, frame: JSON.stringify(views), postedAt: null } as const
    return messages.save(scene, row)
  }
}

function shownIn(row: DeliveredMessage | undefined): readonly StatusView[] {
  if (row === undefined || row.frame === '') return []
  return shownSchema.parse(JSON.parse(row.frame))
}
