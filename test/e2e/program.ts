/** The real program as a child process, in a home of its own, as a person would start it. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = join(root, 'config/assistant.js')
/** What `npm start` gives to Node. */
const [, variable = '', value = '', option = ''] =
  /"start": "(\w+)=(\S+) exec node (\S+) config/.exec(readFileSync(join(root, 'package.json'), 'utf8')) ?? []

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface Home extends Disposable {
  folder: string
  environment: Record<string, string>
}

/** A fresh home; nothing of the clone's own settings or of this machine's environment reaches the program. */
export function createHome(environment: Record<string, string> = {}): Home {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-e2e-'))
  return {
    folder,
    environment: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      HOME: folder,
      LANG: 'C.UTF-8',
      [variable]: value,
      ASSISTANT_HOME: folder,
      ASSISTANT_ENV_FILE: join(folder, '.env'),
      ASSISTANT_SETTINGS: join(folder, 'settings.yaml'),
      // Nobody listens there: a test that wants a model says so.
      OLLAMA_HOST: 'http://127.0.0.1:9',
      ASSISTANT_LOG_LEVEL: 'info',
      ...environment,
    },
    // What was killed may be writing its last into it.
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true, maxRetries: 20 }),
  }
}

/** Of a task: waits until the test has removed the file, however long that takes; `gateOf` says where it is. */
export const UNTIL_REMOVED = 'echo > gate; while [ -e gate ]; do sleep 0.1; done'

export function gateOf({ folder }: Home, taskId: number): string {
  return join(folder, 'tasks', `task-${taskId}`, 'work', 'gate')
}

export interface Running extends AsyncDisposable {
  child: ChildProcess
  /** Everything printed so far. */
  output(): { stdout: string; stderr: string }
  /** Settles when `text` has been printed on either stream; rejects with what was printed when the program ends first. */
  printed(text: string | RegExp): Promise<string>
  ended: Promise<Ended>
}

/** Starts `assistant <args>`. Disposing ends it with SIGTERM and waits. */
export function start(home: Home, args: readonly string[]): Running {
  return follow(spawn(process.execPath, [option, main, ...args], { env: home.environment, stdio: 'pipe' }))
}

/** The same, as another user; only root can. */
export function startAs(user: number, home: Home, args: readonly string[]): Running {
  return follow(
    spawn(process.execPath, [option, main, ...args], {
      env: home.environment,
      stdio: 'pipe',
      uid: user,
      gid: user,
    }),
  )
}

/** Starts everything as `npm start` does, without the set-up before it; a terminal would give it a process group of its own, too. */
export function npmStart(home: Home): Running {
  return follow(
    spawn('npm', ['start', '--silent', '--ignore-scripts'], {
      cwd: root,
      env: home.environment,
      stdio: 'pipe',
      detached: true,
    }),
  )
}

function follow(child: ChildProcessWithoutNullStreams): Running {
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  const heard = () => {
    for (const listener of listeners) listener()
  }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    heard()
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
    heard()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => {
      resolve({ code, stdout, stderr })
      heard()
    })
  })
  return {
    child,
    output: () => ({ stdout, stderr }),
    printed(text) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const all = stdout + stderr
          if (typeof text === 'string' ? all.includes(text) : text.test(all)) {
            listeners.delete(look)
            resolve(all)
          } else if (child.exitCode !== null || child.signalCode !== null) {
            listeners.delete(look)
            reject(new Error(`the program ended without printing ${text}:\n${all}`))
          }
        }
        listeners.add(look)
        look()
      })
    },
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
    },
  }
}

/** Runs `assistant <args>` to its end. */
export async function run(home: Home, args: readonly string[], input = ''): Promise<Ended> {
  const running = start(home, args)
  running.child.stdin?.end(input)
  return running.ended
}

/** Below those that the kernel hands out by itself, of which any may be somebody's before the program takes it. */
const PORTS = { first: 10_000, count: 20_000 }
/** Tests that run at the same time have each a range of their own. */
const RANGES = 4

/** A port that nobody else will take: the program may be started on it, and started again. */
export async function freePort(): Promise<number> {
  const size = PORTS.count / RANGES
  const range = Number(process.env.VITEST_POOL_ID ?? 0) % RANGES
  for (;;) {
    const port = PORTS.first + range * size + Math.floor(Math.random() * size)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
