/** What a sandboxed task costs beside bare bwrap, a shell that is fed, and no sandbox at all: starting, a step, stopping, printing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import type { Sandbox, SandboxSession } from '../../src/ports/sandbox.ts'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { approved, LIMITS } from '../sandbox/task-bench.ts'
import type { Bench, Figure } from './figure.ts'
import { latencies, msOf, single, versus } from './measure.ts'
import { quiet, realClock, temporaryFolder } from './stand.ts'

const ROUNDS = 21
const COMMAND = 'ls'
const FIVE = [1, 2, 3, 4, 5]
const NO_ENVIRONMENT = { env: {}, extendEnv: false, cwd: '/' } as const
const PLAIN_FLAGS = [
  ...[
    '--unshare-all',
    '--unshare-user',
    '--disable-userns',
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
    '--clearenv',
  ],
  ...[
    '--setenv',
    'PATH',
    '/usr/bin',
    '--ro-bind',
    '/usr',
    '/usr',
    '--symlink',
    'usr/bin',
    '/bin',
    '--symlink',
    'usr/lib',
    '/lib',
  ],
  ...['--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--remount-ro', '/'],
] as const

export const bench: Bench = {
  async run(): Promise<readonly Figure[]> {
    using folder = temporaryFolder()
    const work = join(folder.path, 'work')
    mkdirSync(work)
    const stateDirectory = join(folder.path, 'state')
    const sandbox = createBubblewrapSandbox({ logger: quiet, clock: realClock, stateDirectory, slots: 2, graceMs: 500 })
    const owner = sandbox.owner(1)
    if (owner !== null) chownSync(work, owner.uid, owner.gid)
    await sandbox.check()
    return [
      await firstStep(sandbox, work),
      ...(await fiveSteps(sandbox, work)),
      await oneStep(sandbox, work),
      ...(await cancelling(sandbox, work)),
      ...(await printing(sandbox, work)),
    ]
  },
}

function firstStep(sandbox: Sandbox, work: string): Promise<Figure> {
  return versus({
    name: 'a task of one step',
    unit: 'ms',
    rounds: ROUNDS,
    ours: () => msOf(() => task(sandbox, work, [COMMAND])),
    peer: { name: 'execa + bare bwrap', measure: () => msOf(bubblewrap) },
    goal: { of: 'ratio', atMost: 1.3 },
    note: 'seccomp, cgroup, own uid',
  })
}

async function fiveSteps(sandbox: Sandbox, work: string): Promise<Figure[]> {
  const commands = FIVE.map(() => COMMAND)
  const common = { name: 'a task of five steps', unit: 'ms', rounds: ROUNDS }
  const ours = () => msOf(() => task(sandbox, work, commands))
  const fed = () =>
    msOf(async () => {
      await using shell = fedShell()
      for (const command of commands) await shell.run(command)
    })
  const each = () =>
    msOf(async () => {
      for (const command of commands) await execa('/bin/sh', ['-c', command], NO_ENVIRONMENT)
    })
  return [
    await versus({
      ...common,
      ours,
      peer: { name: 'one bwrap, its shell fed', measure: fed },
      goal: { of: 'ratio', atMost: 1.3 },
    }),
    await versus({
      ...common,
      ours,
      peer: { name: 'execa + sh -c per step, no sandbox', measure: each },
      goal: { of: 'ratio', atMost: 1 },
    }),
  ]
}

async function oneStep(sandbox: Sandbox, work: string): Promise<Figure> {
  await using session = await open(sandbox, work)
  await using shell = fedShell()
  return await versus({
    name: 'one more step',
    unit: 'ms',
    rounds: 5 * ROUNDS,
    ours: () => msOf(() => step(session, COMMAND)),
    peer: { name: 'a subshell of a fed shell', measure: () => msOf(() => shell.run(COMMAND)) },
    goal: { of: 'ratio', atMost: 1.5 },
    note: 'state carried over',
  })
}

/** From the abort to the moment in which no process of the task is left. */
async function cancelling(sandbox: Sandbox, work: string): Promise<Figure[]> {
  const all: number[] = []
  for (let round = 0; round < 2 * ROUNDS; round += 1) {
    await using session = await open(sandbox, work)
    const abort = new AbortController()
    let abortedAt = 0
    await session.run(approved(['(setsid sleep 99 &); echo ready; sleep 99']), 0, {
      timeoutMs: 30_000,
      signal: abort.signal,
      onOutput() {
        abortedAt ||= performance.now()
        abort.abort()
      },
    })
    all.push(performance.now() - abortedAt)
  }
  return latencies('cancel, until no process is left', all)
}

/** A gigabyte through the sandbox to nowhere: what its pipe can take. */
async function printing(sandbox: Sandbox, work: string): Promise<Figure[]> {
  await using session = await open(sandbox, work)
  const before = process.memoryUsage().rss
  let most = before
  let chunks = 0
  const ms = await msOf(() =>
    session.run(approved(['yes "$(head -c 79 /dev/zero | tr "\\0" x)" | head -c 1G']), 0, {
      timeoutMs: 120_000,
      signal: new AbortController().signal,
      onOutput() {
        chunks += 1
        if (chunks % 512 === 0) most = Math.max(most, process.memoryUsage().rss)
      },
    }),
  )
  return [
    { name: '1 GiB printed in the sandbox', unit: 'MB/s', ours: single(2 ** 30 / 1000 / ms) },
    { name: '1 GiB printed in the sandbox, memory added', unit: 'MB', ours: single((most - before) / 1e6) },
  ]
}

async function task(sandbox: Sandbox, work: string, commands: readonly string[]): Promise<void> {
  await using session = await open(sandbox, work)
  for (const command of commands) await step(session, command)
}

function open(sandbox: Sandbox, directory: string): Promise<SandboxSession> {
  return sandbox.open({ taskId: 1, directory, environment: {}, limits: LIMITS }, approved(['true']))
}

function step(session: SandboxSession, command: string) {
  return session.run(approved([command]), 0, {
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
  })
}

function bubblewrap() {
  return execa('/usr/bin/bwrap', [...PLAIN_FLAGS, '/bin/bash', '-c', 'echo hello'], NO_ENVIRONMENT)
}

interface FedShell extends AsyncDisposable {
  run(command: string): Promise<void>
}

/** A shell in bare bwrap that runs each line in a subshell. */
function fedShell(): FedShell {
  const child = spawn('/usr/bin/bwrap', [...PLAIN_FLAGS, '/bin/bash', '--norc'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async run(command) {
      child.stdin.write(`(${command}); echo "ended $?"\n`)
      for (;;) {
        const { value, done } = await lines.next()
        if (done === true) throw new Error('the fed shell ended')
        if (String(value).startsWith('ended ')) return
      }
    },
    async [Symbol.asyncDispose]() {
      const gone = exited(child)
      child.stdin.end()
      await gone
    },
  }
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()))
}
