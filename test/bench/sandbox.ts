/**
 * What a sandboxed task costs, each figure beside its limit, measured in turns: the first step, a five-step task, one more step,
 * a cancel. Milliseconds; medians.
 */
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Sandbox, SandboxSession } from '../../src/ports/sandbox.ts'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { approved, LIMITS, memoryLogger, realClock } from '../sandbox/task-bench.ts'

export interface SandboxFigures {
  firstStep: { ours: number; execaAndBubblewrap: number; shell: number; ratio: number; timesShell: number }
  fiveSteps: { ours: number; bubblewrapPerStep: number; execaPerStep: number; ratio: number }
  oneStep: { ours: number; shell: number; ratio: number }
  cancel: { p50: number; p99: number; survivors: number }
  gibibyte: { mebibytesPerSecond: number; addedMebibytes: number }
}

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

export async function measureSandbox(rounds = 15): Promise<SandboxFigures> {
  const root = mkdtempSync(join(tmpdir(), 'assistant-bench-'))
  const work = join(root, 'work')
  mkdirSync(work)
  const sandbox = createBubblewrapSandbox({
    logger: memoryLogger(),
    clock: realClock,
    stateDirectory: join(root, 'state'),
    slots: 2,
    graceMs: 500,
  })
  const owner = sandbox.owner(1)
  if (owner !== null) chownSync(work, owner.uid, owner.gid)
  try {
    await sandbox.check()
    const starts = await starting(sandbox, work, rounds)
    return { ...starts, cancel: await cancelling(sandbox, work, rounds * 4), gibibyte: await printing(sandbox, work) }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function starting(sandbox: Sandbox, work: string, rounds: number) {
  const one = times(),
    bare = times(),
    shell = times(),
    five = times(),
    perStep = times(),
    plain = times(),
    more = times()
  const commands = Array.from({ length: 5 }, () => 'echo hello')
  for (let round = 0; round < rounds; round++) {
    await shell.time(() => execa('/bin/sh', ['-c', 'echo hello'], NO_ENVIRONMENT))
    await bare.time(() => bubblewrap())
    await one.time(async () => {
      await using session = await open(sandbox, work)
      await step(session, 'echo hello')
    })
    await five.time(async () => {
      await using session = await open(sandbox, work)
      for (const command of commands) await step(session, command)
    })
    await perStep.time(async () => {
      for (const _ of commands) await bubblewrap()
    })
    await plain.time(async () => {
      for (const command of commands) await execa('/bin/bash', ['-c', command], NO_ENVIRONMENT)
    })
    await using session = await open(sandbox, work)
    await step(session, 'echo hello')
    for (let again = 0; again < 5; again++) await more.time(() => step(session, 'echo hello'))
  }
  return {
    firstStep: {
      ours: one.median(),
      execaAndBubblewrap: bare.median(),
      shell: shell.median(),
      ratio: one.median() / bare.median(),
      timesShell: one.median() / shell.median(),
    },
    fiveSteps: {
      ours: five.median(),
      bubblewrapPerStep: perStep.median(),
      execaPerStep: plain.median(),
      ratio: five.median() / plain.median(),
    },
    oneStep: { ours: more.median(), shell: shell.median(), ratio: more.median() / shell.median() },
  }
}

/** From the abort to the moment in which no process of the task is left; the task ignores TERM half of the time. */
async function cancelling(sandbox: Sandbox, work: string, rounds: number) {
  const taken = times()
  for (let round = 0; round < rounds; round++) {
    await using session = await open(sandbox, work)
    const abort = new AbortController()
    let abortedAt = 0
    const plan = approved(['(setsid sleep 99 &); echo ready; sleep 99'])
    await session.run(plan, 0, {
      timeoutMs: 30_000,
      signal: abort.signal,
      onOutput() {
        abortedAt ||= performance.now()
        abort.abort()
      },
    })
    taken.add(performance.now() - abortedAt)
  }
  const { stdout } = await execa('/bin/sh', ['-c', 'ps ax -o args= | grep -c "[s]leep 99$" || true'])
  return { p50: taken.median(), p99: taken.at(0.99), survivors: Number(stdout) }
}

async function printing(sandbox: Sandbox, work: string) {
  await using session = await open(sandbox, work)
  const before = process.memoryUsage().rss
  let most = before
  let chunks = 0
  const startedAt = performance.now()
  await session.run(approved(['yes "$(head -c 79 /dev/zero | tr "\\0" x)" | head -c 1G']), 0, {
    timeoutMs: 120_000,
    signal: new AbortController().signal,
    onOutput() {
      chunks += 1
      if (chunks % 512 === 0) most = Math.max(most, process.memoryUsage().rss)
    },
  })
  const seconds = (performance.now() - startedAt) / 1000
  return { mebibytesPerSecond: 1024 / seconds, addedMebibytes: (most - before) / 2 ** 20 }
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

function times() {
  const all: number[] = []
  const at = (share: number) =>
    all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0
  return {
    add: (ms: number) => void all.push(ms),
    at,
    median: () => at(0.5),
    async time(action: () => Promise<unknown>) {
      const startedAt = performance.now()
      await action()
      all.push(performance.now() - startedAt)
    },
  }
}
