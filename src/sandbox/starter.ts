import { createServer, type Server, Socket } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import { execa } from 'execa'
import { SandboxError } from '../ports/sandbox.ts'
import type { Launched } from './launch.ts'
import { listenIn } from './listen-in.ts'
import { isDead, killNow, until } from './process-tree.ts'
import { programPath } from './programs.ts'
import { SUPERVISOR_COMMAND, SUPERVISOR_PATH } from './shell-programs.ts'
import { CHANNELS, MEETING_POINT, STARTER, STARTER_POWERS, SYSTEM_CALLS } from './starter-program.ts'

export interface StarterOptions {
  /** Ours alone; the kit is in its subfolder `kit`. */
  folder: string
  /** Whether launchers get mounts, and their tasks a uid, of their own. */
  isRoot: boolean
  /** Called once: it starts nothing any more. */
  onGone(): void
}

const MAX_COMPLAINT_BYTES = 4096

/** Starts launchers without copying this process, which grows large: see STARTER. One that ends takes all its launchers with it. */
export class Starter implements AsyncDisposable {
  readonly #server: Server
  readonly #requests: Writable
  readonly #handles: readonly { ref(): void; unref(): void }[]
  readonly #gone: Promise<void>
  readonly #tell: () => void
  /** Who waits for a launcher, and what has come of it: the starter makes one after the other. */
  readonly #waiting: { resolve(launched: Launched): void; reject(error: SandboxError): void }[] = []
  readonly #channels: Socket[] = []
  readonly #pids: number[] = []
  /** Of launchers that are not known to be dead. */
  readonly #live = new Set<Duplex>()
  #complaint = ''
  #isEnding = false
  #isGone = false

  /** Throws SandboxError when there is a program missing. */
  static async open(options: StarterOptions): Promise<Starter> {
    const server = createServer()
    await listenIn(options.folder, MEETING_POINT, server)
    try {
      return new Starter(server, options)
    } catch (error) {
      server.close()
      throw error
    }
  }

  private constructor(server: Server, { folder, isRoot, onGone }: StarterOptions) {
    const [file = '', ...parameters] = [
      ...(isRoot ? rootsWay() : []),
      ...[programPath('perl'), '-e', STARTER, programPath('bwrap'), SUPERVISOR_PATH, SUPERVISOR_COMMAND],
      ...(isRoot ? systemCalls() : []),
    ]
    // In a session of its own: Ctrl-C at the terminal is for the program, which ends its tasks in its own way.
    const subprocess = execa(file, parameters, {
      cwd: folder,
      env: {},
      extendEnv: false,
      stdio: 'pipe',
      buffer: false,
      reject: false,
      cleanup: false,
      detached: true,
    })
    const { nodeChildProcess: child, stdin, stdout, stderr } = subprocess
    this.#server = server
    this.#tell = onGone
    this.#requests = stdin
    this.#gone = new Promise((resolve) => {
      for (const event of ['exit', 'error']) child.once(event, () => resolve(this.#onGone()))
    })
    this.#handles = [child, server, ...[stdin, stdout, stderr].filter((stream) => stream instanceof Socket)]
    server.on('connection', (channel) => this.#connected(channel))
    stdin.on('error', () => undefined)
    this.#hear(stdout, stderr)
    this.#hold()
  }

  /** One more, in the cgroups whose `cgroup.procs` these are; it holds the program, until told otherwise. Throws SandboxError. */
  start(entrances: readonly string[]): Promise<Launched> {
    if (this.#isGone) return Promise.reject(this.#lost())
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#hold()
      this.#requests.write([entrances.length, ...entrances].map((word) => `${word}\0`).join(''))
    })
  }

  /** Ends it, and whatever it has started. May be called twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    this.#hold()
    this.#requests.end()
    await this.#gone
  }

  #hear(answers: Readable, complaints: Readable): void {
    let pending = ''
    answers.setEncoding('latin1').on('data', (text: string) => {
      const words = (pending + text).split('\0')
      pending = words.pop() ?? ''
      this.#pids.push(...words.map(Number))
      this.#match()
    })
    complaints.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(0, MAX_COMPLAINT_BYTES)
    })
  }

  #connected(channel: Socket): void {
    // The other side may be gone at any time; that is told by its end.
    channel.on('error', () => undefined)
    this.#channels.push(channel)
    this.#match()
  }

  #match(): void {
    while (this.#pids.length > 0 && this.#channels.length >= CHANNELS) {
      const pid = this.#pids.shift() ?? 0
      const channels = this.#channels.splice(0, CHANNELS)
      const waiting = this.#waiting.shift()
      if (pid > 0) {
        waiting?.resolve(this.#launched(pid, channels))
        continue
      }
      for (const channel of channels) channel.destroy()
      waiting?.reject(new SandboxError('sandbox_start', 'no process can be started: there are too many'))
    }
    this.#hold()
  }

  /** Nobody but the starter waits for its children, and it does when it is told: until then the number is this one's. */
  #launched(pid: number, channels: readonly Socket[]): Launched {
    const [control, first, second] = channels
    if (control === undefined || first === undefined || second === undefined) throw new Error('a channel is missing')
    this.#live.add(control)
    const closed = new Promise<void>((resolve) => control.once('close', () => resolve()))
    // Nothing is said before its supervisor is there; that it ends is heard.
    control.resume()
    const exited = closed.then(async () => {
      await until(() => this.#isGone || isDead(pid))
      this.#live.delete(control)
      if (!this.#isGone) this.#requests.write(`reap\0${pid}\0`)
    })
    return {
      pid,
      control,
      lanes: [first, second],
      exited,
      hold: (isHeld) => {
        for (const channel of channels) isHeld ? channel.ref() : channel.unref()
      },
      kill: () => {
        if (this.#live.has(control) && !this.#isGone) killNow(pid)
      },
    }
  }

  /** Keeps the program alive only while somebody waits. */
  #hold(): void {
    const isHeld = this.#waiting.length > 0 || this.#isEnding
    for (const handle of this.#handles) isHeld ? handle.ref() : handle.unref()
  }

  #onGone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#tell()
    this.#server.close()
    for (const control of this.#live) control.destroy()
    for (const { reject } of this.#waiting.splice(0)) reject(this.#lost())
  }

  #lost(): SandboxError {
    return new SandboxError(
      'sandbox_start',
      `what starts sandboxes has ended: ${this.#complaint.trim() || 'without a word'}`,
    )
  }
}

/** Few powers for itself, none for whoever it becomes. */
function rootsWay(): string[] {
  const bounds = ['-all', ...STARTER_POWERS.map((power) => `+${power}`)].join(',')
  return [programPath('setpriv'), '--no-new-privs', '--inh-caps=-all', `--bounding-set=${bounds}`]
}

function systemCalls(): string[] {
  const numbers = SYSTEM_CALLS[process.arch]
  if (numbers === undefined) {
    throw new SandboxError(
      'sandbox_start',
      `the system calls of ${process.arch} are not known: run it as an ordinary user`,
    )
  }
  return [String(numbers.unshare), String(numbers.mount)]
}
