/** What has to happen at a time rather than on a request: leases that ran out, approvals that are due, tasks too old to keep. */
import { errorLine } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'

export interface MaintenanceOptions {
  store: Store
  workspace: Workspace
  clock: Clock
  logger: Logger
  /** Ended tasks older than this are removed, rows and folders together. Null keeps them all. */
  retentionMs: number | null
  /** At least this often, whatever is due. */
  longestPauseMs: number
}

const SHORTEST_PAUSE_MS = 250
const REMOVED_AT_ONCE = 50

/** Runs in every worker; several at once do no harm, since each change is fenced. Disposing settles when the turn under way has ended. */
export function startMaintenance(options: MaintenanceOptions): AsyncDisposable {
  const { store, clock, logger } = options
  let timer: Disposable | undefined
  let turn = Promise.resolve()
  let isOver = false

  async function runTurn(): Promise<void> {
    try {
      await store.recoverExpired()
      await settleApprovals(options)
      await removeOld(options)
    } catch (error) {
      logger.error({ error: errorLine(error) }, 'maintenance failed; it will be tried again')
    }
    await schedule()
  }

  async function schedule(): Promise<void> {
    if (isOver) return
    const dueAt = await store.nextDueAt().catch(() => null)
    const pauseMs = dueAt === null ? options.longestPauseMs : dueAt - clock.now()
    timer = clock.after(Math.min(Math.max(pauseMs, SHORTEST_PAUSE_MS), options.longestPauseMs), () => {
      turn = runTurn()
    })
  }

  turn = runTurn()
  return {
    async [Symbol.asyncDispose]() {
      isOver = true
      timer?.[Symbol.dispose]()
      await turn
      timer?.[Symbol.dispose]()
    },
  }
}

async function settleApprovals({ store, clock }: MaintenanceOptions): Promise<void> {
  for (const { taskId, due } of await store.dueApprovals(clock.now())) {
    await store.apply(taskId, { kind: due === 'remind' ? 'reminded' : 'expired' }, { status: 'awaiting_approval' })
  }
}

async function removeOld({ store, workspace, clock, retentionMs }: MaintenanceOptions): Promise<void> {
  if (retentionMs === null) return
  for (const taskId of await store.expiredTasks(clock.now() - retentionMs, REMOVED_AT_ONCE)) {
    // The folder first: a row without its folder is found again, a folder without its row never is.
    await workspace.remove(taskId)
    await store.deleteTask(taskId)
  }
}
