import type { ApprovedPlan } from '../core/approval.ts'
import type { NetworkRequest } from '../core/plan.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { EmptySandbox, Sandbox, SandboxReport, SandboxSession, SandboxTask } from '../ports/sandbox.ts'
import { startBubblewrap } from './bubblewrap-box.ts'
import { checkBubblewrap, type Opened, TASK_ID } from './check.ts'
import { DiskMeter } from './disk-meter.ts'
import { emptySandbox } from './empty-sandbox.ts'
import { Launchers } from './launchers.ts'
import { type NetworkOptions, NetworkProxy } from './network-proxy.ts'
import { ProgramFolder } from './program-folder.ts'
import { programPath } from './programs.ts'
import { seccompFilter } from './seccomp.ts'
import { TaskGroups } from './task-groups.ts'
import { taskOwner } from './task-owner.ts'
import { TaskSession } from './task-session.ts'

export interface BubblewrapOptions {
  logger: Logger
  clock: Clock
  /** For small files of ours; mode 0700, outside tasks/. */
  stateDirectory: string
  /** How many tasks run at once, usually. More work too; they start a little slower. */
  slots: number
  /** Between TERM and KILL. */
  graceMs: number
  /** For tasks whose approved plan asks for the network; by default the hosts that the plan names. */
  network?: NetworkOptions
}

export function createBubblewrapSandbox(options: BubblewrapOptions): Sandbox {
  return new BubblewrapSandbox(options)
}

class BubblewrapSandbox implements Sandbox {
  readonly #options: BubblewrapOptions
  readonly #groups: TaskGroups
  readonly #meter = new DiskMeter()
  readonly #folder: ProgramFolder
  readonly #launchers: Launchers
  #report: Promise<SandboxReport> | undefined

  constructor(options: BubblewrapOptions) {
    this.#options = options
    this.#groups = new TaskGroups(options.stateDirectory, options.logger)
    this.#folder = new ProgramFolder(options.stateDirectory, this.#groups.places)
    this.#launchers = new Launchers({
      folder: this.#folder,
      groups: this.#groups,
      slots: options.slots,
      isRoot: taskOwner(0) !== null,
    })
  }

  owner(taskId: number): { uid: number; gid: number } | null {
    return taskOwner(taskId)
  }

  check(): Promise<SandboxReport> {
    this.#report ??= checkBubblewrap({
      owner: this.owner(TASK_ID),
      directory: this.#options.stateDirectory,
      meter: this.#meter,
      open: (task, plan) => this.#open(task, plan.plan.network),
    })
    return this.#report
  }

  async open(task: SandboxTask, plan: ApprovedPlan): Promise<SandboxSession> {
    const { session } = await this.#open(task, plan.plan.network)
    return session.prepare(plan)
  }

  start(task: SandboxTask): EmptySandbox {
    const starting = this.#open(task, null).then(({ session }) => session)
    return emptySandbox({ starting, openAnew: (plan) => this.open(task, plan) })
  }

  async #open(task: SandboxTask, request: NetworkRequest | null): Promise<Opened> {
    const { clock, graceMs } = this.#options
    const held = new AsyncDisposableStack()
    try {
      const launcher = await this.#launchers.take()
      held.defer(() => launcher.release())
      const proxy = request === null ? null : held.use(await this.#openNetwork(task, request, launcher.pipe))
      const box = await startBubblewrap({
        task,
        owner: this.owner(task.taskId),
        launcher,
        hasFilter: seccompFilter(process.arch) !== undefined,
        meter: this.#meter,
        network: proxy?.folder ?? null,
      })
      const session = new TaskSession({ box, clock, graceMs, limits: task.limits, onGone: () => held.disposeAsync() })
      return { session, group: launcher.group }
    } catch (error) {
      await held.disposeAsync()
      throw error
    }
  }

  prepare(): void {
    this.#launchers.prepare()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#launchers[Symbol.asyncDispose]()
  }

  #openNetwork(task: SandboxTask, request: NetworkRequest, pipe: string): Promise<NetworkProxy> {
    programPath('socat')
    const { network = { allowedHosts: null }, logger } = this.#options
    const folder = `${pipe}-network`
    return NetworkProxy.start({ ...network, logger, folder, taskId: task.taskId, planHosts: request.hosts })
  }

  async sweep(): Promise<void> {
    this.#groups.sweep(this.#folder.leftoverPlaces())
    this.#folder.removeLeftovers()
  }
}
