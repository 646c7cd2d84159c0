/** The worker: planner, sandbox and claim loop on the parts that every role has. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { createPlanner } from '../planner/planner.ts'
import type { Planner } from '../ports/planner.ts'
import type { Sandbox, SandboxReport } from '../ports/sandbox.ts'
import { createBubblewrapSandbox } from '../sandbox/bubblewrap.ts'
import { createUnsandboxed } from '../sandbox/unsandboxed.ts'
import { startMaintenance } from '../worker/maintenance.ts'
import { createRetention } from '../worker/retention.ts'
import { createWorker, type Worker } from '../worker/worker.ts'
import { measureBox, sandboxLimits } from './box.ts'
import { chatsOn } from './chats.ts'
import { describeMachine } from './machine.ts'
import type { Parts } from './parts.ts'

export interface WorkerRole extends AsyncDisposable {
  report: SandboxReport
  worker: Worker
  /** Takes no more tasks and lets those it holds end; `now` interrupts them. May be called twice. */
  stop(now?: boolean): Promise<void>
}

export interface WorkerRoleOptions {
  role: string
  /** Take this task and no other. */
  only: number | null
}

export function openPlanner({
  config,
  clock,
  logger,
  redactor,
}: Pick<Parts, 'config' | 'clock' | 'logger' | 'redactor'>): Planner {
  const { model } = config
  const headers: Record<string, string> = model.apiKey === null ? {} : { Authorization: `Bearer ${model.apiKey}` }
  return createPlanner({
    host: model.host,
    model: model.name,
    headers,
    clock,
    logger,
    redactor,
    coldStartTimeoutMs: model.coldStart,
    idleTimeoutMs: model.idle,
    describeMachine,
  })
}

export function openSandbox({ config, clock, logger }: Pick<Parts, 'config' | 'clock' | 'logger'>): Sandbox {
  const options = {
    clock,
    logger,
    stateDirectory: config.stateFolder,
    slots: config.worker.concurrency,
    graceMs: config.sandbox.grace,
  }
  const hosts = config.sandbox.networkHosts
  return config.sandbox.kind === 'none'
    ? createUnsandboxed(options)
    : createBubblewrapSandbox({ ...options, network: { allowedHosts: hosts.length === 0 ? null : hosts } })
}

/** Starts to claim. The sandbox is measured first: without one that can start, nothing is claimed and SandboxError says what to do. */
export async function startWorkerRole(parts: Parts, { role, only }: WorkerRoleOptions): Promise<WorkerRole> {
  const { config, store, workspace, clock, logger, reviewer } = parts
  await using started = new AsyncDisposableStack()
  const sandbox = started.use(openSandbox(parts))
  await sandbox.sweep()
  const box = await measureBox(config, sandbox, store)
  sandbox.prepare()
  const worker = started.use(
    createWorker({
      id: randomUUID(),
      role,
      host: hostname(),
      store,
      workspace,
      planner: openPlanner(parts),
      sandbox,
      reviewer,
      box: async () => box,
      clock,
      logger,
      concurrency: config.worker.concurrency,
      leaseMs: config.worker.lease,
      stopGraceMs: config.worker.stopGrace,
      stepTimeoutMs: config.worker.stepTimeout,
      taskTimeoutMs: config.worker.taskTimeout,
      repairRounds: config.worker.repairRounds,
      approvalExpiryMs: config.approval.expiry,
      limits: sandboxLimits(config),
      printedBytes: config.limits.printed,
      environment: config.sandbox.environment,
      networkPossible: box.givesNetwork,
      only,
    }),
  )
  const { keep: keepMs, disk: diskBytes } = config.retention
  const retention = createRetention({ store, workspace, clock, logger, keepMs, diskBytes, chats: chatsOn(config) })
  // Before anything is claimed: a folder that is left over would be taken for that of a new task with its number.
  await retention.clearOrphans()
  const leaseMs = config.worker.lease
  started.use(startMaintenance({ store, clock, logger, retention, leaseMs, longestPauseMs: 30_000 }))
  await worker.start()
  const report = await sandbox.check()
  // From here on it is the role's to end, in reverse order.
  const running = started.move()
  return {
    worker,
    report,
    stop: (now) => worker.stop(now),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
