/** The CLI on a scripted inbox: streams that remember, a terminal or a pipe, signals by hand. */
import { PassThrough, Writable } from 'node:stream'
import type { CliClient, CliDeps, RunningRoles, TextStream } from '../../../adapters/cli/deps.ts'
import { runCli } from '../../../adapters/cli/run-cli.ts'
import type { Actor } from '../../../src/core/actor.ts'
import { SetupError } from '../../../src/core/errors.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'
import { type FakeInbox, fakeInbox } from '../../fakes/fake-inbox.ts'
import { type ManualClock, manualClock } from '../../fakes/manual-clock.ts'

export const CLI_ACTOR: Actor = {
  platform: 'cli',
  scope: '',
  channelId: '',
  isDirect: false,
  userId: '1000',
  name: 'ana',
  groups: [],
  isBot: false,
  isGuest: false,
  apiScopes: ['admin'],
}

export interface Recorder {
  stream: TextStream
  text(): string
}

export interface Cli<In extends Inbox = FakeInbox> {
  inbox: In
  clock: ManualClock
  deps: CliDeps
  stdout: Recorder
  stderr: Recorder
  stdin: PassThrough & { isTTY?: boolean }
  /** Workers started by this process, in order; `stopped` once disposed. */
  workers: { only: number; stopped: boolean }[]
  /** Whether a worker runs elsewhere; an error when that cannot be told. */
  state: { workerElsewhere: boolean | Error; hasStore: boolean; clientsOpen: number }
  signal(name: 'SIGINT' | 'SIGTERM'): void
  run(...argv: string[]): Promise<number>
}

function recorder(isTTY: boolean, columns: number): Recorder {
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  const size = isTTY ? { isTTY, columns, rows: 24 } : {}
  return { stream: Object.assign(stream, size), text: () => text }
}

export interface CliSketch<In extends Inbox> {
  inbox: In
  terminal?: boolean
  columns?: number
  more?: Partial<CliDeps>
}

export function makeCli(options: Omit<CliSketch<FakeInbox>, 'inbox'> = {}): Cli {
  return makeCliOn({ ...options, inbox: fakeInbox() })
}

export function makeCliOn<In extends Inbox>({
  inbox,
  terminal = false,
  columns = 80,
  more = {},
}: CliSketch<In>): Cli<In> {
  const stdout = recorder(terminal, columns)
  const stderr = recorder(terminal, columns)
  const clock = manualClock()
  const listeners = new Set<(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => void>()
  const workers: Cli['workers'] = []
  const state: Cli['state'] = { workerElsewhere: true, hasStore: true, clientsOpen: 0 }
  const stdin: Cli['stdin'] = Object.assign(new PassThrough(), terminal ? { isTTY: true } : {})

  async function openClient({ create }: { create: boolean }): Promise<CliClient> {
    if (!state.hasStore && !create) throw new SetupError('no_store', 'There is no store here yet.', 'Start it once.')
    state.clientsOpen += 1
    return {
      inbox,
      actor: CLI_ACTOR,
      maxRounds: 3,
      sandboxWarning: null,
      chatsOff: ['discord'],
      async workerElsewhere() {
        if (state.workerElsewhere instanceof Error) throw state.workerElsewhere
        return state.workerElsewhere
      },
      async startWorker({ only }) {
        const worker = { only, stopped: false }
        workers.push(worker)
        return {
          async [Symbol.asyncDispose]() {
            worker.stopped = true
          },
        }
      },
      async [Symbol.asyncDispose]() {
        state.clientsOpen -= 1
      },
    }
  }

  const deps: CliDeps = {
    version: '1.2.3',
    clock,
    timeZone: 'UTC',
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    editor: 'true',
    directory: '/nowhere',
    onSignal(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    openClient,
    startRoles: () => Promise.reject(new Error('not scripted')),
    doctor: async () => [],
    setup: async () => true,
    init: async () => true,
    explainPolicy: () => Promise.reject(new Error('not scripted')),
    backup: async () => undefined,
    ...more,
  }
  return {
    inbox,
    clock,
    deps,
    stdout,
    stderr,
    stdin,
    workers,
    state,
    signal: (name) => {
      for (const listener of [...listeners]) listener(name)
    },
    run: (...argv) => runCli(argv, deps),
  }
}

/** Roles that run until they are stopped. */
export function fakeRoles(status: RunningRoles['status']): RunningRoles & { stops: number } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const roles = {
    status,
    stopped: promise,
    stops: 0,
    stop() {
      roles.stops += 1
      resolve()
    },
  }
  return roles
}
