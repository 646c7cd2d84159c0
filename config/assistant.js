#!/usr/bin/env node
// The `assistant` command. Plain JavaScript: whatever Node the machine has starts it, and it hands over to the Node that the program needs.
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED_MAJOR = 24
/**
 * MB for what was made just now. V8 would take eight times as much while the libraries are loaded, and stop for longer to clear it.
 * This and the next are the same in package.json and in the systemd unit, which so need no second start.
 */
const NEW_SPACE = '--max-semi-space-size=4'
/** glibc gives memory back at once, instead of keeping what the largest buffer once took. */
const MALLOC = { MALLOC_TRIM_THRESHOLD_: '131072' }
/** What runs for long; the other commands are over before it matters. */
const ROLES = ['start', 'worker', 'api', 'chat']
const own = fileURLToPath(import.meta.url)
const ownNode = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))

// Should its own Node be too old too, it must not hand over to itself without end.
if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  if (ROLES.includes(process.argv[2] ?? '') && !isBounded()) startBounded()
  // Before the first TypeScript: what strips its types then need not be loaded at all, nor stay in memory.
  keepCompiled()
  leaveOutLanguages()
  await import('../src/main.ts')
} else if (existsSync(ownNode) && realpathSync(ownNode) !== process.execPath) {
  handOver()
} else {
  process.stderr.write('Assistant is not set up yet: run `npm start` once in its folder.\n')
  process.exitCode = 2
}

function isBounded() {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((each) => each.includes('--max-semi-space-size='))
}

/** Begins again in the same process, as `npx assistant start` gives Node no options: they count only when it starts. */
function startBounded() {
  const args = [process.execPath, ...process.execArgv, NEW_SPACE, own, ...process.argv.slice(2)]
  process.execve?.(process.execPath, args, { ...process.env, ...MALLOC })
}

/**
 * Beside the code, or with the user's own files where the clone is somebody else's. The folder that Node would take is in /tmp and
 * belongs to whoever came first, and what lies there is run.
 */
function keepCompiled() {
  const folder = fileURLToPath(new URL('../node_modules/.cache/assistant', import.meta.url))
  const { status } = module.enableCompileCache(folder)
  if (status !== module.constants.compileCacheStatus.FAILED) return
  try {
    module.enableCompileCache(join(homedir(), '.cache/assistant'))
  } catch {
    // A user whom the system does not know has no home; without a cache it starts slower, no more.
  }
}

/**
 * zod has its messages in fifty languages, a module each, and ours are English: without the others a command answers an eighth sooner.
 * Who asks zod for `locales` gets none.
 */
function leaveOutLanguages() {
  const none = 'data:text/javascript,'
  module.registerHooks({
    resolve(specifier, context, next) {
      const isTheirs = specifier === '../locales/index.js' && context.parentURL?.includes('/node_modules/zod/')
      return isTheirs ? { url: none, shortCircuit: true } : next(specifier, context)
    },
  })
}

function handOver() {
  const child = spawn(ownNode, [NEW_SPACE, own, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, ...MALLOC },
  })
  // The terminal sends Ctrl-C to both: the child decides what it means. Signals sent to this process alone are passed on.
  process.on('SIGINT', () => undefined)
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1
    else {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
  })
}
