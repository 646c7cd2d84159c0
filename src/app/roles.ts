/** Starting what `assistant start`, `worker`, `api` and `chat` run, and stopping it in order. */
import type { Role, RunningRoles, StartPart, StartStatus } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import { COMMAND } from '../core/command.ts'
import { errorLine, SetupError } from '../core/errors.ts'
import '../policy/policy.ts'
import { SandboxError } from '../ports/sandbox.ts'
import { startApiRole } from './api-role.ts'
import { startChatRole } from './chat-role.ts'
import { liveWorkers } from './live-workers.ts'
import { describeModel } from './model-status.ts'
import type { Parts } from './parts.ts'
import { programVersion } from './program-log.ts'
import { notifySystemd, startWatchdog } from './systemd.ts'
import { tidyMemory } from './tidy-memory.ts'
import { tryAgain } from './try-again.ts'
import { openPlanner, startWorkerRole, type WorkerRole } from './worker-role.ts'

interface Started {
  parts: StartPart[]
  ask: StartStatus['ask']
  warnings: string[]
  /** In the order of starting; stopped in reverse. */
  running: AsyncDisposable[]
  worker: WorkerRole | undefined
}

/** Starts the roles on parts that it takes over: they are closed when everything has stopped. */
export async function startRoles(parts: Parts, roles: readonly Role[]): Promise<RunningRoles> {
  // Its tables now, as the policy by the import above: no request waits until they are made.
  parts.redactor.stream()
  const started: Started = {
    parts: [],
    ask: { api: null, slack: null, discord: null, model: false, worker: false },
    warnings: [...parts.config.warnings],
    running: [],
    worker: undefined,
  }
  try {
    const model = roles.includes('worker') ? modelPart(parts, started) : undefined
    if (roles.includes('api')) await addApi(parts, started)
    if (roles.includes('chat')) await addChats(parts, started)
    await parts.inbox.resumeInputs([...parts.chats.keys()])
    if (model !== undefined) started.parts.unshift(await model)
    // Last: what fails before it leaves every task as it was.
    if (roles.includes('worker')) await addWorker(parts, started)
    else started.ask.worker = (await liveWorkers(parts.store, parts.config.worker.lease)).length > 0
  } catch (error) {
    await stopAll(parts, started)
    throw error
  }
  notifySystemd('READY=1')
  // A turn of the event loop and an answer of the store: whatever else stands still has its own deadline.
  const watchdog = startWatchdog({ clock: parts.clock, logger: parts.logger, isWell: () => parts.store.counts() })
  const tidying = tidyMemory(parts)
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  let isStopping = false
  return {
    status: { version: programVersion(), home: parts.config.home, ...pick(started) },
    stopped,
    stop() {
      if (isStopping) return
      isStopping = true
      notifySystemd('STOPPING=1')
      tidying[Symbol.dispose]()
      stopAll(parts, started)
        .finally(() => watchdog?.[Symbol.dispose]())
        .then(resolve, reject)
    },
  }
}

function pick({ parts, ask, warnings }: Started): Pick<StartStatus, 'parts' | 'ask' | 'warnings'> {
  return { parts, ask, warnings }
}

/** The running tasks first, while they can still be followed; then what tells of them, the ways in, and the store. */
async function stopAll(parts: Parts, { running, worker }: Started): Promise<void> {
  await worker?.stop()
  for (const each of running.reverse()) await each[Symbol.asyncDispose]()
  await parts[Symbol.asyncDispose]()
}

async function addWorker(parts: Parts, started: Started): Promise<void> {
  const { config, logger } = parts
  try {
    const role = await startWorkerRole(parts, { role: 'worker', only: null })
    started.worker = role
    started.running.push(role)
    started.ask.worker = true
    started.parts.push({ name: 'Worker', state: 'on', detail: `${config.worker.concurrency} tasks at once`, fix: null })
    started.parts.push(sandboxPart(config, role, started.warnings))
  } catch (error) {
    if (!(error instanceof SandboxError || error instanceof SetupError)) throw error
    logger.error({ code: error.code }, `no task can run: ${errorLine(error)}`)
    const fix = error instanceof SetupError ? error.fix : `Run \`${COMMAND} doctor\`: it says what to do.`
    started.parts.push({ name: 'Worker', state: 'problem', detail: `off: ${errorLine(error)}`, fix })
    // What it lacks may come: room on the disk, a setting of the kernel.
    if (error instanceof SandboxError) {
      started.running.push(tryAgain({ clock: parts.clock, attempt: () => startWorkerLate(parts, started) }))
    }
  }
}

async function startWorkerLate(parts: Parts, started: Started): Promise<boolean> {
  try {
    const role = await startWorkerRole(parts, { role: 'worker', only: null })
    started.worker = role
    started.running.push(role)
    parts.logger.info({}, 'tasks can run now')
    return true
  } catch (error) {
    parts.logger.error({ error: errorLine(error) }, `still no task can run: ${errorLine(error)}`)
    return false
  }
}

function sandboxPart(config: Config, role: WorkerRole, warnings: string[]): StartPart {
  const missing = role.report.layers.filter((layer) => !layer.on)
  if (config.sandbox.kind === 'none') {
    warnings.push(
      'ASSISTANT_SANDBOX=none: commands that a model wrote run as this program, with all that it can reach.',
    )
    return { name: 'Sandbox', state: 'problem', detail: 'none', fix: 'Take ASSISTANT_SANDBOX=none away.' }
  }
  const first = missing[0]
  if (first === undefined) return { name: 'Sandbox', state: 'on', detail: 'bubblewrap, every layer', fix: null }
  const detail = `bubblewrap, without ${missing.map((layer) => layer.name).join(', ')}`
  // Weak is what an ordinary user's program can have: it holds, and what it lacks is named.
  return { name: 'Sandbox', state: role.report.strength === 'none' ? 'problem' : 'on', detail, fix: first.fix }
}

async function modelPart(parts: Parts, started: Started): Promise<StartPart> {
  const status = await openPlanner(parts).status()
  started.ask.model = status.reachable && status.modelInstalled
  return { name: 'Model', state: started.ask.model ? 'on' : 'off', detail: describeModel(status), fix: status.fix }
}

async function addApi(parts: Parts, started: Started): Promise<void> {
  if (!parts.config.api.enabled) {
    started.parts.push({ name: 'API', state: 'off', detail: '', fix: 'Take ASSISTANT_API=false away.' })
    return
  }
  const api = await startApiRole(parts)
  started.running.push(api)
  started.ask.api = api.address
  started.parts.push({ name: 'API', state: 'on', detail: api.address, fix: null })
}

async function addChats(parts: Parts, started: Started): Promise<void> {
  const chats = await startChatRole(parts)
  started.running.push(chats)
  started.parts.push(...chats.parts)
  started.warnings.push(...chats.warnings)
  started.ask.slack = chats.ask.slack
  started.ask.discord = chats.ask.discord
}
