/** `assistant doctor`: what works on this machine, what does not, and the one thing to do about each. */
import { statfsSync } from 'node:fs'
import { z } from 'zod'
import type { DoctorCheck } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import { errorLine, SetupError } from '../core/errors.ts'
import { readBreakers } from '../inbox/breaker.ts'
import { SandboxError } from '../ports/sandbox.ts'
import { type ChatCheckOptions, checkChats } from './chat-checks.ts'
import { liveWorkers } from './live-workers.ts'
import { describeModel } from './model-status.ts'
import { openParts, type Parts } from './parts.ts'
import { openPlanner, openSandbox } from './worker-role.ts'

const LOW_DISK_BYTES = 1024 ** 3
const NODE_MAJOR = 24

export async function doctor(config: Config, options: ChatCheckOptions): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [checkNode(), ...config.warnings.map((warning) => warn('Settings', warning, warning))]
  try {
    await using parts = await openParts(config, { writeLog: () => undefined })
    checks.push(
      ...(await checkStore(parts)),
      checkDisk(config),
      ...(await checkSandbox(parts)),
      await checkModel(parts),
    )
    checks.push(await checkWorkers(parts), checkApi(config), ...(await checkReady(config)))
    checks.push(...(await checkChats(parts, options)), ...(await checkDeliveries(parts)), ...(await checkLoops(parts)))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    checks.push({ name: 'Store', state: 'failed', detail: errorLine(error), fix: error.fix })
  }
  return checks
}

function ok(name: string, detail: string): DoctorCheck {
  return { name, state: 'ok', detail, fix: null }
}

function warn(name: string, detail: string, fix: string): DoctorCheck {
  return { name, state: 'warning', detail, fix }
}

function checkNode(): DoctorCheck {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return ok('Node', process.version)
  return {
    name: 'Node',
    state: 'failed',
    detail: process.version,
    fix: 'Start through npm: `npm start` or `npx assistant`.',
  }
}

async function checkStore({ store, config }: Parts): Promise<DoctorCheck[]> {
  const counts = await store.counts()
  const total = Object.values(counts).reduce((sum, each) => sum + each, 0)
  return [ok('Store', `${config.databaseFile}: ${total} tasks, ${counts.pending} waiting, ${counts.running} running`)]
}

function checkDisk(config: Config): DoctorCheck {
  const { bavail, bsize } = statfsSync(config.home)
  const free = bavail * bsize
  const detail = `${Math.round(free / 1024 ** 2)} MB free`
  return free > LOW_DISK_BYTES ? ok('Disk', detail) : warn('Disk', detail, `Free space where ${config.home} is.`)
}

async function checkSandbox(parts: Parts): Promise<DoctorCheck[]> {
  if (parts.config.sandbox.kind === 'none') {
    const fix = 'Take ASSISTANT_SANDBOX=none away.'
    return [
      {
        name: 'Sandbox',
        state: 'failed',
        detail: 'none: commands run as this program, with all that it can reach',
        fix,
      },
    ]
  }
  try {
    const { strength, layers } = await openSandbox(parts).check()
    const summary = strength === 'full' ? ok('Sandbox', 'full') : warn('Sandbox', strength, 'See the layers below.')
    return [summary, ...layers.map(({ name, on, fix }) => (on ? ok(`  ${name}`, 'on') : warn(`  ${name}`, 'off', fix)))]
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error
    return [{ name: 'Sandbox', state: 'failed', detail: errorLine(error), fix: errorLine(error) }]
  }
}

async function checkModel(parts: Parts): Promise<DoctorCheck> {
  const status = await openPlanner(parts).status()
  return status.fix === null ? ok('Model', describeModel(status)) : warn('Model', describeModel(status), status.fix)
}

async function checkWorkers({ store, config }: Parts): Promise<DoctorCheck> {
  const workers = await liveWorkers(store, config.worker.lease)
  if (workers.length === 0) return warn('Workers', 'none is running', 'Run `npm start`, or `assistant worker`.')
  return ok('Workers', workers.map(({ host, pid, slots }) => `${host} (pid ${pid}, ${slots} at once)`).join(', '))
}

function checkApi({ api }: Config): DoctorCheck {
  if (!api.enabled) return ok('API', 'off')
  const tokens = api.tokens.length + (api.token === null ? 0 : 1)
  return ok(
    'API',
    `http://${api.host}:${api.port}, ${tokens === 0 ? 'this machine only, no token' : `${tokens} tokens`}`,
  )
}

const readySchema = z.object({ checks: z.array(z.object({ name: z.string(), ok: z.boolean() })) })
const READY_MS = 2000

/** What the program that runs says of itself: the chats' connections are in it alone. */
async function checkReady({ api }: Config): Promise<DoctorCheck[]> {
  if (!api.enabled || api.port === 0) return []
  try {
    const answer = await fetch(`http://${api.host}:${api.port}/readyz`, { signal: AbortSignal.timeout(READY_MS) })
    const bad = readySchema.parse(await answer.json()).checks.filter((check) => !check.ok)
    if (bad.length === 0) return [ok('Program', 'runs, and everything in it is connected')]
    const names = bad.map(({ name }) => name).join(', ')
    return [warn('Program', `runs, but this is not connected: ${names}`, 'Its log says why.')]
  } catch {
    // Nobody answers there: the program does not run, which "Workers" has said.
    return []
  }
}

async function checkDeliveries({ store }: Parts): Promise<DoctorCheck[]> {
  const failed = await store.failedDeliveries(5)
  return failed.map(({ taskId, failure }) =>
    warn(
      'Delivery',
      `task #${taskId} could not be told of: ${failure ?? ''}`,
      `Mend that, then run \`assistant redeliver ${taskId}\`.`,
    ),
  )
}

async function checkLoops({ store }: Parts): Promise<DoctorCheck[]> {
  const stopped = await readBreakers(store)
  return stopped.map(({ why, at }) =>
    warn(
      'Loops',
      `stopped at ${new Date(at).toISOString()}: ${why}`,
      'Run `assistant breaker --reset` once its cause is gone.',
    ),
  )
}
