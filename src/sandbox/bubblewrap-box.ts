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
}

/** bwrap's first process inside, the supervisor, the terminator. */
const IDLE_PROCESSES = 3
/** The launcher binds the task's folder to one of these in a mount namespace of its own: the task's uid may not enter the folders above it. */
const MOUNT_POINTS = ['/mnt', '/media', '/srv', '/opt', '/tmp'] as const

/** Starts the sandbox of a task; settles when its supervisor is ready. Throws SandboxError with what bwrap complained about. */
export async function startBubblewrap(start: BoxStart): Promise<Box> {
  const point = start.owner === null ? null : (MOUNT_POINTS.find((path) => existsSync(path)) ?? '/tmp')
  writeArguments(start, point)
  if (start.owner !== null) chownSync(start.place.pipe, start.owner.uid, start.owner.gid)
  const output = new OutputPipe(start.place.pipe)
  const complaint = collectComplaint(output)
  const { task, meter, group } = start
  const limits = new LimitWatch({ limits: task.limits, folder: task.directory, group, meter })
  const box = new BubblewrapBox({ launched: launchBubblewrap(start, point), output, limits, group })
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
}

class BubblewrapBox implements Box {
  readonly control: ControlChannel
  readonly output: OutputPipe
  readonly terminator: Writable
  readonly exited: Promise<void>
  readonly limits: LimitWatch
  readonly #pid: number
  readonly #group: TaskGroup | undefined
  #firstInside: number | undefined

  constructor({ launched, output, limits, group }: BoxParts) {
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
    return processes <= IDLE_PROCESSES
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
    await this.#group?.remove()
    this.terminator.destroy()
    this.control.close()
    this.output[Symbol.dispose]()
  }
}

function launchBubblewrap(start: BoxStart, point: string | null): Launched {
  const uid = start.owner === null ? '-' : String(start.owner.uid)
  const { place, folder, task, group } = start
  const paths = [place.pipe, place.arguments, folder.kit, task.directory, uid, point ?? '-', programPath('bwrap')]
  const entrances = group?.entrances ?? []
  const parameters = ['-c', BUBBLEWRAP_LAUNCHER, 'sh', ...paths, SUPERVISOR_PATH, ...entrances]
  if (point === null) return launch({ file: '/bin/sh', parameters })
  return launch({ file: programPath('unshare'), parameters: ['--mount', '/bin/sh', ...parameters] })
}

function writeArguments(start: BoxStart, point: string | null): void {
  const words = bubblewrapArguments({
    source: point ?? start.task.directory,
    scratchBytes: start.task.limits.scratchBytes,
    environment: start.task.environment,
    rlimits: rlimitLines(start.task.limits, start.group === undefined ? 'namespace' : 'group'),
    hasFilter: start.hasFilter,
  })
  writeFileSync(start.place.arguments, `${words.join('\0')}\0`, { mode: 0o600 })
}
