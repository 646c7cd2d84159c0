/** What a sandboxed task costs beside bwrap alone, a shell that is fed, and no sandbox at all: starting, a step, stopping, printing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { execa, type Options } from 'execa'
import type { ApprovedPlan } from '../../src/core/approval.ts'
import type { Sandbox, SandboxSession } from '../../src/ports/sandbox.ts'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { bubblewrapArguments } from '../../src/sandbox/bubblewrap-arguments.ts'
import { rlimitLines } from '../../src/sandbox/rlimits.ts'
import { seccompFilter } from '../../src/sandbox/seccomp.ts'
import { approved, LIMITS } from '../sandbox/task-bench.ts'
import type { Bench, Figure } from './figure.ts'
import { latencies, msOf, single, versus } from './measure.ts'
import { quiet, realClock, temporaryFolder } from './stand.ts'

const ROUNDS = 21
const COMMAND = 'ls'
const FIVE = [1, 2, 3, 4, 5]
const NO_ENVIRONMENT = { env: {}, extendEnv: false, cwd: '/' } as const
/** Between two tasks the model thinks for longer than this: the next launcher is ready by then. */
const PAUSE_MS = 100

interface Stand {
  sandbox: Sandbox
  work: string
  /** bwrap by itself with our own arguments, flag for flag, and the same way down to the task's uid. */
  bare: BareBubblewrap
}

export const bench: Bench = {
  async run(): Promise<readonly Figure[]> {
    using folder = temporaryFolder()
    chmodSync(folder.path, 0o711)
    const work = join(folder.path, 'work')
    mkdirSync(work)
    const stateDirectory = join(folder.path, 'state')
    await using sandbox = createBubblewrapSandbox({
      logger: quiet,
      clock: realClock,
      stateDirectory,
      slots: 2,
      graceMs: 500,
    })
    const owner = sandbox.owner(1)
    if (owner !== null) chownSync(work, owner.uid, owner.gid)
    await sandbox.check()
    sandbox.prepare()
    const stand = { sandbox, work, bare: bareBubblewrap(folder.path, work, owner?.uid ?? null) }
    return [
      ...(await firstStep(stand)),
      ...(await fiveSteps(stand)),
      await oneStep(stand),
      ...(await cancelling(stand)),
      ...(await printing(stand)),
    ]
  },
}

async function firstStep(stand: Stand): Promise<Figure[]> {
  const peer = {
    name: 'execa + bwrap, same flags',
    measure: () => msOf(() => stand.bare.execa('/bin/bash', '-c', COMMAND)),
  }
  const common = { unit: 'ms', rounds: ROUNDS, peer }
  const ours = () => msOf(() => task(stand, [COMMAND]))
  return [
    await versus({
      ...common,
      name: 'a task of one step, from nothing to its last process gone',
      ours: () => delay(PAUSE_MS).then(ours),
      goal: { of: 'ratio', atMost: 1.3 },
    }),
    await versus({ ...common, name: 'a task of one step, right after another', ours }),
  ]
}

async function fiveSteps(stand: Stand): Promise<Figure[]> {
  const commands = FIVE.map(() => COMMAND)
  const common = { name: 'a task of five steps', unit: 'ms', rounds: ROUNDS }
  const ours = () => delay(PAUSE_MS).then(() => msOf(() => task(stand, commands)))
  const fed = () =>
    msOf(async () => {
      await using shell = fedShell(stand.bare)
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

async function oneStep(stand: Stand): Promise<Figure> {
  await using session = await open(stand)
  await using shell = fedShell(stand.bare)
  const rounds = 5 * ROUNDS
  // One plan, as the worker gives it: that another step follows is known.
  const plan = approved(Array.from({ length: rounds + 2 }, () => COMMAND))
  let index = -1
  return await versus({
    name: 'one more step',
    unit: 'ms',
    rounds,
    ours() {
      index += 1
      return msOf(() => step(session, plan, index))
    },
    peer: { name: 'a subshell of a fed shell', measure: () => msOf(() => shell.run(COMMAND)) },
    goal: { of: 'ratio', atMost: 1.5 },
    note: 'state carried over',
  })
}

/** From the abort to the moment in which no process of the task is left. */
async function cancelling(stand: Stand): Promise<Figure[]> {
  const all: number[] = []
  for (let round = 0; round < 2 * ROUNDS; round += 1) {
    await using session = await open(stand)
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
async function printing(stand: Stand): Promise<Figure[]> {
  await using session = await open(stand)
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

async function task(stand: Stand, commands: string[]): Promise<void> {
  const plan = approved(commands)
  await using session = await open(stand, plan)
  for (const index of commands.keys()) await step(session, plan, index)
}

function open({ sandbox, work }: Stand, plan = approved(['true'])): Promise<SandboxSession> {
  return sandbox.open({ taskId: 1, directory: work, environment: {}, limits: LIMITS }, plan)
}

function step(session: SandboxSession, plan: ApprovedPlan, index: number) {
  return session.run(plan, index, {
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
  })
}

interface BareBubblewrap {
  execa(...command: string[]): Promise<unknown>
  spawn(...command: string[]): ChildProcess
}

/** Its files lie in a folder that the uid may enter, so it needs no mount of its own; it has no cgroups and no supervisor. */
function bareBubblewrap(folder: string, source: string, uid: number | null): BareBubblewrap {
  const { scratchBytes } = LIMITS
  const rlimits = rlimitLines(LIMITS, new Set(['memory', 'processes', 'cpu']))
  const words = bubblewrapArguments({ source, network: null, scratchBytes, environment: {}, rlimits, hasFilter: true })
  const files = { arguments: `${words.join('\0')}\0`, seccomp: seccompFilter(process.arch) ?? '', text: 'x:x:1:\n' }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  const kit = ['arguments', 'seccomp', '/bin/sh', 'text', 'text', 'text'].map((name) => resolve(folder, name))
  const flags = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs', '--inh-caps=-all']
  const down = uid === null ? [] : ['/usr/bin/setpriv', ...flags, '--bounding-set=-all']
  const [file = '', ...parameters] = [...down, '/usr/bin/bwrap', '--args', '6', '--']
  const withKit = <T>(start: (descriptors: number[]) => T): T => {
    const descriptors = kit.map((path) => openSync(path, 'r'))
    const started = start(descriptors)
    for (const descriptor of descriptors) closeSync(descriptor)
    return started
  }
  return {
    execa: (...command) =>
      withKit((descriptors) => {
        // execa hands numbers on as they are, also above 2; its types know of them only up to there.
        const stdio = ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', ...descriptors]
        const options = Object.assign<Options, object>({ ...NO_ENVIRONMENT }, { stdio })
        return execa(file, [...parameters, ...command], options)
      }),
    spawn: (...command) =>
      withKit((descriptors) =>
        spawn(file, [...parameters, ...command], {
          stdio: ['pipe', 'pipe', 'ignore', 'ignore', 'ignore', 'ignore', ...descriptors],
          env: {},
          cwd: '/',
        }),
      ),
  }
}

interface FedShell extends AsyncDisposable {
  run(command: string): Promise<void>
}

/** A shell in bwrap that runs each line in a subshell. */
function fedShell(bare: BareBubblewrap): FedShell {
  const child = bare.spawn('/bin/bash', '--norc')
  if (child.stdin === null || child.stdout === null) throw new Error('no pipes')
  const { stdin, stdout } = child
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  return {
    async run(command) {
      stdin.write(`(${command}); echo "ended $?"\n`)
      for (;;) {
        const { value, done } = await lines.next()
        if (done === true) throw new Error('the fed shell ended')
        if (String(value).startsWith('ended ')) return
      }
    },
    async [Symbol.asyncDispose]() {
      const gone = exited(child)
      stdin.end()
      await gone
    },
  }
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()))
}
