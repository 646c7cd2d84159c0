/** What has to happen at a time rather than on a request: leases that ran out, approvals that are due, tasks that are not kept. */
import { errorLine } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import type { Retention } from './retention.ts'

export interface MaintenanceOptions {
  store: Store
  clock: Clock
  logger: Logger
  retention: Retention
  leaseMs: number
  /** At least this often, whatever is due. */
  longestPauseMs: number
}

const SHORTEST_PAUSE_MS = 250
const BUDGET_EVERY_MS = 10 * 60_000
/** A timer this late means that the machine slept, the process stood still, or the clock was set forwards. */
const LATE_MS = 5000

/** Runs in every worker; several at once do no harm, since each change is fenced. Disposing settles when the turn under way has ended. */
export function startMaintenance(options: MaintenanceOptions): AsyncDisposable {
  const { store, clock, logger, retention, leaseMs } = options
  let timer: Disposable | undefined
  let turn = Promise.resolve()
  let isOver = false
  let budgetAt = Number.NEGATIVE_INFINITY

  async function runTurn(dueAt: number): Promise<void> {
    // After a sleep every lease looks expired, those of live workers too: they get the time for a heartbeat first.
    const mayRecover = clock.now() - dueAt < LATE_MS
    try {
      if (mayRecover) await store.recoverExpired()
      await settleApprovals(options)
      await retention.removeOld()
      if (Math.abs(clock.now() - budgetAt) >= BUDGET_EVERY_MS) {
        budgetAt = clock.now()
        await retention.keepBudget()
      }
    } catch (error) {
      logger.error({ error: errorLine(error) }, `maintenance failed; it will be tried again: ${errorLine(error)}`)
    }
    await schedule(mayRecover ? SHORTEST_PAUSE_MS : leaseMs)
  }

  async function schedule(leastMs: number): Promise<void> {
    if (isOver) return
    const nextAt = await store.nextDueAt().catch(() => null)
    const wantedMs = nextAt === null ? options.longestPauseMs : nextAt - clock.now()
    const pauseMs = Math.min(Math.max(wantedMs, leastMs), Math.max(options.longestPauseMs, leastMs))
    const dueAt = clock.now() + pauseMs
    timer = clock.after(pauseMs, () => {
      turn = runTurn(dueAt)
    })
  }

  turn = runTurn(clock.now())
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
