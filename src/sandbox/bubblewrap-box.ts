import { chownSync, existsSync, writeFileSync } from 'node:fs'
import { Duplex, type Writable } from 'node:stream'
import { execa } from 'execa'
import { SandboxError, type SandboxTask } from '../ports/sandbox.ts'
import type { Box } from './box.ts'
import { bubblewrapArguments } from './bubblewrap-arguments.ts'
import { ControlChannel } from './control-channel.ts'
import type { DiskMeter } from './disk-meter.ts'
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
const MAX_COMPLAINT_BYTES = 4096
/** The launcher binds the task's folder to one of these in a mount namespace of its own: the task's uid may not enter the folders above it. */
const MOUNT_POINTS = ['/mnt', '/media', '/srv', '/opt', '/tmp'] as const

/** Starts the sandbox of a task; settles when its supervisor is ready. Throws SandboxError with what bwrap complained about. */
export async function startBubblewrap(start: BoxStart): Promise<Box> {
  const point = start.owner === null ? null : (MOUNT_POINTS.find((path) => existsSync(path)) ?? '/tmp')
  writeArguments(start, point)
  if (start.owner !== null) chownSync(start.place.pipe, start.owner.uid, start.owner.gid)
  const output = new OutputPipe(start.place.pipe)
  const complaint = collect(output)
  const { process: child, exited } = spawnLauncher(start, point)
  const { task, meter, group } = start
  const limits = new LimitWatch({ limits: task.limits, folder: task.directory, group, meter })
  const box = new BubblewrapBox({ child, exited, output, limits, group })
  const report = await box.control.next()
  await output.drain()
  if (report?.kind !== 'ready') {
    box.kill()
    await box.gone()
    await box.release()
    throw new SandboxError(
      'sandbox_start',
      `the sandbox did not start: ${complaint.text() || 'it ended without a word'}`,
    )
  }
  box.remember()
  return box
}

interface BoxParts {
  child: LauncherProcess
  exited: Promise<void>
  output: OutputPipe
  limits: LimitWatch
  group: TaskGroup | undefined
}

class BubblewrapBox implements Box {
  readonly control: ControlChannel
  readonly output: OutputPipe
  readonly terminator: Writable
  readonly idleProcesses = IDLE_PROCESSES
  readonly exited: Promise<void>
  readonly limits: LimitWatch
  readonly #pid: number
  readonly #group: TaskGroup | undefined
  #firstInside: number | undefined

  constructor({ child, exited, output, limits, group }: BoxParts) {
    this.control = new ControlChannel(child.control)
    this.limits = limits
    this.#group = group
    this.terminator = child.terminator
    this.output = output
    this.exited = exited
    this.#pid = child.pid
  }

  /** Called once it is ready, while bwrap surely has its one child. */
  remember(): void {
    this.#firstInside = childrenOf(this.#pid)[0]
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

interface LauncherProcess {
  pid: number
  control: Duplex
  terminator: Writable
}

/**
 * Spawned by this thread, the main one: --die-with-parent follows the thread, not the process.
 * Nothing of execa's own buffering, time limits or stream waiting is used: a grandchild that holds a pipe must not hold us.
 */
function spawnLauncher(start: BoxStart, point: string | null): { process: LauncherProcess; exited: Promise<void> } {
  const uid = start.owner === null ? '-' : String(start.owner.uid)
  const { place, folder, task } = start
  const parameters = [
    place.pipe,
    place.arguments,
    folder.kit,
    task.directory,
    uid,
    point ?? '-',
    programPath('bwrap'),
    SUPERVISOR_PATH,
  ]
  const shell = ['/bin/sh', '-c', BUBBLEWRAP_LAUNCHER, 'sh', ...parameters, ...(start.group?.entrances ?? [])]
  const [file = '', ...rest] = point === null ? shell : [programPath('unshare'), '--mount', ...shell]
  const subprocess = execa(file, rest, {
    cwd: '/',
    env: {},
    extendEnv: false,
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    buffer: false,
    reject: false,
    cleanup: false,
    stripFinalNewline: false,
  })
  const child = subprocess.nodeChildProcess
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const control = child.stdio[3]
  if (!(control instanceof Duplex) || child.stdin === null || child.pid === undefined) {
    throw new SandboxError('sandbox_start', `cannot start ${file}`)
  }
  // The other side may be gone at any time; that is told by its exit.
  child.stdin.on('error', () => undefined)
  return { process: { pid: child.pid, control, terminator: child.stdin }, exited }
}

function writeArguments(start: BoxStart, point: string | null): void {
  const words = bubblewrapArguments({
    source: point ?? start.task.directory,
    scratchBytes: start.task.limits.scratchBytes,
    environment: start.task.environment,
    rlimits: rlimitLines(start.task.limits, start.group !== undefined),
    hasFilter: start.hasFilter,
  })
  writeFileSync(start.place.arguments, `${words.join('\0')}\0`, { mode: 0o600 })
}

/** What is printed before there is a supervisor comes from the launcher or bwrap. */
function collect(output: OutputPipe): { text(): string } {
  let text = ''
  output.flowTo((chunk) => {
    if (text.length < MAX_COMPLAINT_BYTES) text += chunk.toString()
  })
  return { text: () => text.trim().slice(0, MAX_COMPLAINT_BYTES) }
}
