/**
 * No sandbox at all, for the operator who wrote `ASSISTANT_SANDBOX=none`: commands run as the program's own user, see everything it
 * sees, and may do whatever it may. Only the order of things is kept: steps, state, output, time limits, an end for every process.
 */
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApprovedPlan } from '../core/approval.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { EmptySandbox, Sandbox, SandboxReport, SandboxSession, SandboxTask } from '../ports/sandbox.ts'
import { DiskMeter } from './disk-meter.ts'
import { emptySandbox } from './empty-sandbox.ts'
import { endMarked, startPlain } from './plain-box.ts'
import { ProgramFolder } from './program-folder.ts'
import { TaskSession } from './task-session.ts'

export interface UnsandboxedOptions {
  logger: Logger
  clock: Clock
  stateDirectory: string
  slots: number
  graceMs: number
}

export function createUnsandboxed(options: UnsandboxedOptions): Sandbox {
  return new Unsandboxed(options)
}

const REPORT: SandboxReport = {
  kind: 'none',
  strength: 'none',
  givesNetwork: true,
  layers: [
    {
      name: 'sandbox',
      on: false,
      fix: 'Commands run unprotected, as the program itself. Remove ASSISTANT_SANDBOX=none.',
    },
  ],
}

class Unsandboxed implements Sandbox {
  readonly #options: UnsandboxedOptions
  readonly #folder: ProgramFolder
  readonly #meter = new DiskMeter()

  constructor(options: UnsandboxedOptions) {
    this.#options = options
    this.#folder = new ProgramFolder(options.stateDirectory, [])
    options.logger.warn({}, 'THERE IS NO SANDBOX: commands run as this program and may do whatever it may')
  }

  owner(): null {
    return null
  }

  check(): Promise<SandboxReport> {
    return Promise.resolve(REPORT)
  }

  async open(task: SandboxTask, plan: ApprovedPlan): Promise<SandboxSession> {
    const { clock, graceMs, logger, slots } = this.#options
    logger.warn({ taskId: task.taskId }, `[TASK ${task.taskId}] runs WITHOUT a sandbox`)
    const pipe = await this.#folder.take(slots)
    const state = await mkdtemp(join(this.#folder.path, 'state-'))
    mkdirSync(join(state, 'shell-state'))
    const giveBack = async () => {
      this.#folder.giveBack(pipe)
      await rm(state, { recursive: true, force: true })
    }
    try {
      const box = await startPlain({ task, pipe, state, meter: this.#meter })
      return new TaskSession({ box, clock, graceMs, limits: task.limits, onGone: giveBack }).prepare(plan)
    } catch (error) {
      await giveBack()
      throw error
    }
  }

  /** Nothing is started ahead, not even a shell: who has no walls waits for the plan. */
  start(task: SandboxTask): EmptySandbox {
    return emptySandbox({ starting: null, openAnew: (plan) => this.open(task, plan) })
  }

  prepare(): void {
    // A shell is started quickly.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing was started ahead.
  }

  async sweep(): Promise<void> {
    for (const state of this.#folder.leftoverStates()) endMarked(state)
    this.#folder.removeLeftovers()
  }
}
