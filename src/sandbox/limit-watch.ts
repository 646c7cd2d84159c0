import { statfsSync } from 'node:fs'
import type { SandboxLimits } from '../ports/sandbox.ts'
import type { Breach } from './breach.ts'
import type { DiskMeter } from './disk-meter.ts'
import type { ProcessSums } from './process-sums.ts'
import { largestFileBytes } from './rlimits.ts'
import type { TaskGroup } from './task-group.ts'

const LOOK_EVERY_MS = 100
const WALK_AFTER_MS = 1000
/** Nobody fills a folder faster: a shorter step needs no walk at its end. */
const FASTEST_BYTES_PER_MS = 4 * 1024 * 1024
/** A walk may take at most this part of the time, however large the folder. */
const WALK_SHARE = 10
/** Free space that a task may not touch, so that the store and the logs can still be written. */
const FREE_FLOOR_BYTES = 256 * 1024 * 1024

export interface LimitWatchOptions {
  limits: SandboxLimits
  folder: string
  /** Undefined where there are no cgroups. */
  group: TaskGroup | undefined
  /** For what no cgroup counts. */
  sums: ProcessSums | undefined
  meter: DiskMeter
}

/**
 * Sees that a task passed a limit of the sum of its processes. Counters of its cgroup are cheap and read often. The folder is
 * walked seldom: the free space of its file system tells, at no cost, how much can have been written at most since.
 */
export class LimitWatch {
  readonly #options: LimitWatchOptions
  #walk: Promise<void> | undefined
  #startedAt = 0
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
    this.#breach ??= this.#options.group?.breach() ?? this.#options.sums?.breach()
    if (this.#breach !== undefined) return this.#breach
    const free = this.#freeBytes()
    if (this.#mayHaveFilled(free)) await this.#walkNow(free)
    return this.#breach
  }

  /** The last look at a step that is over: as `look`, and what has been freed elsewhere meanwhile hides nothing. */
  async lookAtEnd(): Promise<Breach | undefined> {
    const isLong = (performance.now() - this.#startedAt) * FASTEST_BYTES_PER_MS > this.#leftBytes() / 2
    // A walk that is under way began before the end.
    await this.#walk
    return (await this.look()) ?? (isLong ? await this.#seldom(0) : undefined)
  }

  /** Looks again and again until disposed, and calls back once. */
  watch(onBreach: (breach: Breach) => void): Disposable {
    this.#startedAt = performance.now()
    // A step may be over before the first look.
    this.#freeAtWalk ??= this.#freeBytes()
    let busy = false
    const timer = setInterval(async () => {
      if (busy) return
      busy = true
      try {
        const breach = (await this.look()) ?? (await this.#seldom(WALK_AFTER_MS))
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
  async #seldom(pauseMs: number): Promise<Breach | undefined> {
    const now = performance.now()
    const due = Math.max(pauseMs, this.#walkTookMs * WALK_SHARE)
    if (now - this.#startedAt >= pauseMs && now - this.#walkedAt >= due) await this.#walkNow(this.#freeBytes())
    return this.#breach
  }

  /** What may be written before one of the limits can have been passed. */
  #leftBytes(): number {
    const { diskBytes, fileBytes } = this.#options.limits
    return Math.min(diskBytes - this.#usedBytes, fileBytes)
  }

  #mayHaveFilled(free: number): boolean {
    const { diskBytes } = this.#options.limits
    if (free < FREE_FLOOR_BYTES) this.#breach = { limit: 'disk', allowed: diskBytes }
    this.#freeAtWalk ??= free
    const written = this.#freeAtWalk - free
    return written > this.#leftBytes() / 2 && performance.now() - this.#walkedAt >= this.#walkTookMs * WALK_SHARE
  }

  async #walkNow(free: number): Promise<void> {
    this.#walk ??= this.#measure(free)
    await this.#walk
    this.#walk = undefined
  }

  async #measure(free: number): Promise<void> {
    const { folder, meter, limits } = this.#options
    const stoppedAtBytes = largestFileBytes(limits.fileBytes)
    const found = await meter.measure({ folder, enoughBytes: limits.diskBytes, stoppedAtBytes })
    this.#usedBytes = found.bytes
    this.#freeAtWalk = free
    this.#walkedAt = performance.now()
    this.#walkTookMs = found.tookMs
    // Whoever wrote it may have been one of many commands, whose end no shell told us.
    if (found.isStopped) this.#breach = { limit: 'file_size', allowed: limits.fileBytes }
    if (this.#usedBytes > limits.diskBytes) this.#breach = { limit: 'disk', allowed: limits.diskBytes }
  }

  /** In place: it takes microseconds, and to ask another thread takes longer than all the rest of a look. */
  #freeBytes(): number {
    try {
      const { bavail, bsize } = statfsSync(this.#options.folder)
      return bavail * bsize
    } catch {
      // The folder was deleted under the task: the workspace tells of that.
      return Number.POSITIVE_INFINITY
    }
  }
}
