/** What is kept: ended tasks until they are too old or the disk budget is spent; rows, folders and logs go together. */
import { isFinal, type Platform } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'

export interface RetentionOptions {
  store: Store
  workspace: Workspace
  clock: Clock
  logger: Logger
  /** Ended tasks older than this are removed. Null keeps them all. */
  keepMs: number | null
  /** What all folders together may take; beyond it the oldest ended tasks go. Null: no budget. */
  diskBytes: number | null
  /** Chats that are switched on: what is untold there is told when it can be, however late. */
  chats: readonly Platform[]
}

export interface Retention {
  /** Clears folders that belong to no task: those of removals that were cut short go, those of a store that was put back are kept aside. */
  clearOrphans(): Promise<void>
  /** Removes what is too old, some at a time. */
  removeOld(): Promise<void>
  /** Removes the oldest ended tasks while all together take too much. */
  keepBudget(): Promise<void>
}

const REMOVED_AT_ONCE = 50
const MEASURED_AT_ONCE = 200
/** What ended just now is looked at by somebody: a full disk does not take it from under their eyes. */
const LEAST_AGE_MS = 60 * 60_000

export function createRetention(options: RetentionOptions): Retention {
  const { store, workspace, clock, logger } = options
  const measure = createMeasure(options)

  /** The row first: a folder without its row is found by the next sweep, a row without its folder would offer files that are gone. */
  async function remove(taskId: number): Promise<boolean> {
    if (!(await store.deleteTask(taskId))) return false
    await workspace.remove(taskId)
    return true
  }

  async function removeBefore(before: number, isEnough: (removed: number) => boolean): Promise<number> {
    let count = 0
    for (const taskId of await store.expiredTasks(before, REMOVED_AT_ONCE)) {
      if (isEnough(taskId)) break
      if (await remove(taskId)) count += 1
    }
    return count
  }

  return {
    async clearOrphans() {
      // Folders first, rows second: a task has its row before it has a folder.
      for (const taskId of await workspace.folders()) {
        if ((await store.get(taskId)) !== undefined) continue
        const kept = await workspace.setAside(taskId)
        if (kept === null) continue
        logger.warn(
          { taskId, kept },
          `[TASK ${taskId}] the store does not know this task; its folder is kept as ${kept}`,
        )
      }
    },
    async removeOld() {
      const { keepMs } = options
      if (keepMs === null) return
      const before = clock.now() - keepMs
      await recordUntold(options, before)
      const count = await removeBefore(before, () => false)
      if (count > 0) logger.info({ count }, 'tasks that ended long ago were removed')
    },
    async keepBudget() {
      const { diskBytes } = options
      if (diskBytes === null) return
      const sizes = await measure()
      let total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
      if (total <= diskBytes) return
      const count = await removeBefore(clock.now() - LEAST_AGE_MS, (taskId) => {
        if (total <= diskBytes) return true
        total -= sizes.get(taskId) ?? 0
        return false
      })
      const megabytes = Math.round(total / 1024 ** 2)
      logger.info({ count, megabytes }, 'the tasks took more than their share of the disk; the oldest were removed')
    },
  }
}

/** What a chat that was switched off was never told is kept no longer than anything else, and the audit says what became of it. */
async function recordUntold({ store, logger, chats }: RetentionOptions, before: number): Promise<void> {
  for (const taskId of await store.untoldTasks(before, REMOVED_AT_ONCE, chats)) {
    const delivery = await store.delivery(taskId)
    if (delivery === undefined) continue
    const { platform, channelId } = delivery.place
    const failure = 'Its chat is switched off: what was still to be told there never was.'
    const actor = { platform, scope: '', channelId, userId: '', name: 'retention' }
    await store.audit({ actor, action: 'untold', taskId, allowed: true, detail: failure })
    await store.saveDelivery({ ...delivery, failure })
    logger.warn({ taskId, platform }, `[TASK ${taskId}] is not kept any longer. ${failure}`)
  }
}

/** Sizes of all folders. That of a task that has ended is measured once; a large store is measured over several turns. */
function createMeasure({ store, workspace }: RetentionOptions): () => Promise<ReadonlyMap<number, number>> {
  const known = new Map<number, number>()
  return async () => {
    const ids = new Set(await workspace.folders())
    for (const id of known.keys()) if (!ids.has(id)) known.delete(id)
    const sizes = new Map(known)
    let left = MEASURED_AT_ONCE
    for (const id of ids) {
      if (known.has(id) || left === 0) continue
      left -= 1
      const bytes = await workspace.folderBytes(id)
      sizes.set(id, bytes)
      const task = await store.get(id)
      if (task !== undefined && isFinal(task.status)) known.set(id, bytes)
    }
    return sizes
  }
}
