import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { SandboxError, type SandboxTask } from '../ports/sandbox.ts'
import type { Box } from './box.ts'
import { QUIET_ENVIRONMENT, SEARCH_PATH, timeZone } from './bubblewrap-arguments.ts'
import { ControlChannel } from './control-channel.ts'
import type { DiskMeter } from './disk-meter.ts'
import { collectComplaint, isReady, type Launched, launch } from './launch.ts'
import { LimitWatch } from './limit-watch.ts'
import { OutputPipe } from './output-pipe.ts'
import { isDead, killNow, LanePair, until } from './process-tree.ts'
import { rlimitLines } from './rlimits.ts'
import { FIRST_RUNNER, LANE_WORD, RUNNER, SUPERVISOR_COMMAND, supervisorProgram, VARIABLE } from './shell-programs.ts'

export interface PlainStart {
  task: SandboxTask
  /** Path of the named pipe for what it prints. */
  pipe: string
  /** A new folder for what steps hand on. Its path is in the environment of every process of the task, and marks them. */
  state: string
  meter: DiskMeter
}

const LAUNCHER = `exec >"$1" 2>&1 || exit 97; cd "$2" || exit 97; exec /bin/sh -c '${SUPERVISOR_COMMAND}'`
/** The supervisor, the terminator, two lanes. */
const IDLE_PROCESSES = 4

/** A process group instead of a sandbox. Throws SandboxError when not even that starts. */
export async function startPlain(start: PlainStart): Promise<Box> {
  const output = new OutputPipe(start.pipe)
  const complaint = collectComplaint(output)
  const launched = launch({
    file: '/bin/sh',
    parameters: ['-c', LAUNCHER, 'sh', start.pipe, start.task.directory],
    environment: environmentOf(start),
    isLeader: true,
  })
  const box = new PlainBox(start, launched, output)
  box.lanes[0].write(LANE_WORD.next(FIRST_RUNNER))
  if (await isReady(box.control, output)) {
    box.remember()
    return box
  }
  box.kill()
  await box.gone()
  await box.release()
  throw new SandboxError('sandbox_start', `the commands' shell did not start: ${complaint.text()}`)
}

class PlainBox implements Box {
  readonly control: ControlChannel
  readonly output: OutputPipe
  readonly lanes: readonly [Writable, Writable]
  readonly exited: Promise<void>
  readonly limits: LimitWatch
  readonly #pid: number
  readonly #state: string
  #pair: LanePair | undefined

  constructor({ task, state, meter }: PlainStart, launched: Launched, output: OutputPipe) {
    this.control = new ControlChannel(launched.control)
    this.lanes = launched.lanes
    this.output = output
    this.exited = launched.exited
    this.limits = new LimitWatch({
      limits: task.limits,
      folder: task.directory,
      group: undefined,
      sums: undefined,
      meter,
    })
    this.#pid = launched.pid
    this.#state = state
  }

  /** Called when both lanes have been started. */
  remember(): void {
    this.#pair = new LanePair(this.#pid)
  }

  /** What the supervisor counts is everyone on the machine. */
  isIdle(): boolean {
    return marked(this.#state).length <= IDLE_PROCESSES
  }

  isSupervised(): boolean {
    return this.#pair?.areThere() ?? true
  }

  isThere(): boolean {
    return !isDead(this.#pid)
  }

  kill(): void {
    // The group of the leader that we have not waited for: its number cannot be anyone else's.
    if (!isDead(this.#pid)) killNow(-this.#pid)
    endMarked(this.#state)
  }

  async gone(): Promise<void> {
    await this.exited
    // A process may have been on its way to becoming two.
    await until(() => endMarked(this.#state) === 0)
  }

  async release(): Promise<void> {
    for (const lane of this.lanes) lane.destroy()
    this.control.close()
    this.output[Symbol.dispose]()
  }
}

/** Ends every process that carries the mark, also those that left the process group; answers how many there were. */
export function endMarked(state: string): number {
  const pids = marked(state)
  for (const pid of pids) killNow(pid)
  return pids.length
}

/** A process that wiped its environment and left its group is not found: that is what a sandbox is for. */
function marked(state: string): number[] {
  const mark = `${VARIABLE.state}=${state}`
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => environmentText(pid).includes(mark) && !isDead(pid))
}

function environmentText(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    // Gone, or another user's.
    return ''
  }
}

function environmentOf({ task, state }: PlainStart): Record<string, string> {
  return {
    ...task.environment,
    ...QUIET_ENVIRONMENT,
    PATH: SEARCH_PATH,
    HOME: task.directory,
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    TZ: timeZone(),
    TMPDIR: '/tmp',
    [VARIABLE.state]: join(state, 'shell-state'),
    [VARIABLE.runner]: RUNNER,
    [VARIABLE.supervisor]: supervisorProgram({
      rlimits: rlimitLines(task.limits, 'none'),
      reach: 'process group',
      hasNetwork: false,
    }),
  }
}
