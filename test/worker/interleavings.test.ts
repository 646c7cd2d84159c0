/**
 * Real workers on a real store, driven by chance: requests, decisions, steps and answers that end in any order, workers that die, that stand
 * still past their lease and go on, that are stopped, and clocks that jump. What must hold at the end: every request has come to an end by
 * DESIGN's table, no step ran twice, and only what a command was running of is called interrupted.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ApprovedPlan } from '../../src/core/approval.ts'
import type { StepEnd } from '../../src/core/outcome.ts'
import { endOfRound } from '../../src/core/resume.ts'
import type { Box } from '../../src/core/review.ts'
import { currentRound, isFinal, type Task, type TaskStatus } from '../../src/core/task.ts'
import { nextStatus } from '../../src/core/transitions.ts'
import type { Sandbox, SandboxSession } from '../../src/ports/sandbox.ts'
import { type Store, StoreError } from '../../src/ports/store.ts'
import type { LogWriter } from '../../src/ports/workspace.ts'
import { createWorker, type Worker } from '../../src/worker/worker.ts'
import { TEST_LIMITS } from '../fakes/assembly.ts'
import { memoryWorkspace } from '../fakes/memory-workspace.ts'
import { scriptedPlan, scriptedPlanner } from '../fakes/scripted-planner.ts'
import {
  ANA,
  by,
  cancelled,
  LEASE_MS,
  openBench,
  quietLogger,
  type StoreBench,
  submit,
} from '../store/store-helpers.ts'

const ACTIONS = [
  'ask',
  'step',
  'step',
  'step',
  'model',
  'model',
  'decide',
  'cancel',
  'die',
  'pause',
  'go on',
  'stop',
  'time',
  'jump',
  'recover',
] as const
type Action = { kind: (typeof ACTIONS)[number]; at: number }
const action: fc.Arbitrary<Action> = fc.record({ kind: fc.constantFrom(...ACTIONS), at: fc.nat(20) })

const BOX: Box = {
  strength: 'full',
  givesNetwork: false,
  layers: ['test'],
  environment: {},
  limits: { ...TEST_LIMITS },
}
const TURNS = 12

/** Something that a worker waits for until the test lets it end, or its signal does. */
class Waits<T> {
  readonly #open = new Set<(value: T) => void>()

  wait(signal: AbortSignal, aborted: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        if (!this.#open.delete(resolve)) return
        try {
          resolve(aborted())
        } catch (error) {
          reject(error)
        }
      }
      this.#open.add(resolve)
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  settle(at: number, value: T): void {
    const end = [...this.#open][at % Math.max(1, this.#open.size)]
    if (end === undefined) return
    this.#open.delete(end)
    end(value)
  }
}

/** What stands between a worker and the store: open, closed for ever as for one that was killed, or shut for a while as for one that stands still. */
interface Line {
  store: Store
  cut(): void
  shut(): void
  open(): void
}

function lineTo(store: Store): Line {
  let isCut = false
  let gate: PromiseWithResolvers<void> | undefined
  async function pass<T>(ask: () => Promise<T>): Promise<T> {
    await gate?.promise
    if (isCut) throw new StoreError('closed', 'nobody is there any more')
    return ask()
  }
  return {
    store: {
      ...store,
      claim: (...args) => pass(() => store.claim(...args)),
      apply: (...args) => pass(() => store.apply(...args)),
      heartbeat: (...args) => pass(() => store.heartbeat(...args)),
      registerWorker: (...args) => pass(() => store.registerWorker(...args)),
    },
    cut() {
      isCut = true
      gate?.resolve()
    },
    shut() {
      gate ??= Promise.withResolvers()
    },
    open() {
      gate?.resolve()
      gate = undefined
    },
  }
}

class World {
  readonly bench: StoreBench
  readonly steps = new Waits<StepEnd>()
  readonly thoughts = new Waits<void>()
  /** How often each step really ran. */
  readonly ran = new Map<string, number>()
  readonly ids: number[] = []
  sessions = 0
  #made = 0
  #lines: Line[] = []
  #workers: Worker[] = []

  constructor(bench: StoreBench) {
    this.bench = bench
  }

  async startWorker(at: number): Promise<void> {
    const line = lineTo(this.bench.store)
    const { clock } = this.bench
    this.#made += 1
    const worker = createWorker({
      ...{ id: `worker-${this.#made}`, role: 'test', host: 'here', store: line.store, clock, logger: quietLogger() },
      ...{ workspace: this.#workspace(), planner: this.#planner(), sandbox: this.#sandbox(), box: async () => BOX },
      reviewer: {
        networkNeeded: () => null,
        review: (plan) => {
          const decision = plan.summary === 'asks' ? 'ask' : 'allow'
          return { decision, reasons: [], steps: plan.commands.map(() => ({ decision, badges: [], reasons: [] })) }
        },
      },
      ...{
        concurrency: 2,
        leaseMs: LEASE_MS,
        stopGraceMs: 1000,
        stepTimeoutMs: 1e9,
        taskTimeoutMs: 1e9,
        repairRounds: 1,
      },
      ...{
        approvalExpiryMs: 1e12,
        limits: TEST_LIMITS,
        printedBytes: 1e9,
        environment: {},
        networkPossible: false,
        only: null,
      },
    })
    this.#lines[at] = line
    this.#workers[at] = worker
    await worker.start()
  }

  async replace(at: number, how: 'die' | 'stop'): Promise<void> {
    const [line, worker] = [this.#lines[at], this.#workers[at]]
    if (how === 'die') line?.cut()
    line?.open()
    await worker?.stop(true)
    await this.startWorker(at)
  }

  line(at: number): Line | undefined {
    return this.#lines[at]
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async stop(): Promise<void> {
    for (const line of this.#lines) line.open()
    for (const worker of this.#workers) await worker.stop(true)
  }

  #planner() {
    return {
      ...scriptedPlanner([]),
      plan: async (
        { history, taskId }: { history: readonly unknown[]; taskId: number },
        { signal }: { signal: AbortSignal },
      ) => {
        const answer = taskId % 5 === 0 ? ({ kind: 'answer', answer: '42', model: 'm' } as const) : undefined
        await this.thoughts.wait(signal, () => signal.throwIfAborted())
        return (
          answer ??
          scriptedPlan(history.length > 0 ? ['mend'] : ['one', 'two'], { summary: taskId % 3 === 0 ? 'asks' : 'runs' })
        )
      },
      summarize: async (_request: unknown, { signal }: { signal: AbortSignal }) => {
        await this.thoughts.wait(signal, () => signal.throwIfAborted())
        return 'It is done.'
      },
    }
  }

  #sandbox(): Sandbox {
    const open = (taskId: number): SandboxSession => {
      this.sessions += 1
      let isOpen = true
      return {
        run: async (plan: ApprovedPlan, index, { signal }) => {
          const key = `${taskId}/${plan.hash}/${index}`
          this.ran.set(key, (this.ran.get(key) ?? 0) + 1)
          return this.steps.wait(signal, () => ({ kind: 'cancelled' }))
        },
        [Symbol.asyncDispose]: async () => {
          if (isOpen) this.sessions -= 1
          isOpen = false
        },
      }
    }
    return {
      owner: () => null,
      check: async () => ({ kind: 'none', strength: 'full', layers: [], givesNetwork: false }),
      prepare: () => undefined,
      open: async ({ taskId }) => open(taskId),
      start: ({ taskId }) => ({ open: async () => open(taskId), [Symbol.asyncDispose]: async () => undefined }),
      sweep: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    }
  }

  #workspace() {
    const nothing = async () => undefined
    const log: LogWriter = {
      ...{
        stepStarted: nothing,
        write: () => undefined,
        stepEnded: nothing,
        note: nothing,
        redactions: 0,
        printedBytes: 0,
      },
      [Symbol.asyncDispose]: nothing,
    }
    return { ...memoryWorkspace(), prepare: nothing, openLog: async () => log }
  }
}

/** Lets everything that can happen without the test happen. */
async function settle({ bench }: World): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await bench.store.counts().then(() => new Promise(setImmediate))
}

async function act(world: World, { kind, at }: Action): Promise<void> {
  const { store, clock } = world.bench
  const taskId = world.ids[at % Math.max(1, world.ids.length)]
  const who = at % 2
  if (kind === 'ask') world.ids.push(await submit(store, by(`U${at % 3}`)))
  if (kind === 'step') world.steps.settle(at, { kind: 'exited', code: at % 4 === 0 ? 3 : 0 })
  if (kind === 'model') world.thoughts.settle(at, undefined)
  if (kind === 'decide' && taskId !== undefined) await decide(store, taskId, at)
  if (kind === 'cancel' && taskId !== undefined && at % 3 === 0) await cancel(store, taskId)
  if (kind === 'die' || kind === 'stop') await world.replace(who, kind)
  if (kind === 'pause') world.line(who)?.shut()
  if (kind === 'go on') world.line(who)?.open()
  if (kind === 'time') clock.advance(at * 1500)
  if (kind === 'jump') clock.set(clock.now() + (at % 2 === 0 ? LEASE_MS : -86_400_000))
  if (kind === 'recover') await store.recoverExpired()
}

async function decide(store: Store, taskId: number, at: number): Promise<void> {
  const task = await store.get(taskId)
  if (task?.status !== 'awaiting_approval') return
  const { hash } = task.approval
  const event =
    at % 4 === 0 ? ({ kind: 'rejected', by: ANA, note: '' } as const) : ({ kind: 'approved', by: ANA, hash } as const)
  await store.apply(taskId, event, { status: 'awaiting_approval', hash })
}

async function cancel(store: Store, taskId: number): Promise<void> {
  const status = (await store.get(taskId))?.status
  const isHeld = status === 'planning' || status === 'running'
  await store.apply(taskId, isHeld ? { kind: 'cancel_requested', by: ANA } : cancelled(), {})
}

/** Nothing dies any more, and whatever waits is let go on until all has ended. */
async function calmDown(world: World): Promise<void> {
  const { store, clock } = world.bench
  for (const at of [0, 1]) world.line(at)?.open()
  const live = async () =>
    (await Promise.all(world.ids.map((id) => store.get(id)))).some(
      (task) => task !== undefined && !isFinal(task.status),
    )
  for (let round = 0; round < 300 && (await live()); round += 1) {
    await act(world, { kind: 'step', at: 1 })
    await act(world, { kind: 'model', at: 1 })
    for (const id of world.ids) await decide(store, id, 1)
    clock.advance(LEASE_MS / 3)
    await settle(world)
    await store.recoverExpired()
  }
}

async function check({ bench: { store }, ids, ran }: World): Promise<void> {
  for (const id of ids) {
    const task = await store.get(id)
    if (task === undefined) throw new Error(`task ${id} is lost`)
    expect({ id, isFinal: isFinal(task.status), lease: task.lease }).toEqual({ id, isFinal: true, lease: null })
    const events = (await store.events({ taskId: id, afterId: 0, limit: 1000 })).map(({ event }) => event)
    let status: TaskStatus = 'pending'
    for (const event of events.slice(1)) status = nextStatus(status, event.kind) ?? 'cancelled'
    expect(status).toBe(task.status)
    const starts = events.flatMap((event) => (event.kind === 'step_started' ? [`${event.round}/${event.index}`] : []))
    expect(new Set(starts).size).toBe(starts.length)
    const own = [...ran].filter(([key]) => key.startsWith(`${id}/`))
    expect(own.filter(([, count]) => count > 1)).toEqual([])
    expect(own.length).toBeLessThanOrEqual(starts.length)
    checkEnd(task)
  }
}

function checkEnd(task: Task): void {
  const round = currentRound(task)
  const end = round === undefined ? undefined : endOfRound(round)
  if (task.status === 'done' && round !== undefined) expect(end?.end).toEqual({ kind: 'exited', code: 0 })
  if (task.status !== 'failed') return
  expect(task.failure.reason).toMatch(/^(interrupted|step_failed)$/)
  // A step that was running when its worker died is ended by the recovery, as one that nobody saw end.
  if (task.failure.reason === 'interrupted') expect(end === undefined || end.end.kind === 'sandbox_died').toBe(true)
  if (task.failure.reason === 'step_failed') expect(end?.end).toEqual({ kind: 'exited', code: 3 })
}

test('whoever dies, stands still or is stopped: every request comes to its end, no step runs twice, and what is called interrupted was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 30, maxLength: 100 }), async (actions) => {
      await using bench = await openBench({ synchronous: 'normal' })
      await using world = new World(bench)
      for (const at of [0, 1]) await world.startWorker(at)
      for (const each of actions) {
        await act(world, each)
        await settle(world)
      }
      await calmDown(world)
      await check(world)
      // One that has lost its task hears of it with its next heartbeat; when it is stopped, nothing of any task runs any more.
      await world.stop()
      expect(world.sessions).toBe(0)
    }),
    // A machine that is busy with other things does fewer.
    { numRuns: 60, interruptAfterTimeLimit: 40_000 },
  )
})
