/** The outbox at work: what the store says is not told yet, is told in its thread. */
import type { Place, Platform } from '../core/task.ts'
import type { ChatAdapter } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Presenter } from '../ports/presenter.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'
import { createPlatformGate, type PlatformGate } from './backoff.ts'
import { createEditBudget, type EditBudget } from './edit-budget.ts'
import { createHomes, type Home } from './homes.ts'
import { Lanes, type Next } from './lanes.ts'
import { createMemory } from './memory.ts'
import { createMessages } from './messages.ts'
import { createPresenter } from './presenter.ts'
import type { ReporterConfig } from './reporter-config.ts'
import { createScreen } from './screen.ts'
import { createTell } from './tell.ts'
import { createTrouble } from './trouble.ts'

export interface ReporterOptions {
  store: Store
  workspace: Workspace
  /** May be filled until `start`: adapters want the presenter, which is this. */
  adapters: readonly ChatAdapter[]
  clock: Clock
  logger: Logger
  config: ReporterConfig
  /** From 0 to 1; spreads retries. */
  random?: () => number
}

export interface Reporter extends Presenter, AsyncDisposable {
  /** Begins to tell, with what an earlier run left untold. */
  start(): Promise<void>
  /** Settles when everything that can be told right now has been; what waits for a clock stays waiting. */
  idle(): Promise<void>
}

/** How many untold tasks are taken up at once; the rest follows when these are told. */
const BATCH = 2000
/** The safety net under the store's wake-ups. */
const LOOK_MS = 30_000
const FLUSH_MS = 5000

export function createReporter(options: ReporterOptions): Reporter {
  const { store, workspace, clock, logger, config } = options
  const parts = createParts(options)
  const { lanes, wake, adapterOf, screen } = parts
  const presenter = createPresenter({ store, workspace, clock, config, screen, adapterOf, wake: parts.wakeNow })
  let watching: Disposable | null = null
  let looking: Disposable | null = null
  let isOver = false

  async function look(): Promise<void> {
    const platforms: Platform[] = options.adapters.map((adapter) => adapter.name)
    const untold = platforms.length === 0 ? [] : await store.unsettledDeliveries(platforms, BATCH)
    for (const { taskId, place } of untold) parts.wakeIn(taskId, place)
  }

  function lookLater(): void {
    looking = clock.after(LOOK_MS, () => {
      void look().catch((error) => logger.error({ err: error }, 'cannot look for what is untold'))
      if (!isOver) lookLater()
    })
  }

  return {
    ...presenter,
    async start() {
      watching = store.watch((change) => {
        if (change.kind === 'task') wake(change.taskId)
      })
      await look()
      lookLater()
    },
    async idle() {
      await look()
      await settle(parts)
    },
    async [Symbol.asyncDispose]() {
      isOver = true
      watching?.[Symbol.dispose]()
      looking?.[Symbol.dispose]()
      await flush(parts, clock)
      lanes[Symbol.dispose]()
    },
  }
}

type Working = Pick<Parts, 'besides' | 'lanes'>

async function settle({ besides, lanes }: Working): Promise<void> {
  await besides()
  await lanes.idle()
  await besides()
}

async function flush(parts: Working, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>()
  using _timer = clock.after(FLUSH_MS, late.resolve)
  await Promise.race([settle(parts), late.promise])
}

interface Parts {
  lanes: Lanes
  screen: ReturnType<typeof createScreen>
  adapterOf(platform: string): ChatAdapter | undefined
  /** Finds the task's lane and has it told there. */
  wake(taskId: number): void
  wakeIn(taskId: number, place: Place): void
  /** The same, and whatever it is blocked by is lifted. */
  wakeNow(taskId: number): Promise<void>
  /** Settles when every wake has found its lane, and what goes on beside the lanes is done. */
  besides(): Promise<void>
}

function createParts(options: ReporterOptions): Parts {
  const { store, clock, logger, config } = options
  const adapterOf = (platform: string) => options.adapters.find((adapter) => adapter.name === platform)
  const budgets = new Map<string, EditBudget>()
  const gates = new Map<string, PlatformGate>()
  const working = new Set<Promise<void>>()
  const homes = createHomes()
  const screen = createScreen(options)
  const messages = createMessages(options)
  const trouble = createTrouble({ store, clock, logger, random: options.random ?? Math.random })
  const lanes = new Lanes(clock, guarded)
  const tell = createTell({
    ...{ ...options, memory: createMemory(), messages, screen, adapterOf, config },
    budgetOf: (adapter) => keep(budgets, adapter.name, () => createEditBudget(adapter.limits, clock)),
    wake: async (taskId) => wake(taskId),
    beside,
  })

  /** The one catch-all: whatever goes wrong with one thread is that thread's trouble. */
  async function guarded(taskId: number): Promise<{ next: Next; lane: string | null }> {
    let gate: PlatformGate | undefined
    try {
      const platform = (await homeOf(taskId))?.platform
      gate = platform === undefined ? undefined : keep(gates, platform, () => createPlatformGate(clock))
      const wait = gate?.waitMs() ?? 0
      if (wait > 0) return { next: { kind: 'blocked', afterMs: wait }, lane: null }
      const { next, place, spoke } = await tell(taskId)
      if (spoke) gate?.succeeded()
      if (place === null) return { next, lane: null }
      return { next, lane: homes.keep(taskId, place).lane }
    } catch (error) {
      return { next: await trouble(taskId, error, gate), lane: null }
    }
  }

  /** Null: the task is told nowhere, and never will be. */
  async function homeOf(taskId: number): Promise<Home | null> {
    const known = homes.of(taskId)
    if (known !== undefined) return known
    const delivery = await store.delivery(taskId)
    return delivery === undefined ? homes.keep(taskId, null) : homes.keep(taskId, delivery.place)
  }

  async function route(taskId: number, unblock: boolean): Promise<void> {
    const home = await homeOf(taskId)
    if (home === null) return
    if (unblock) lanes.unblock(home.lane)
    lanes.wake(home.lane, taskId)
  }

  function beside(taskId: number, work: Promise<void>): void {
    const done = work.catch((error) => {
      // The next look finds what is left to do.
      logger.error({ taskId, err: error }, `[TASK ${taskId}] its thread cannot be looked after`)
    })
    working.add(done)
    void done.finally(() => working.delete(done))
  }

  const wake = (taskId: number) => beside(taskId, route(taskId, false))

  return {
    ...{ lanes, screen, adapterOf, wake },
    wakeIn: (taskId, place) => lanes.wake(homes.keep(taskId, place).lane, taskId),
    wakeNow: (taskId) => route(taskId, true),
    async besides() {
      while (working.size > 0) await Promise.all(working)
    },
  }
}

function keep<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key) ?? make()
  map.set(key, known)
  return known
}
