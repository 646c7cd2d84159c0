/**
 * The status as a reaction on the thread's first message. What may be shown there is a row, written before it is shown: whoever goes on
 * after a crash takes away what is out of date.
 */
import { z } from 'zod'
import { isFinal, TASK_STATUSES } from '../core/task.ts'
import type { StatusView } from '../core/view.ts'
import { statusView } from '../core/views/status-view.ts'
import type { DeliveredMessage } from '../ports/store.ts'
import type { Scene, TellOptions } from './scene.ts'
import { withDeadline } from './with-deadline.ts'

const MARK_MS = 10_000
const ROLE = 'notice:mark'

const shownSchema = z.array(
  z.object({ status: z.enum([...TASK_STATUSES, 'interrupted']), icon: z.string(), word: z.string() }),
)

export async function tellMark({ messages, clock }: TellOptions, scene: Scene): Promise<void> {
  const { task, memory, adapter, delivery } = scene
  const status = statusView(task)
  if (memory.marked?.icon === status.icon) return
  const shown = memory.marked === null ? shownIn(scene.messages.get(ROLE)) : [memory.marked]
  memory.marked = status
  if (shown.length === 1 && shown[0]?.icon === status.icon) return
  const others = shown.filter(({ icon }) => icon !== status.icon)
  await save([...others, status])
  for (const before of others.length === 0 ? [null] : others) {
    // It never throws, but it may take its time; nobody waits for a reaction.
    await withDeadline(adapter.mark(delivery.place, status, before), MARK_MS, clock).catch(() => undefined)
  }
  // The last one: a look at the thread later finds that there is nothing to do.
  if (isFinal(task.status) && others.length > 0) await save([status])

  function save(views: readonly StatusView[]): Promise<void> {
    const row = { taskId: task.id, role: ROLE, ref: null, frame: JSON.stringify(views), postedAt: null } as const
    return messages.save(scene, row)
  }
}

function shownIn(row: DeliveredMessage | undefined): readonly StatusView[] {
  if (row === undefined || row.frame === '') return []
  return shownSchema.parse(JSON.parse(row.frame))
}
