import { chownSync, existsSync, writeFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { SandboxError, type SandboxTask } from '../ports/sandbox.ts'
import type { Box } from './box.ts'
import { bubblewrapArguments } from './bubblewrap-arguments.ts'
import { ControlChannel } from './control-channel.ts'
import type { DiskMeter } from './disk-meter.ts'
import { collectComplaint, isReady, type Launched, launch } from './launch.ts'
import { LimitWatch } from './limit-watch.ts'
import { OutputPipe } from './output-pipe.ts'
import { childrenOf, isDead, killNow, until } from './process-tree.ts'
import type { PipePlace, ProgramFolder } from './program-folder.ts'
import { programPath } from './programs.ts'
import { rlimitLines } from './rlimits.ts'
import { BUBBLEWRAP_LAUNCHER, SUPERVISOR_PATH } from './shell-programs.ts'
import type { TaskGroup } from './task-group.ts'

export interface BoxStart {
  task: SandboxTask
  owner: { uid: number; gid: number } | null
  folder: ProgramFolder
  place: PipePlace
  hasFilter: boolean
  group: TaskGroup | undefined
  meter: DiskMeter
  /** Folder with the proxy's socket; null: no network at all. */
  network: string | null
}

/** bwrap's first process inside, the supervisor, the terminator. */
const IDLE_PROCESSES = 3
/** The launcher binds the task's folder to one of these in a mount namespace of its own: the task's uid may not enter the folders above it. */
const MOUNT_POINTS = ['/mnt', '/media', '/srv', '/opt', '/tmp'] as const

/** Starts the sandbox of a task; settles when its supervisor is ready. Throws SandboxError with what bwrap complained about. */
export async function startBubblewrap(start: BoxStart): Promise<Box> {
  const points = start.owner === null ? null : choosePoints([start.task.directory, start.network ?? '/'])
  writeArguments(start, points)
  if (start.owner !== null) chownSync(start.place.pipe, start.owner.uid, start.owner.gid)
  const output = new OutputPipe(start.place.pipe)
  const complaint = collectComplaint(output)
  const { task, meter, group } = start
  const limits = new LimitWatch({ limits: task.limits, folder: task.directory, group, meter })
  const box = new BubblewrapBox({
    launched: launchBubblewrap(start, points),
    output,
    limits,
    group,
    hasNetwork: start.network !== null,
  })
  if (await isReady(box.control, output)) {
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
  readonly terminator: Writable
  readonly exited: Promise<void>
  readonly limits: LimitWatch
  readonly #pid: number
  readonly #group: TaskGroup | undefined
  readonly #hasNetwork: boolean
  #firstInside: number | undefined

  constructor({ launched, output, limits, group, hasNetwork }: BoxParts) {
    this.#hasNetwork = hasNetwork
    this.control = new ControlChannel(launched.control)
    this.limits = limits
    this.#group = group
    this.terminator = launched.terminator
    this.output = output
    this.exited = launched.exited
    this.#pid = launched.pid
  }

  /** Called once it is ready, while bwrap surely has its one child. */
  remember(): void {
    this.#firstInside = childrenOf(this.#pid)[0]
  }

  isIdle(processes: number): boolean {
    return processes <= IDLE_PROCESSES + (this.#hasNetwork ? 1 : 0)
  }

  kill(): void {
    if (this.#group?.kill()) return
    // The first process inside takes all others with it, and bwrap ends only after having waited for it.
    const inside = this.#firstInside ?? childrenOf(this.#pid)[0]
    killNow(inside !== undefined && !isDead(inside) ? inside : this.#pid)
  }

  async gone(): Promise<void> {
    await this.exited
    const inside = this.#firstInside
    if (inside !== undefined) await until(() => isDead(inside))
    await this.#group?.gone()
  }

  async release(): Promise<void> {
    this.terminator.destroy()
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

function launchBubblewrap(start: BoxStart, points: Points | null): Launched {
  const uid = start.owner === null ? '-' : String(start.owner.uid)
  const { place, folder, task, group, network } = start
  const paths = [
    place.pipe,
    place.arguments,
    folder.kit,
    task.directory,
    uid,
    points?.task ?? '-',
    programPath('bwrap'),
  ]
  const entrances = group?.entrances ?? []
  const proxy = points === null || network === null ? ['-', '-'] : [network, points.network]
  const parameters = ['-c', BUBBLEWRAP_LAUNCHER, 'sh', ...paths, SUPERVISOR_PATH, ...proxy, ...entrances]
  if (points === null) return launch({ file: '/bin/sh', parameters })
  return launch({ file: programPath('unshare'), parameters: ['--mount', '/bin/sh', ...parameters] })
}

function writeArguments(start: BoxStart, points: Points | null): void {
  const words = bubblewrapArguments({
    source: points?.task ?? start.task.directory,
    network: start.network === null ? null : (points?.network ?? start.network),
    scratchBytes: start.task.limits.scratchBytes,
    environment: start.task.environment,
    rlimits: rlimitLines(start.task.limits, start.group === undefined ? 'namespace' : 'group'),
    hasFilter: start.hasFilter,
  })
  writeFileSync(start.place.arguments, `${words.join('\0')}\0`, { mode: 0o600 })
}
