import { statfs } from 'node:fs/promises'
import type { SandboxLimits } from '../ports/sandbox.ts'
import type { Breach } from './breach.ts'
import type { DiskMeter } from './disk-meter.ts'
import type { TaskGroup } from './task-group.ts'

const LOOK_EVERY_MS = 100
const FIRST_WALK_AFTER_MS = 1000
/** A walk may take at most this part of the time, however large the folder. */
const WALK_SHARE = 10
/** Free space that a task may not touch, so that the store and the logs can still be written. */
const FREE_FLOOR_BYTES = 256 * 1024 * 1024

export interface LimitWatchOptions {
  limits: SandboxLimits
  folder: string
  /** Undefined where there are no cgroups. */
  group: TaskGroup | undefined
  meter: DiskMeter
}

/**
 * Sees that a task passed a limit of the sum of its processes. Counters of its cgroup are cheap and read often. The folder is
 * walked seldom: the free space of its file system tells, at no cost, how much can have been written at most since.
 */
export class LimitWatch {
  readonly #options: LimitWatchOptions
  #walk: Promise<void> | undefined
  #walkedAt = 0
  #walkTookMs = 0
  #usedBytes = 0
  #freeAtWalk: number | undefined
  #breach: Breach | undefined

  constructor(options: LimitWatchOptions) {
    this.#options = options
  }

  /** Looks now; slower than usual only when much has been written since the last walk. */
  async look(): Promise<Breach | undefined> {
    this.#breach ??= this.#options.group?.breach()
    if (this.#breach !== undefined) return this.#breach
    const free = await this.#freeBytes()
    if (this.#mayHaveFilled(free)) await this.#walkNow(free)
    return this.#breach
  }

  /** Looks again and again until disposed, and calls back once. */
  watch(onBreach: (breach: Breach) => void): Disposable {
    const startedAt = performance.now()
    let busy = false
    const timer = setInterval(async () => {
      if (busy) return
      busy = true
      try {
        const breach = (await this.look()) ?? (await this.#seldom(startedAt))
        if (breach === undefined) return
        clearInterval(timer)
        onBreach(breach)
      } finally {
        busy = false
      }
    }, LOOK_EVERY_MS)
    timer.unref()
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }

  /** What is freed elsewhere hides what is written here, so the folder is walked from time to time whatever the free space says. */
  async #seldom(startedAt: number): Promise<Breach | undefined> {
    const now = performance.now()
    const due = Math.max(FIRST_WALK_AFTER_MS, this.#walkTookMs * WALK_SHARE)
    if (now - startedAt >= FIRST_WALK_AFTER_MS && now - this.#walkedAt >= due)
      await this.#walkNow(await this.#freeBytes())
    return this.#breach
  }

  #mayHaveFilled(free: number): boolean {
    const { diskBytes } = this.#options.limits
    if (free < FREE_FLOOR_BYTES) this.#breach = { limit: 'disk', allowed: diskBytes }
    this.#freeAtWalk ??= free
    const written = this.#freeAtWalk - free
    const left = diskBytes - this.#usedBytes
    return written > left / 2 && performance.now() - this.#walkedAt >= this.#walkTookMs * WALK_SHARE
  }

  async #walkNow(free: number): Promise<void> {
    this.#walk ??= this.#measure(free)
    await this.#walk
    this.#walk = undefined
  }

  async #measure(free: number): Promise<void> {
    const { folder, meter, limits } = this.#options
    const startedAt = performance.now()
    this.#usedBytes = await meter.measure(folder, limits.diskBytes)
    this.#freeAtWalk = free
    this.#walkedAt = performance.now()
    this.#walkTookMs = this.#walkedAt - startedAt
    if (this.#usedBytes > limits.diskBytes) this.#breach = { limit: 'disk', allowed: limits.diskBytes }
  }

  async #freeBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(this.#options.folder)
      return bavail * bsize
    } catch {
      // The folder was deleted under the task: the workspace tells of that.
      return Number.POSITIVE_INFINITY
    }
  }
}
