/** Real store, workspace, policy, inbox, sandbox and worker in a folder of their own; only the model and the clock are a test's. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Actor, API_SCOPES } from '../../src/core/actor.ts'
import type { AccessRules } from '../../src/core/authorize.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { Box } from '../../src/core/review.ts'
import { isFinal, type Task, type TaskStatus } from '../../src/core/task.ts'
import { createInbox, type InboxOptions, type RunningInbox } from '../../src/inbox/inbox.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import type { Rule } from '../../src/policy/rules.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Planner } from '../../src/ports/planner.ts'
import type { Sandbox } from '../../src/ports/sandbox.ts'
import type { Store } from '../../src/ports/store.ts'
import type { Workspace } from '../../src/ports/workspace.ts'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { createStore } from '../../src/store/create-store.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { createWorker, type Worker } from '../../src/worker/worker.ts'
import { createWorkspace } from '../../src/workspace/workspace.ts'
import { type ManualClock, manualClock } from './manual-clock.ts'
import { type ScriptedReply, scriptedPlanner } from './scripted-planner.ts'

const NOBODY = { scopes: [], channels: [], users: [], groups: [], admins: [], approvers: [] }
const MEBIBYTE = 1024 ** 2

/** Everybody in workspace T1 may ask; `boss` is an admin. */
export const OPEN_ACCESS: AccessRules = {
  slack: { ...NOBODY, users: ['*'], scopes: ['T1'], admins: ['boss'] },
  discord: { ...NOBODY, users: ['*'], scopes: ['G1'], admins: ['boss'] },
  approverIsNotRequester: false,
  anyoneMayCancel: false,
}

export function person(userId: string, more: Partial<Actor> = {}): Actor {
  const place = { platform: 'slack', scope: 'T1', channelId: 'C1', isDirect: false } as const
  return { ...place, userId, name: userId, groups: [], isBot: false, isGuest: false, apiScopes: [], ...more }
}

export const LOCAL: Actor = person('local', { platform: 'cli', scope: '', channelId: '', apiScopes: API_SCOPES })

export interface AssemblyOptions {
  replies?: readonly ScriptedReply[]
  summary?: string
  planner?: Planner
  /** Default: the assembly's own manual clock. */
  clock?: Clock
  box?: Partial<Box>
  access?: AccessRules
  rules?: readonly Rule[]
  inbox?: Partial<InboxOptions>
  worker?: Partial<WorkerOptions>
}

export interface Assembly extends AsyncDisposable {
  folder: string
  clock: ManualClock
  store: Store
  workspace: Workspace
  inbox: RunningInbox
  sandbox: Sandbox
  logged: string[]
  box: Box
  /** A worker that has not started; ended with the assembly, as all are. */
  makeWorker(options?: Partial<WorkerOptions>): Worker
  startWorker(options?: Partial<WorkerOptions>): Promise<Worker>
  /** Submits as the local person. */
  ask(text: string): Promise<Task>
  /** Lets the clock go on while `what` is waited for: for whatever ends processes. */
  passing<T>(what: Promise<T>): Promise<T>
  /** The task once it has this status, or any final one; the clock goes on meanwhile. */
  until(taskId: number, status?: TaskStatus): Promise<Task>
  events(taskId: number): Promise<string[]>
}

export const TEST_LIMITS = {
  memoryBytes: 256 * MEBIBYTE,
  processes: 64,
  cpuSeconds: 60,
  fileBytes: 64 * MEBIBYTE,
  diskBytes: 128 * MEBIBYTE,
  openFiles: 256,
  scratchBytes: 32 * MEBIBYTE,
}

export async function assemble(options: AssemblyOptions = {}): Promise<Assembly> {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-'))
  chmodSync(folder, 0o755)
  const manual = manualClock()
  const clock = options.clock ?? manual
  const logged: string[] = []
  const log = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`)
  const logger: Logger = { debug: log, info: log, warn: log, error: log }
  const store = await createStore({ file: join(folder, 'tasks.db'), clock, logger, synchronous: 'normal' })
  const workspace = createWorkspace({
    root: join(folder, 'tasks'),
    clock,
    logger,
    redactor: createRedactor({ secrets: ['the-secret-of-this-test'] }),
    limits: {
      logBytes: MEBIBYTE,
      outputFiles: 1000,
      outputBytes: 64 * MEBIBYTE,
      inputBytes: MEBIBYTE,
      inputs: 10,
      depth: 16,
    },
  })
  const policy = createPolicy({ rules: options.rules ?? [] })
  const reviewer: WorkerOptions['reviewer'] = {
    review: (plan, { strength }) => policy.review(plan, { sandbox: strength }),
    networkNeeded: (plan) => policy.networkNeeded(plan),
  }
  const sandbox = createBubblewrapSandbox({
    clock,
    logger,
    stateDirectory: join(folder, 'run'),
    slots: 2,
    graceMs: 100,
  })
  const box: Box = {
    strength: 'full',
    givesNetwork: true,
    layers: ['test'],
    environment: {},
    limits: { ...TEST_LIMITS },
    ...options.box,
  }
  const inbox = createInbox({
    store,
    workspace,
    clock,
    logger,
    reviewer,
    access: options.access ?? OPEN_ACCESS,
    limits: { perRequester: 100, perPlace: 100, total: 1000 },
    box: async () => box,
    approvalExpiryMs: 86_400_000,
    fetchInput: () => Promise.reject(new Error('no chat here')),
    ...options.inbox,
  })
  const planner =
    options.planner ??
    scriptedPlanner(options.replies ?? [], options.summary === undefined ? {} : { summary: options.summary })
  const workers: Worker[] = []
  const base: WorkerOptions = {
    id: 'worker-1',
    role: 'test',
    host: 'here',
    store,
    workspace,
    planner,
    sandbox,
    reviewer,
    clock,
    logger,
    box: async () => box,
    concurrency: 2,
    leaseMs: 30_000,
    stopGraceMs: 1000,
    stepTimeoutMs: 60_000,
    taskTimeoutMs: 600_000,
    repairRounds: 2,
    approvalExpiryMs: 86_400_000,
    limits: TEST_LIMITS,
    printedBytes: 512 * MEBIBYTE,
    environment: {},
    networkPossible: false,
    only: null,
    ...options.worker,
  }
  function makeWorker(more: Partial<WorkerOptions> = {}): Worker {
    const worker = createWorker({ ...base, id: `worker-${workers.length + 1}`, ...more })
    workers.push(worker)
    return worker
  }
  async function untilStatus(taskId: number, status: TaskStatus | undefined): Promise<Task> {
    for await (const task of inbox.watch(LOCAL, taskId, AbortSignal.timeout(90_000))) {
      if (task.status === status || isFinal(task.status)) return task
    }
    throw new Error(`task ${taskId} did not get there: ${logged.join('\n')}`)
  }
  /** The grace between TERM and KILL is the clock's: a process that was missed by TERM is ended only when time goes on. */
  async function passing<T>(what: Promise<T>): Promise<T> {
    const ticking = setInterval(() => manual.advance(100), 250)
    return what.finally(() => clearInterval(ticking))
  }
  return {
    folder,
    clock: manual,
    store,
    workspace,
    inbox,
    sandbox,
    logged,
    box,
    makeWorker,
    async startWorker(more) {
      const worker = makeWorker(more)
      await worker.start()
      return worker
    },
    async ask(text) {
      const outcome = await inbox.submit({
        actor: LOCAL,
        text,
        place: null,
        attachments: [],
        dedupeKey: null,
        model: null,
      })
      if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome))
      return outcome.task
    },
    passing,
    until: (taskId, status) => passing(untilStatus(taskId, status)),
    async events(taskId) {
      const events = await store.events({ taskId, afterId: 0, limit: 1000 })
      return events.map((each) => each.event.kind).filter((kind) => kind !== 'phase')
    },
    async [Symbol.asyncDispose]() {
      for (const worker of workers) await worker[Symbol.asyncDispose]()
      await inbox[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
    },
  }
}
