import { constants } from 'node:os'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { ApprovedPlan } from '../core/approval.ts'
import type { LimitKind, StepEnd } from '../core/outcome.ts'
import type { Clock } from '../ports/clock.ts'
import type { SandboxLimits, SandboxSession, StepOptions } from '../ports/sandbox.ts'
import type { Box } from './box.ts'
import type { Report } from './control-channel.ts'
import { FIRST_RUNNER, LANE_WORD } from './shell-programs.ts'

export interface TaskSessionOptions {
  box: Box
  clock: Clock
  graceMs: number
  limits: SandboxLimits
  /** Called once, when every process is gone and the box is released. */
  onGone(): void | Promise<void>
}

/** How often we look for processes left over while they have their grace: soon at first, then every so often. */
const LOOK_AFTER_MS = [2, 4, 8, 16] as const
const LOOK_EVERY_MS = 25
/** How often we look whether there is still somebody who would report on the running step. */
const SUPERVISED_EVERY_MS = 100

/** Steps of one task, one after another, in a box that has said it is ready. */
export class TaskSession implements SandboxSession {
  readonly #options: TaskSessionOptions
  #isAlive = true
  #over: StepEnd | undefined
  #running = false
  #ending: Promise<void> | undefined
  #releasing: Promise<void> | undefined
  /** As the last report told it. */
  #processes = 0
  /** Runners are numbered. */
  #lastRunner = FIRST_RUNNER
  /** Of each lane: the runner that it was told to start and that has not ended. */
  readonly #runners: [number | undefined, number | undefined] = [FIRST_RUNNER, undefined]
  /** The lane that gets the next step; the other one may be running the last. */
  #turn: 0 | 1 = 0

  constructor(options: TaskSessionOptions) {
    this.#options = options
    void options.box.exited.then(() => {
      this.#isAlive = false
    })
  }

  /** As it is now: of an end we hear only in a later turn of the loop. */
  get isAlive(): boolean {
    return this.#isAlive && this.#options.box.isThere()
  }

  /** Said once, before the first step: the runner of the second starts while it is still being written down that the first begins. */
  prepare(plan: ApprovedPlan): this {
    if (plan.plan.commands.length > 1) this.#wantRunner(1)
    return this
  }

  async run(plan: ApprovedPlan, index: number, options: StepOptions): Promise<StepEnd> {
    const command = plan.plan.commands[index]
    if (command === undefined) throw new Error(`the plan has no step ${index}`)
    if (this.#running) throw new Error('a step is running already')
    if (this.#over !== undefined) return { kind: 'sandbox_died', detail: 'its session is over' }
    this.#running = true
    try {
      const end = await this.#runCommand(command, options, index + 1 < plan.plan.commands.length)
      if (end.kind !== 'exited' && end.kind !== 'signalled') this.#over = end
      return end
    } finally {
      this.#running = false
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over ??= { kind: 'cancelled' }
    // A runner that waits may not have been there yet when they were counted: with one, what is left behind cannot be told by their number.
    this.#ending ??= this.#end(!this.#options.box.isIdle(this.#processes))
    await this.#ending
    this.#releasing ??= this.#release()
    await this.#releasing
  }

  async #release(): Promise<void> {
    await this.#options.box.release()
    await this.#options.onGone()
  }

  async #runCommand(command: string, options: StepOptions, isFollowed: boolean): Promise<StepEnd> {
    if (options.signal.aborted) return this.#stop({ kind: 'cancelled' })
    const { box } = this.#options
    box.output.flowTo(options.onOutput)
    const runner = this.#giveToRunner(command)
    if (isFollowed) this.#wantRunner()
    const end = await this.#firstEnd(runner, options)
    const settled = end.kind === 'report' ? await this.#settle(end.report) : await this.#stop(end.end)
    await box.output.drain()
    return settled
  }

  get #lane(): Writable {
    return this.#options.box.lanes[this.#turn]
  }

  /** One for the next step, in the lane whose turn it is, or in the one that is named; it may have one already. Answers its number. */
  #wantRunner(lane: 0 | 1 = this.#turn): number {
    const waiting = this.#runners[lane]
    if (waiting !== undefined) return waiting
    this.#lastRunner += 1
    this.#runners[lane] = this.#lastRunner
    this.#options.box.lanes[lane].write(LANE_WORD.next(this.#lastRunner))
    return this.#lastRunner
  }

  /** Answers the number of the runner that is to run it, and no other. */
  #giveToRunner(command: string): number {
    const { control } = this.#options.box
    // Those that were killed while they waited.
    for (let report = control.take(); report !== undefined; report = control.take()) this.#note(report)
    const runner = this.#wantRunner()
    this.#lane.write(LANE_WORD.step(runner, command))
    this.#turn = this.#turn === 0 ? 1 : 0
    return runner
  }

  #note(report: Report): void {
    if (report.kind !== 'ended') return
    this.#processes = report.processes
    const lane = this.#runners.indexOf(report.runner)
    if (lane !== -1) this.#runners[lane] = undefined
  }

  /** Undefined: there is no supervisor any more. */
  async #endOf(runner: number): Promise<Report | undefined> {
    for (;;) {
      const report = await this.#options.box.control.next()
      if (report !== undefined) this.#note(report)
      if (report?.kind !== 'ended' || report.runner === runner) return report
    }
  }

  /** Whatever comes first: the supervisor's report, the time limit, a limit of the task, or somebody's wish. */
  async #firstEnd(
    runner: number,
    options: StepOptions,
  ): Promise<{ kind: 'report'; report: Report | undefined } | { kind: 'stop'; end: StepEnd }> {
    const { box, clock } = this.#options
    const stop = Promise.withResolvers<{ kind: 'stop'; end: StepEnd }>()
    const because = (end: StepEnd) => stop.resolve({ kind: 'stop', end })
    const onAbort = () => because({ kind: 'cancelled' })
    options.signal.addEventListener('abort', onAbort, { once: true })
    using _watch = box.limits.watch((breach) => because({ kind: 'limit', ...breach }))
    using _timer = clock.after(options.timeoutMs, () =>
      because({ kind: 'timed_out', scope: 'step', limitMs: options.timeoutMs }),
    )
    const report = this.#endOf(runner).then((report) => ({ kind: 'report' as const, report }))
    const lost = Promise.withResolvers<{ kind: 'report'; report: undefined }>()
    const looks = setInterval(() => {
      if (!box.isSupervised()) lost.resolve({ kind: 'report', report: undefined })
    }, SUPERVISED_EVERY_MS)
    try {
      return await Promise.race([stop.promise, report, lost.promise])
    } finally {
      clearInterval(looks)
      options.signal.removeEventListener('abort', onAbort)
    }
  }

  async #settle(report: Report | undefined): Promise<StepEnd> {
    const breach = await this.#options.box.limits.lookAtEnd()
    if (breach !== undefined) return this.#stop({ kind: 'limit', ...breach })
    if (report?.kind !== 'ended') {
      const end = await this.#stop({ kind: 'sandbox_died', detail: 'its supervisor was ended from inside' })
      const late = await this.#options.box.limits.look()
      return late === undefined ? end : { kind: 'limit', ...late }
    }
    const limit = limitOfStatus(report.status)
    if (limit !== undefined) return this.#stop({ kind: 'limit', limit, allowed: this.#allowed(limit) })
    return endOfStatus(report.status, report.orderly)
  }

  #allowed(limit: 'cpu' | 'file_size'): number {
    return limit === 'cpu' ? this.#options.limits.cpuSeconds : this.#options.limits.fileBytes
  }

  /** Ends the session because of `end`; settles when no process is left. */
  async #stop(end: StepEnd): Promise<StepEnd> {
    this.#over = end
    // Who passed a limit gets no grace: it would go on using what it may not.
    const gentle = end.kind === 'cancelled' || end.kind === 'timed_out'
    this.#ending ??= this.#end(gentle)
    await this.#ending
    return end
  }

  async #end(gentle: boolean): Promise<void> {
    const { box } = this.#options
    if (gentle) await this.#grace()
    box.kill()
    await box.gone()
  }

  /**
   * TERM, then at most the grace time. A second one goes only to what has become another program since the first.
   * Shorter when nothing but our own processes is left.
   */
  async #grace(): Promise<void> {
    const { box, clock, graceMs } = this.#options
    let over = false
    const passed = Promise.withResolvers<void>()
    using _timer = clock.after(graceMs, () => {
      over = true
      passed.resolve()
    })
    // A runner that waits has nothing to clean up: it ends here. A step that was sent just before may still begin after the
    // signal; KILL ends it then.
    this.#lane.write(LANE_WORD.leave)
    box.control.say('terminate')
    const emptied = (async () => {
      let answer: Promise<Report | undefined> | undefined
      for (let look = 0; !over; look += 1) {
        // The lane whose turn it is runs no step. Asked each time: the signal may have made it lose what it was reading.
        this.#lane.write(LANE_WORD.count)
        answer ??= box.control.next()
        const said = await Promise.race([answer, delay(LOOK_AFTER_MS[look] ?? LOOK_EVERY_MS, 'nothing' as const)])
        if (said === undefined) return
        if (said !== 'nothing') {
          answer = undefined
          if (said.kind === 'ready' || box.isIdle(said.processes)) return
          await delay(LOOK_AFTER_MS[look] ?? LOOK_EVERY_MS)
        }
        box.control.say('again')
      }
    })()
    await Promise.race([passed.promise, emptied, box.exited])
  }
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/** A shell tells of a signal as 128 + number. Where it could still hand on its state, it was not the one that was hit. */
function endOfStatus(status: number, orderly: boolean): StepEnd {
  const signal = SIGNAL_NAMES.get(status - 128)
  return !orderly && signal !== undefined ? { kind: 'signalled', signal } : { kind: 'exited', code: status }
}

function limitOfStatus(status: number): Extract<LimitKind, 'cpu' | 'file_size'> | undefined {
  if (status === 128 + constants.signals.SIGXCPU) return 'cpu'
  return status === 128 + constants.signals.SIGXFSZ ? 'file_size' : undefined
}
