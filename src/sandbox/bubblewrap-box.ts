import { chownSync, existsSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { SandboxError, type SandboxTask } from '../ports/sandbox.ts'
import type { Box } from './box.ts'
import { bubblewrapArguments } from './bubblewrap-arguments.ts'
import { ControlChannel } from './control-channel.ts'
import type { DiskMeter } from './disk-meter.ts'
import { collectComplaint, isReady, type Launched } from './launch.ts'
import type { Launcher } from './launchers.ts'
import { LimitWatch } from './limit-watch.ts'
import { OutputPipe } from './output-pipe.ts'
import { ProcessSums, SUMMED_LIMITS, type SummedLimit } from './process-sums.ts'
import { childrenOf, isDead, killNow, LanePair, until } from './process-tree.ts'
import { rlimitLines } from './rlimits.ts'
import { FIRST_RUNNER, LANE_WORD } from './shell-programs.ts'
import { HANDOVER } from './starter-program.ts'
import type { TaskGroup } from './task-group.ts'

export interface BoxStart {
  task: SandboxTask
  owner: { uid: number; gid: number } | null
  launcher: Launcher
  hasFilter: boolean
  meter: DiskMeter
  /** Folder with the proxy's socket; null: no network at all. */
  network: string | null
}

/** bwrap's first process inside, the supervisor, the terminator, two lanes. */
const IDLE_PROCESSES = 5
/** The launcher binds the task's folder to one of these in a mount namespace of its own: the task's uid may not enter the folders above it. */
const MOUNT_POINTS = ['/mnt', '/media', '/srv', '/opt', '/tmp'] as const

/** Starts the sandbox of a task; settles when its supervisor is ready. Throws SandboxError with what bwrap complained about. */
export async function startBubblewrap(start: BoxStart): Promise<Box> {
  const { task, meter, owner, network, launcher } = start
  const { group, pipe, launched } = launcher
  const points = owner === null ? null : choosePoints([task.directory, network ?? '/'])
  group?.limit(task.limits)
  if (owner !== null) chownSync(pipe, owner.uid, owner.gid)
  const output = new OutputPipe(pipe)
  const complaint = collectComplaint(output)
  const counted: ReadonlySet<SummedLimit> = group?.counts ?? new Set()
  const missing = new Set(SUMMED_LIMITS.filter((limit) => !counted.has(limit)))
  const sums = new ProcessSums(task.limits, missing, () => box.firstInside)
  const limits = new LimitWatch({ limits: task.limits, folder: task.directory, group, sums, meter })
  const box: BubblewrapBox = new BubblewrapBox({ launched, output, limits, group, hasNetwork: network !== null })
  handOver(start, points)
  box.lanes[0].write(LANE_WORD.next(FIRST_RUNNER))
  const hasStarted = await isReady(box.control, output)
  if (hasStarted) {
    box.remember()
    return box
  }
  box.kill()
  await box.gone()
  await box.release()
  throw new SandboxError('sandbox_start', `the sandbox did not start: ${complaint.text() || 'it ended without a word'}`)
}

interface BoxParts {
  launched: Launched
  output: OutputPipe
  limits: LimitWatch
  group: TaskGroup | undefined
  hasNetwork: boolean
}

class BubblewrapBox implements Box {
  readonly control: ControlChannel
  readonly output: OutputPipe
  readonly lanes: readonly [Writable, Writable]
  readonly exited: Promise<void>
  readonly limits: LimitWatch
  readonly #launched: Launched
  readonly #group: TaskGroup | undefined
  readonly #hasNetwork: boolean
  /** Process id of the first process of the namespace, once it is ready. */
  firstInside: number | undefined
  #pair: LanePair | undefined

  constructor({ launched, output, limits, group, hasNetwork }: BoxParts) {
    this.#hasNetwork = hasNetwork
    this.control = new ControlChannel(launched.control)
    this.limits = limits
    this.#group = group
    this.lanes = launched.lanes
    this.output = output
    this.exited = launched.exited
    this.#launched = launched
  }

  /** Called once it is ready, while bwrap surely has its one child. */
  remember(): void {
    this.firstInside = childrenOf(this.#launched.pid)[0]
    const supervisor = this.firstInside === undefined ? undefined : childrenOf(this.firstInside)[0]
    if (supervisor !== undefined) this.#pair = new LanePair(supervisor)
  }

  isIdle(processes: number): boolean {
    return processes <= IDLE_PROCESSES + (this.#hasNetwork ? 1 : 0)
  }

  isSupervised(): boolean {
    return this.#pair?.areThere() ?? true
  }

  isThere(): boolean {
    return !isDead(this.#launched.pid)
  }

  kill(): void {
    if (this.#group?.kill()) return
    // The first process inside takes all others with it, and bwrap ends only after having waited for it.
    const inside = this.firstInside ?? childrenOf(this.#launched.pid)[0]
    if (inside !== undefined && !isDead(inside)) killNow(inside)
    else this.#launched.kill()
  }

  async gone(): Promise<void> {
    await this.exited
    const inside = this.firstInside
    if (inside !== undefined) await until(() => isDead(inside))
    await this.#group?.gone()
  }

  async release(): Promise<void> {
    for (const lane of this.lanes) lane.destroy()
    this.control.close()
    this.output[Symbol.dispose]()
  }
}

interface Points {
  task: string
  network: string
}

/** Two places that hide neither of the folders which are to be shown through them. */
function choosePoints(folders: readonly string[]): Points {
  const [task, network] = MOUNT_POINTS.filter(
    (point) => existsSync(point) && !folders.some((folder) => folder === point || folder.startsWith(`${point}/`)),
  )
  if (task === undefined || network === undefined) {
    throw new SandboxError(
      'mount_point',
      `two of these empty folders are needed: ${MOUNT_POINTS.join(' ')}. Make them.`,
    )
  }
  return { task, network }
}

function handOver(start: BoxStart, points: Points | null): void {
  const { owner, launcher, task, network } = start
  const args = Buffer.from(
    argumentsOf(start, points)
      .map((word) => `${word}\0`)
      .join(''),
  )
  const words: Record<(typeof HANDOVER)[number], string> = {
    pipe: launcher.pipe,
    folder: task.directory,
    uid: owner === null ? '' : String(owner.uid),
    point: points?.task ?? '',
    network: points === null ? '' : (network ?? ''),
    networkPoint: points?.network ?? '',
    argumentBytes: String(args.length),
  }
  launcher.launched.control.write(HANDOVER.map((name) => `${words[name]}\0`).join(''))
  launcher.launched.control.write(args)
}

function argumentsOf(start: BoxStart, points: Points | null): string[] {
  return bubblewrapArguments({
    source: points?.task ?? start.task.directory,
    network: start.network === null ? null : (points?.network ?? start.network),
    scratchBytes: start.task.limits.scratchBytes,
    environment: start.task.environment,
    rlimits: rlimitLines(start.task.limits, start.launcher.group?.counts ?? new Set()),
    hasFilter: start.hasFilter,
  })
}
