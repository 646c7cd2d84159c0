/**
 * The claim loop. A worker holds a task by a lease that it keeps alive; when it cannot, it stops the task's processes and writes nothing more.
 * Stopping a worker is not cancelling its tasks: it takes no more, lets them use a grace period, then they are interrupted.
 */
import { errorLine } from '../core/errors.ts'
import type { Task } from '../core/task.ts'
import type { WorkerOptions } from './options.ts'
import { createRunControl, type RunControl, type StopCause } from './run-control.ts'
import { runTask } from './run-task.ts'
import { createTaskRun } from './task-run.ts'

export interface Worker extends AsyncDisposable {
  readonly id: string
  /** Begins to claim. */
  start(): Promise<void>
  /** Tasks that it holds now. */
  readonly held: number
  /** Settles when it holds nothing and there was nothing more to claim. */
  idle(): Promise<void>
  /** Takes no more tasks, waits for those it holds up to the grace period, interrupts the rest. `now`: without the grace. May be called twice. */
  stop(now?: boolean): Promise<void>
}

interface Held {
  taskId: number
  control: RunControl
  ended: Promise<void>
  /** Only its end is still to be written: its slot is free. */
  isLeaving: boolean
}

export function createWorker(options: WorkerOptions): Worker {
  return new ClaimLoop(options)
}

class ClaimLoop implements Worker {
  readonly #options: WorkerOptions
  /** By lease: a task that came back to us may be held again while our first run of it is still ending. */
  readonly #held = new Map<string, Held>()
  #isStopping = false
  #claiming: Promise<void> | undefined
  #claimAgain = false
  #heartbeat: Disposable | undefined
  #lastBeatAt = 0
  /** Why the heartbeats fail, said once and not with each of them. */
  #beatTrouble = ''
  #watching: DisposableStack | undefined

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  get id(): string {
    return this.#options.id
  }

  get held(): number {
    return this.#held.size
  }

  async start(): Promise<void> {
    const { store, logger } = this.#options
    await store.registerWorker(this.#row())
    this.#lastBeatAt = this.#options.clock.now()
    this.#watching = new DisposableStack()
    this.#watching.use(store.watchSubmits(() => this.#claimMore()))
    this.#watching.use(
      store.watch((change) => {
        if (change.kind !== 'task') return
        this.#onChange(change.taskId).catch((error) => logger.error({ error: errorLine(error) }, 'a wake-up failed'))
      }),
    )
    this.#scheduleBeat()
    this.#claimMore()
  }

  async idle(): Promise<void> {
    while (this.#claiming !== undefined || this.#held.size > 0) {
      await this.#claiming
      await this.#allEnded()
    }
  }

  async stop(now = false): Promise<void> {
    this.#isStopping = true
    // One that is being claimed is stopped as soon as it is held.
    if (now) this.#stopAll('stopping')
    await this.#claiming
    using _grace = this.#options.clock.after(this.#options.stopGraceMs, () => this.#stopAll('stopping'))
    await this.#allEnded()
    this.#heartbeat?.[Symbol.dispose]()
    this.#heartbeat = undefined
    this.#watching?.[Symbol.dispose]()
    this.#watching = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { store, logger } = this.#options
    await this.stop(true)
    try {
      await store.removeWorker(this.id)
    } catch (error) {
      // It is no longer heard of, which takes others a little longer to see; what else has to be closed is.
      logger.warn({ error: errorLine(error) }, `the worker could not be signed off: ${errorLine(error)}`)
    }
  }

  #stopAll(cause: StopCause): void {
    for (const each of this.#held.values()) each.control.stop(cause)
  }

  async #allEnded(): Promise<void> {
    await Promise.all([...this.#held.values()].map((each) => each.ended))
  }

  get #mayClaim(): boolean {
    const working = [...this.#held.values()].filter((each) => !each.isLeaving)
    return this.#claimAgain && !this.#isStopping && working.length < this.#options.concurrency
  }

  /** Claims until the slots are full or there is nothing; a ring during a claim is not lost. */
  #claimMore(): void {
    this.#claimAgain = true
    this.#claiming ??= this.#claimAll().finally(() => {
      this.#claiming = undefined
      if (this.#mayClaim) this.#claimMore()
    })
  }

  async #claimAll(): Promise<void> {
    while (this.#mayClaim) {
      this.#claimAgain = false
      const task = await this.#claimOne()
      if (task?.lease == null) continue
      this.#hold(task, task.lease.id)
      this.#claimAgain = this.#options.only === null
    }
  }

  async #claimOne(): Promise<Task | undefined> {
    const { store, logger, id, leaseMs, only } = this.#options
    try {
      return await store.claim({ id, leaseMs, ...(only === null ? {} : { only }) })
    } catch (error) {
      logger.error({ error: errorLine(error) }, `claiming a task failed; it will be tried again: ${errorLine(error)}`)
      return undefined
    }
  }

  #hold(task: Task, leaseId: string): void {
    const control = createRunControl(() => this.#leave(leaseId))
    const before = this.#runsOf(task.id).at(-1)?.ended ?? Promise.resolve()
    const ended = before
      .then(() => this.#run(task, leaseId, control))
      .finally(() => {
        this.#held.delete(leaseId)
        if (!held.isLeaving) this.#claimMore()
      })
    const held: Held = { taskId: task.id, control, ended, isLeaving: false }
    this.#held.set(leaseId, held)
    if (this.#isStopping) control.stop('stopping')
  }

  #leave(leaseId: string): void {
    const held = this.#held.get(leaseId)
    if (held !== undefined) held.isLeaving = true
    this.#claimMore()
  }

  async #run(task: Task, leaseId: string, control: RunControl): Promise<void> {
    const { logger } = this.#options
    logger.info({ taskId: task.id, status: task.status }, `[TASK ${task.id}] claimed`)
    try {
      await using run = createTaskRun(this.#options, task, leaseId, control)
      if (task.cancelRequestedBy !== null) control.stop('cancelled')
      await runTask(this.#options, run)
      logger.info({ taskId: task.id, status: run.task.status }, `[TASK ${task.id}] ${run.task.status}`)
    } catch (error) {
      // What is left of it is recovered when its lease runs out.
      logger.error({ taskId: task.id, error: errorLine(error) }, `[TASK ${task.id}] could not be settled`)
    }
  }

  async #beat(): Promise<void> {
    const { store, logger, clock, id, leaseMs } = this.#options
    try {
      await store.registerWorker(this.#row())
      const answer = await store.heartbeat({ id, leaseMs, leases: [...this.#held.keys()] })
      for (const leaseId of answer.lost) this.#held.get(leaseId)?.control.stop('lost')
      for (const leaseId of answer.cancelled) this.#held.get(leaseId)?.control.stop('cancelled')
      this.#lastBeatAt = clock.now()
      this.#beatTrouble = ''
      // The net below the wake-ups, and below a claim that failed.
      this.#claimMore()
    } catch (error) {
      const trouble = errorLine(error)
      const text = `the heartbeat failed; it will be tried again: ${trouble}`
      if (trouble !== this.#beatTrouble) logger.error({ error: trouble }, text)
      this.#beatTrouble = trouble
      // Others may hold our tasks by now.
      if (clock.now() - this.#lastBeatAt > leaseMs) this.#stopAll('lost')
    }
    if (this.#heartbeat !== undefined) this.#scheduleBeat()
  }

  #scheduleBeat(): void {
    const { clock, leaseMs } = this.#options
    this.#heartbeat = clock.after(Math.max(50, Math.floor(leaseMs / 3)), () => void this.#beat())
  }

  #row() {
    const { id, role, host, concurrency: slots, clock } = this.#options
    return { id, role, host, slots, pid: process.pid, heartbeatAt: clock.now() }
  }

  async #onChange(taskId: number): Promise<void> {
    const mine = this.#runsOf(taskId)
    if (mine.length === 0) return this.#claimMore()
    if (!(await this.#options.store.isCancelRequested(taskId))) return
    for (const { control } of mine) control.stop('cancelled')
  }

  #runsOf(taskId: number): readonly Held[] {
    return [...this.#held.values()].filter((each) => each.taskId === taskId)
  }
}
