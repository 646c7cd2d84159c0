/** The real store, workspace, inbox, policy, sandbox and worker in a folder of their own, for the faces' tests. Only the model is scripted. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedactor } from '../../src/core/redact.ts'
import type { Box } from '../../src/core/review.ts'
import { createInbox } from '../../src/inbox/inbox.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { SandboxLimits } from '../../src/ports/sandbox.ts'
import type { Store } from '../../src/ports/store.ts'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { createStore } from '../../src/store/create-store.ts'
import { createWorker, type Worker } from '../../src/worker/worker.ts'
import { createWorkspace } from '../../src/workspace/workspace.ts'
import { type ScriptedReply, scriptedPlanner } from '../fakes/scripted-planner.ts'

const MB = 1024 * 1024
const LIMITS: SandboxLimits = {
  memoryBytes: 512 * MB,
  processes: 64,
  cpuSeconds: 60,
  fileBytes: 64 * MB,
  diskBytes: 256 * MB,
  openFiles: 1024,
  scratchBytes: 64 * MB,
}
const BOX: Box = { strength: 'full', layers: ['bubblewrap'], environment: {}, limits: {} }
const NOBODY = { scopes: [], channels: [], users: [], groups: [], admins: [], approvers: [] }
const quiet = () => undefined
const LOGGER = { debug: quiet, info: quiet, warn: quiet, error: quiet }

/** Real time: real processes run by it. */
export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

export interface RealApp extends AsyncDisposable {
  home: string
  inbox: Inbox
  store: Store
  /** A worker that is not started yet. */
  makeWorker(only?: number): Worker
}

/** `script`: the model's replies, in order; verbatim tasks need none. */
export async function openRealApp(script: readonly ScriptedReply[] = []): Promise<RealApp> {
  const home = await mkdtemp(join(tmpdir(), 'assistant-faces-'))
  const common = { clock: realClock, logger: LOGGER }
  const store = await createStore({ ...common, file: join(home, 'tasks.db'), synchronous: 'normal' })
  const workspace = createWorkspace({
    ...common,
    root: join(home, 'tasks'),
    redactor: createRedactor({ secrets: [] }),
    limits: { logBytes: 8 * MB, outputFiles: 1000, outputBytes: 256 * MB, inputBytes: 16 * MB, inputs: 20, depth: 16 },
  })
  const policy = createPolicy({ rules: [] })
  const review: Parameters<typeof createInbox>[0]['review'] = (plan, sandbox) => policy.review(plan, { sandbox })
  const inbox = createInbox({
    ...common,
    store,
    workspace,
    access: { slack: NOBODY, discord: NOBODY, approverIsNotRequester: false, anyoneMayCancel: false },
    limits: { perRequester: 1e9, perPlace: 1e9, total: 1e9 },
    review,
    box: async () => BOX,
    approvalExpiryMs: 60_000,
    fetchInput: () => Promise.reject(new Error('no chat here')),
  })
  const stateDirectory = join(home, 'state')
  await mkdir(stateDirectory, { mode: 0o700 })
  const sandbox = createBubblewrapSandbox({ ...common, stateDirectory, slots: 2, graceMs: 200 })
  const planner = scriptedPlanner(script)
  let workers = 0
  return {
    home,
    inbox,
    store,
    makeWorker: (only) =>
      createWorker({
        ...common,
        id: `worker-${++workers}`,
        role: 'test',
        host: 'here',
        store,
        workspace,
        planner,
        sandbox,
        review,
        box: async () => BOX,
        concurrency: 2,
        leaseMs: 30_000,
        stopGraceMs: 0,
        stepTimeoutMs: 30_000,
        taskTimeoutMs: 60_000,
        repairRounds: 1,
        approvalExpiryMs: 60_000,
        limits: LIMITS,
        printedBytes: 64 * MB,
        environment: {},
        networkPossible: false,
        only: only ?? null,
      }),
    async [Symbol.asyncDispose]() {
      await inbox[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  }
}
