/** `assistant doctor`: what works on this machine, what does not, and the one thing to do about each. */
import { existsSync, statfsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { DoctorCheck } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import { COMMAND } from '../core/command.ts'
import { errorLine, SetupError } from '../core/errors.ts'
import { formatCount } from '../core/format.ts'
import { readBreakers } from '../inbox/breaker.ts'
import { SandboxError } from '../ports/sandbox.ts'
import { type ChatCheckOptions, checkChats } from './chat-checks.ts'
import { chatPrograms } from './chats.ts'
import { liveWorkers } from './live-workers.ts'
import { describeModel } from './model-status.ts'
import { openParts, type Parts } from './parts.ts'
import { openPlanner, openSandbox } from './worker-role.ts'

const LOW_DISK_BYTES = 1024 ** 3
const NODE_MAJOR = 24

export async function doctor(config: Config, options: ChatCheckOptions): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [checkNode(), ...config.warnings.map((warning) => warn('Settings', warning, warning))]
  try {
    await using place = await openPlace(config)
    await using parts = await openParts(place.config, { writeLog: () => undefined })
    checks.push(await checkStore(parts, config), checkDisk(config), ...(await checkSandbox(parts)))
    checks.push(
      await checkModel(parts),
      await checkWorkers(parts),
      await checkApi(config),
      ...(await checkReady(config)),
    )
    checks.push(...(await checkChats(parts, options)), ...(await checkDeliveries(parts)))
    checks.push(...(await checkUntold(parts)), ...(await checkLoops(parts)))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    checks.push({ name: 'Store', state: 'failed', detail: errorLine(error), fix: error.fix })
  }
  return checks
}

/** Looking changes nothing: where there is no store yet, one that is gone afterwards stands in for it, on the same disk. */
async function openPlace(config: Config): Promise<{ config: Config } & AsyncDisposable> {
  if (existsSync(config.databaseFile)) return { config, [Symbol.asyncDispose]: async () => undefined }
  const home = existingFolder(config.home)
  const folder = await mkdtemp(join(home, '.assistant-doctor-')).catch((error: unknown) => {
    const fix = 'Give the user that runs this program write access there, or set another ASSISTANT_HOME.'
    throw new SetupError('home_cannot_write', `Nothing can be written to ${home}: ${errorLine(error)}`, fix, {
      cause: error,
    })
  })
  // The tasks' users pass through it, as through the home folder.
  await chmod(folder, 0o711)
  const inFolder = {
    databaseFile: join(folder, 'tasks.db'),
    tasksFolder: join(folder, 'tasks'),
    stateFolder: join(folder, 'run'),
  }
  return {
    config: { ...config, ...inFolder },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

function existingFolder(path: string): string {
  return existsSync(path) ? path : existingFolder(dirname(path))
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

async function checkStore({ store }: Parts, config: Config): Promise<DoctorCheck> {
  if (!existsSync(config.databaseFile)) return ok('Store', `none yet: the first start makes ${config.databaseFile}`)
  const counts = await store.counts()
  const total = Object.values(counts).reduce((sum, each) => sum + each, 0)
  return ok('Store', `${config.databaseFile}: ${total} tasks, ${counts.pending} waiting, ${counts.running} running`)
}

function checkDisk(config: Config): DoctorCheck {
  const { bavail, bsize } = statfsSync(existingFolder(config.home))
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
  if (workers.length === 0) return warn('Workers', 'none is running', `Run \`npm start\`, or \`${COMMAND} worker\`.`)
  return ok('Workers', workers.map(({ host, pid, slots }) => `${host} (pid ${pid}, ${slots} at once)`).join(', '))
}

async function checkApi({ api }: Config): Promise<DoctorCheck> {
  if (!api.enabled) return ok('API', 'off')
  const tokens = api.tokens.length + (api.token === null ? 0 : 1)
  if (tokens === 0 && !isLoopback(api.host)) {
    const fix = 'Set ASSISTANT_API_TOKEN, or take ASSISTANT_API_HOST away.'
    return { name: 'API', state: 'failed', detail: `it does not listen on ${api.host} without a token`, fix }
  }
  const who = tokens === 0 ? 'this machine only, no token' : formatCount(tokens, 'token')
  if (api.port === 0) return ok('API', `on a port that the system chooses, ${who}`)
  const address = apiAddress(api)
  const answer = await fetch(`${address}/healthz`, { signal: AbortSignal.timeout(READY_MS) }).catch(() => undefined)
  const start = `Run \`npm start\`, or \`${COMMAND} api\`.`
  if (answer === undefined) return warn('API', `not running; it would be on ${address}, ${who}`, start)
  if (answer.ok && healthSchema.safeParse(await answer.json().catch(() => undefined)).success) {
    return ok('API', `${address}, ${who}`)
  }
  return warn('API', `another program answers on ${address}`, 'Set another ASSISTANT_API_PORT, or end that program.')
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** Where it is reached from here: "all addresses" is none to connect to. */
function apiAddress({ host, port }: Config['api']): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}

const healthSchema = z.object({ status: z.literal('ok'), version: z.string() })
const readySchema = z.object({ checks: z.array(z.object({ name: z.string(), ok: z.boolean() })) })
const READY_MS = 2000

/** What the program that runs says of itself: the chats' connections are in it alone. */
async function checkReady({ api }: Config): Promise<DoctorCheck[]> {
  if (!api.enabled || api.port === 0) return []
  try {
    const answer = await fetch(`${apiAddress(api)}/readyz`, { signal: AbortSignal.timeout(READY_MS) })
    const bad = readySchema.parse(await answer.json()).checks.filter((check) => !check.ok)
    if (bad.length === 0) return [ok('Program', 'runs, and everything in it is connected')]
    const names = bad.map(({ name }) => name).join(', ')
    return [warn('Program', `runs, but this is not connected: ${names}`, 'Its log says why.')]
  } catch {
    // Nobody answers there: the program does not run, which "API" has said.
    return []
  }
}

async function checkDeliveries({ store }: Parts): Promise<DoctorCheck[]> {
  const failed = await store.failedDeliveries(5)
  return failed.map(({ taskId, failure }) =>
    warn(
      'Delivery',
      `task #${taskId} could not be told of: ${failure ?? ''}`,
      `Mend that, then run \`${COMMAND} redeliver ${taskId}\`.`,
    ),
  )
}

const MAX_UNTOLD = 100

/** Threads of a chat that is off are told of nothing; they are not failures until nobody has switched it on for as long as tasks are kept. */
async function checkUntold({ store, config }: Parts): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = []
  for (const name of ['slack', 'discord'] as const) {
    const { title, hasTokens } = chatPrograms[name]
    const count = hasTokens(config) ? 0 : (await store.unsettledDeliveries([name], MAX_UNTOLD)).length
    if (count === 0) continue
    const tasks = `${formatCount(count, 'task')}${count === MAX_UNTOLD ? ' or more' : ''}`
    const fix = `Run \`${COMMAND} setup ${name}\` to have it told; else it goes with what is not kept any longer.`
    checks.push(warn('Delivery', `${tasks} not told to the end in ${title}, which is off`, fix))
  }
  return checks
}

async function checkLoops({ store }: Parts): Promise<DoctorCheck[]> {
  const stopped = await readBreakers(store)
  return stopped.map(({ why, at }) =>
    warn(
      'Loops',
      `stopped at ${new Date(at).toISOString()}: ${why}`,
      `Run \`${COMMAND} breaker --reset\` once its cause is gone.`,
    ),
  )
}
