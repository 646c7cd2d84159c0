/** A task to try a sandbox on: a folder, a session, and a look at what is left of it. */
import { execFile } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ApprovedPlan, allowPlan } from '../../src/core/approval.ts'
import type { StepEnd } from '../../src/core/outcome.ts'
import type { NetworkRequest } from '../../src/core/plan.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Sandbox, SandboxLimits, SandboxSession, SandboxTask } from '../../src/ports/sandbox.ts'

export const MEBIBYTE = 1024 * 1024
export const GIBIBYTE = 1024 * MEBIBYTE

export const LIMITS: SandboxLimits = {
  memoryBytes: 512 * MEBIBYTE,
  processes: 64,
  cpuSeconds: 120,
  fileBytes: 2 * GIBIBYTE,
  diskBytes: 2 * GIBIBYTE,
  openFiles: 256,
  scratchBytes: 64 * MEBIBYTE,
}

export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

export interface MemoryLogger extends Logger {
  readonly lines: { level: string; message: string; fields: object }[]
}

export function memoryLogger(): MemoryLogger {
  const lines: MemoryLogger['lines'] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, message, fields })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export function approved(commands: string[], network: NetworkRequest | null = null): ApprovedPlan {
  const plan = allowPlan({ commands, summary: '', network }, 'hash', { decision: 'allow', reasons: [], steps: [] })
  if (plan === undefined) throw new Error('not allowed')
  return plan
}

/** Of what a step prints; nobody looks at a flood. */
const MAX_KEPT_BYTES = 16 * MEBIBYTE

export interface RunResult {
  ends: StepEnd[]
  outputs: string[]
}

export interface RunOptions {
  signal?: AbortSignal
  timeoutMs?: number
  onText?: (text: string) => unknown
  network?: NetworkRequest | null
}

export interface BenchOptions {
  environment?: Record<string, string>
  limits?: Partial<SandboxLimits>
  taskId?: number
  /** Between TERM and KILL. */
  graceMs?: number
}

export interface TaskBench extends AsyncDisposable {
  sandbox: Sandbox
  logger: MemoryLogger
  /** The task's working directory on the host. */
  work: string
  task: SandboxTask
  /** Opened on first use. */
  session(): Promise<SandboxSession>
  /** From now on `session` is this one. */
  adopt(session: Promise<SandboxSession>): void
  /** Runs the commands as the steps of one plan, all of them, whatever they end with, while the session lasts. */
  run(commands: string[], options?: RunOptions): Promise<RunResult>
  /** Names in the working directory. */
  directory(): Promise<string[]>
  /** Command lines of processes of the task that are alive. */
  survivors(): string[]
  /** Ends the session, and what was started ahead of the next. */
  dispose(): Promise<void>
}

export type MakeSandbox = (options: {
  logger: Logger
  clock: Clock
  stateDirectory: string
  slots: number
  graceMs: number
}) => Sandbox

/** A task's id decides its uid, by which what is left of it is found: no two benches that are there at once may share one. */
let lastTaskId = 20_000 * (Number(process.env.VITEST_POOL_ID ?? 0) % 3) + ((process.pid * 199) % 19_000)

/** The folder lies in a home that nobody but the program may enter, as it does in earnest. */
export function taskBench(make: MakeSandbox, options: BenchOptions = {}): TaskBench {
  const root = mkdtempSync(join(tmpdir(), 'assistant-sandbox-'))
  const work = join(root, 'tasks', 'task-1', 'work')
  mkdirSync(work, { recursive: true, mode: 0o700 })
  const logger = memoryLogger()
  const { graceMs = 500 } = options
  const sandbox = make({ logger, clock: realClock, stateDirectory: join(root, 'state'), slots: 1, graceMs })
  lastTaskId += 1
  const taskId = options.taskId ?? lastTaskId
  const owner = sandbox.owner(taskId)
  if (owner !== null) chownSync(work, owner.uid, owner.gid)
  sandbox.prepare()
  const mark = `bench-${process.pid}-${taskId}`
  let opened: Promise<SandboxSession> | undefined
  const task: SandboxTask = {
    taskId,
    directory: work,
    environment: { ...options.environment, BENCH_MARK: mark },
    limits: { ...LIMITS, ...options.limits },
  }

  const session = (network: NetworkRequest | null = null) => {
    opened ??= sandbox.open(task, approved(['true'], network))
    return opened
  }

  return {
    sandbox,
    logger,
    work,
    task,
    session,
    adopt(session) {
      opened = session
    },
    async run(commands, { signal = new AbortController().signal, timeoutMs = 60_000, onText, network = null } = {}) {
      const plan = approved(commands, network)
      const running = await session(network)
      const result: RunResult = { ends: [], outputs: [] }
      for (const index of commands.keys()) {
        const chunks: Buffer[] = []
        let kept = 0
        const onOutput = (chunk: Buffer) => {
          kept += chunk.length
          if (kept < MAX_KEPT_BYTES) chunks.push(Buffer.from(chunk))
          onText?.(chunk.toString())
        }
        const end = await running.run(plan, index, { timeoutMs, signal, onOutput })
        result.ends.push(end)
        result.outputs.push(Buffer.concat(chunks).toString())
        if (end.kind !== 'exited' && end.kind !== 'signalled') break
      }
      return result
    },
    directory: () => readdir(work),
    survivors: () => processesOf(mark, owner?.uid),
    async dispose() {
      await (await opened)?.[Symbol.asyncDispose]()
      await sandbox[Symbol.asyncDispose]()
    },
    async [Symbol.asyncDispose]() {
      await (await opened?.catch(() => undefined))?.[Symbol.asyncDispose]()
      await sandbox[Symbol.asyncDispose]()
      rmSync(root, { recursive: true, force: true, maxRetries: 20 })
    },
  }
}

/** Alive, and of the task's uid or with its mark in the environment. */
export function processesOf(mark: string, uid: number | undefined): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const status = read(`/proc/${pid}/status`)
      if (/^State:\s+[ZX]/m.test(status)) return false
      if (uid !== undefined && status.includes(`\nUid:\t${uid}\t`)) return true
      return read(`/proc/${pid}/environ`).includes(`BENCH_MARK=${mark}`)
    })
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // Gone, or not for us to read.
    return ''
  }
}

/** Runs a program of test/fixtures as a user of no consequence; what it prints is JSON, a line each. */
export async function asOrdinaryUser(fixture: string) {
  const program = new URL(`../fixtures/${fixture}`, import.meta.url).pathname
  const { stdout } = await promisify(execFile)(
    'setpriv',
    ['--reuid=64321', '--regid=64321', '--clear-groups', process.execPath, program],
    { env: { TMPDIR: '/tmp', SECRET_OF_THE_PROGRAM: 'SECRET_OF_THE_PROGRAM' }, cwd: '/', maxBuffer: 16 * MEBIBYTE },
  )
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}
