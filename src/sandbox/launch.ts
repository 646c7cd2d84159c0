import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { execa } from 'execa'
import { SandboxError } from '../ports/sandbox.ts'
import type { ControlChannel } from './control-channel.ts'
import type { OutputPipe } from './output-pipe.ts'

/** The outermost process of a task, and the sockets to it and to those inside. */
export interface Launched {
  pid: number
  /** Reports come by it; what is said by it is for the terminator. */
  control: Duplex
  /** To the two lanes inside and their runners, which say nothing there. */
  lanes: readonly [Duplex, Duplex]
  /** Settles when this process is gone. */
  exited: Promise<void>
  /** Whether the program stays alive for this process; it does, until told otherwise. */
  hold(isHeld: boolean): void
  /** KILL to this process; nothing once it has been waited for, when its number may be another's. */
  kill(): void
}

export interface LaunchOptions {
  file: string
  parameters: readonly string[]
  environment?: Readonly<Record<string, string>>
  /** In a session and process group of its own. */
  isLeader?: boolean
}

const MAX_COMPLAINT_BYTES = 4096

/**
 * Nothing of execa's own buffering, time limits or stream waiting is used: a grandchild that holds a pipe must not hold us.
 */
export function launch({ file, parameters, environment = {}, isLeader = false }: LaunchOptions): Launched {
  const subprocess = execa(file, parameters, {
    cwd: '/',
    env: environment,
    extendEnv: false,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    buffer: false,
    reject: false,
    cleanup: false,
    stripFinalNewline: false,
    detached: isLeader,
  })
  const child = subprocess.nodeChildProcess
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const { pid } = child
  const [control, first, second] = child.stdio.slice(3).map((stream) => (stream instanceof Duplex ? stream : undefined))
  if (pid === undefined || !control || !first || !second) {
    throw new SandboxError('sandbox_start', `cannot start ${file}`)
  }
  const streams = [control, first, second]
  // The other side may be gone at any time; that is told by its exit.
  for (const stream of streams) stream.on('error', () => undefined)
  const sockets = streams.filter((stream) => stream instanceof Socket)
  const hold = (isHeld: boolean) => {
    for (const handle of [child, ...sockets]) isHeld ? handle.ref() : handle.unref()
  }
  const kill = () => child.kill('SIGKILL')
  return { pid, control, lanes: [first, second], exited, hold, kill }
}

/** Keeps the beginning of what is printed before there is a supervisor: it comes from the launcher or bwrap. */
export function collectComplaint(output: OutputPipe): { text(): string } {
  let text = ''
  output.flowTo((chunk) => {
    if (text.length < MAX_COMPLAINT_BYTES) text += chunk.toString()
  })
  return { text: () => text.trim().slice(0, MAX_COMPLAINT_BYTES) }
}

/** The supervisor's first words. False: it never came up. */
export async function isReady(control: ControlChannel, output: OutputPipe): Promise<boolean> {
  const report = await control.next()
  await output.drain()
  return report?.kind === 'ready'
}
