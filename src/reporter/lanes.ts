/**
 * One lane per thread: its tasks are told one after another, oldest first, so that a thread reads in order.
 * Lanes do not wait for each other: one that is stuck holds up nobody else.
 */
import type { Clock } from '../ports/clock.ts'

/** What to do after a task was told as it is now. `blocked` holds the whole lane: what comes later must not overtake. */
export type Next = { kind: 'quiet' } | { kind: 'again'; afterMs: number } | { kind: 'blocked'; afterMs: number }

/** `lane`: where the task belongs now, for its place may have become a thread; null: where it was. Never rejects. */
export type TellInLane = (taskId: number) => Promise<{ next: Next; lane: string | null }>

interface Lane {
  key: string
  due: Set<number>
  timers: Map<number, Disposable>
  block: Disposable | null
  isBusy: boolean
}

/** Tasks told at the same time. Many more than a platform takes at once: each may hang until its deadline, and the others must not wait for it. */
const MAX_BUSY = 64

export class Lanes implements Disposable {
  readonly #clock: Clock
  readonly #tell: TellInLane
  readonly #lanes = new Map<string, Lane>()
  /** Being told; a wake meanwhile is kept in `again`, for the same task is never told twice at once. */
  readonly #telling = new Set<number>()
  readonly #again = new Set<number>()
  #ready: Lane[] = []
  #isOver = false
  #waiters: (() => void)[] = []

  constructor(clock: Clock, tell: TellInLane) {
    this.#clock = clock
    this.#tell = tell
  }

  /** Tells the task soon. Called again while it waits or is being told: once more, with what is then true. */
  wake(key: string, taskId: number): void {
    if (this.#isOver) return
    const lane = this.#laneOf(key)
    lane.due.add(taskId)
    this.#ready.push(lane)
    this.#pump()
  }

  /** Lifts a block, so that what waits behind it is tried at once. */
  unblock(key: string): void {
    const lane = this.#lanes.get(key)
    if (lane !== undefined) this.#lift(lane)
  }

  /** Settles when nothing can be told right now; timers may be waiting. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      this.#pump()
    })
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#ready = []
    for (const lane of this.#lanes.values()) {
      lane.block?.[Symbol.dispose]()
      for (const timer of lane.timers.values()) timer[Symbol.dispose]()
    }
    this.#lanes.clear()
    this.#pump()
  }

  #laneOf(key: string): Lane {
    const lane = this.#lanes.get(key) ?? { key, due: new Set(), timers: new Map(), block: null, isBusy: false }
    this.#lanes.set(key, lane)
    return lane
  }

  #pump(): void {
    while (this.#telling.size < MAX_BUSY) {
      const lane = this.#ready.shift()
      if (lane === undefined) break
      if (!lane.isBusy && lane.block === null) this.#tellNext(lane)
    }
    if (this.#telling.size > 0) return
    for (const settle of this.#waiters) settle()
    this.#waiters = []
  }

  #tellNext(lane: Lane): void {
    if (lane.due.size === 0) return
    const taskId = Math.min(...lane.due)
    lane.due.delete(taskId)
    disposeOf(lane.timers, taskId)
    if (this.#telling.has(taskId)) {
      this.#again.add(taskId)
      this.#ready.push(lane)
      return
    }
    lane.isBusy = true
    this.#telling.add(taskId)
    void this.#tell(taskId).then(({ next, lane: key }) => {
      lane.isBusy = false
      this.#telling.delete(taskId)
      const home = key === null ? lane : this.#laneOf(key)
      if (!this.#isOver) this.#follow(home, taskId, next)
      // At the back of the queue: a lane with much to tell takes turns with the others.
      this.#ready.push(lane, home)
      this.#pump()
      this.#forgetIfEmpty(lane)
    })
  }

  #follow(lane: Lane, taskId: number, next: Next): void {
    this.#lanes.set(lane.key, lane)
    if (this.#again.delete(taskId)) lane.due.add(taskId)
    if (next.kind === 'again') {
      disposeOf(lane.timers, taskId)
      lane.timers.set(
        taskId,
        this.#clock.after(next.afterMs, () => {
          lane.timers.delete(taskId)
          this.wake(lane.key, taskId)
        }),
      )
    } else if (next.kind === 'blocked') {
      lane.due.add(taskId)
      lane.block?.[Symbol.dispose]()
      lane.block = this.#clock.after(next.afterMs, () => this.#lift(lane))
    }
  }

  #lift(lane: Lane): void {
    lane.block?.[Symbol.dispose]()
    lane.block = null
    this.#ready.push(lane)
    this.#pump()
  }

  #forgetIfEmpty(lane: Lane): void {
    const isEmpty = !lane.isBusy && lane.due.size === 0 && lane.timers.size === 0 && lane.block === null
    if (isEmpty && this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key)
  }
}

function disposeOf(timers: Map<number, Disposable>, taskId: number): void {
  timers.get(taskId)?.[Symbol.dispose]()
  timers.delete(taskId)
}
