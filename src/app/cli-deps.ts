/** The program, as the CLI sees it. Each method loads only what it needs. */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { CliClient, CliDeps } from '../../adapters/cli/deps.ts'
import { type Config, loadConfig } from '../../config/config.ts'
import { terminalSettings } from '../../config/terminal.ts'
import { type Actor, API_SCOPES } from '../core/actor.ts'
import { COMMAND } from '../core/command.ts'
import { SetupError } from '../core/errors.ts'
import { knownBox } from './box.ts'
import { chatsOff } from './chats.ts'
import { liveWorkers } from './live-workers.ts'
import { programVersion } from './program-log.ts'
import { systemClock } from './system-clock.ts'

/** A container's user often has a number and no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    // No entry in /etc/passwd; the number is as good.
    return `uid-${process.getuid?.() ?? 0}`
  }
}

/** Whoever can read the store can do everything to it: the CLI has every scope. */
function localActor(): Actor {
  const username = userName()
  const person = { userId: username, name: username, groups: [], isBot: false, isGuest: false, apiScopes: API_SCOPES }
  return { platform: 'cli', scope: '', channelId: '', isDirect: false, ...person }
}

export function createCliDeps(): CliDeps {
  const terminal = terminalSettings()
  return {
    version: programVersion(),
    clock: systemClock,
    get timeZone() {
      return terminal.timeZone
    },
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    editor: terminal.editor,
    directory: process.cwd(),
    onSignal,
    openClient: ({ create }) => openClient(loadConfig(), create),
    async startRoles(roles) {
      const { openParts } = await import('./parts.ts')
      const { startRoles } = await import('./roles.ts')
      const { createLogSink } = await import('./log-sink.ts')
      // What is said on the terminal may find nobody there either.
      process.stderr.on('error', () => undefined)
      const config = loadConfig()
      // A person looks at the start screen there; JSON lines of what goes well would push it away.
      const logLevel = config.logLevel ?? (process.stdout.isTTY ? 'warn' : 'info')
      const parts = await openParts({ ...config, logLevel }, { writeLog: createLogSink(process.stdout) })
      return startRoles(parts, roles)
    },
    async doctor(options) {
      const { doctor } = await import('./doctor.ts')
      return doctor(loadConfig(), options)
    },
    async setup(platform, dialogue) {
      const { setup } = await import('./setup.ts')
      return setup(platform, loadConfig(), dialogue)
    },
    async init(dialogue) {
      const { init } = await import('./setup.ts')
      return init(loadConfig(), dialogue)
    },
    async explainPolicy(command) {
      const { explainPolicy } = await import('./explain-policy.ts')
      return explainPolicy(loadConfig(), command)
    },
    async backup(file) {
      const { openParts } = await import('./parts.ts')
      await using parts = await openParts(existingStore(loadConfig()), { writeLog: () => undefined })
      await parts.store.backup(file)
    },
  }
}

const SAME_PRESS_MS = 500

/** Ctrl-C at a terminal reaches us from there, and again from npm or npx, which pass on what they have got. A person takes longer. */
function oncePerPress(listener: () => void): () => void {
  let heardAt = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - heardAt < SAME_PRESS_MS) return
    heardAt = performance.now()
    listener()
  }
}

function onSignal(listener: (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => void): Disposable {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const handlers = signals.map((signal) => {
    const tell = () => listener(signal)
    return [signal, signal === 'SIGINT' ? oncePerPress(tell) : tell] as const
  })
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) process.off(signal, handler)
    },
  }
}

function existingStore(config: Config): Config {
  if (existsSync(config.databaseFile)) return config
  throw new SetupError(
    'no_store',
    `There are no tasks in ${config.home} yet.`,
    `Start with \`npm start\` or \`${COMMAND} run\`, or set ASSISTANT_HOME.`,
  )
}

async function openClient(config: Config, create: boolean): Promise<CliClient> {
  const { openParts } = await import('./parts.ts')
  const parts = await openParts(create ? config : existingStore(config), { writeLog: () => undefined })
  const box = await knownBox(parts.store)
  const isOpen = config.sandbox.kind === 'none' || box?.strength === 'none'
  return {
    inbox: parts.inbox,
    actor: localActor(),
    maxRounds: config.worker.repairRounds + 1,
    sandboxWarning: isOpen
      ? 'No sandbox: commands run with all that this program can reach (ASSISTANT_SANDBOX=none).'
      : null,
    chatsOff: chatsOff(config),
    workerElsewhere: async () => (await liveWorkers(parts.store, config.worker.lease)).length > 0,
    async startWorker({ only }) {
      const { startWorkerRole } = await import('./worker-role.ts')
      return startWorkerRole(parts, { role: 'run', only })
    },
    async [Symbol.asyncDispose]() {
      // Nobody else would go on with files that this process has begun to fetch.
      await parts.inbox.idle()
      await parts[Symbol.asyncDispose]()
    },
  }
}
