/**
 * Random interleavings of requests, claims, events, cancels, dead workers and clock jumps, through two connections, against a small model of
 * the table and of the leases. What must hold: the store does what the model does, a late worker's write never applies, and a run that has
 * begun is never begun again.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TaskEvent } from '../../src/core/events.ts'
import { isSuccess } from '../../src/core/outcome.ts'
import { isFinal, type TaskStatus } from '../../src/core/task.ts'
import { nextStatus } from '../../src/core/transitions.ts'
import type { Store } from '../../src/ports/store.ts'
import {
  ANA,
  by,
  cancelled,
  finished,
  LEASE_MS,
  openBench,
  plannedRound,
  type StoreBench,
  submit,
} from './store-helpers.ts'

type StepModel = 'waiting' | 'running' | 'well' | 'failed' | 'stopped'

interface ModelTask {
  id: number
  status: TaskStatus
  afterId: number | null
  lease: { id: string; worker: string; until: number } | null
  /** Each step of the current round. */
  steps: StepModel[]
  cancelWanted: boolean
  round: number
  /** How often each step was started, over the task's life, by round and step. */
  starts: Map<string, number>
}

interface Model {
  tasks: Map<number, ModelTask>
  /** Every lease that was ever given, with its task: the late workers. */
  given: { leaseId: string; taskId: number }[]
}

type Action =
  | { kind: 'submit'; user: number; after: number }
  | { kind: 'claim'; worker: number }
  | { kind: 'write'; lease: number; event: number }
  | { kind: 'person'; task: number; event: number }
  | { kind: 'heartbeat'; worker: number }
  | { kind: 'time'; ms: number }
  | { kind: 'recover' }

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('submit'), user: fc.nat(2), after: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('claim'), worker: fc.nat(1) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write'), lease: fc.nat(4), event: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('person'), task: fc.nat(10), event: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heartbeat'), worker: fc.nat(1) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('time'),
      ms: fc.constantFrom(1, 10_000, 30_000, 30_000, 86_400_000, -5000, -86_400_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('recover') }) },
)

const WORKER_EVENTS: readonly ((task: ModelTask) => TaskEvent)[] = [
  () => ({ kind: 'phase', phase: { kind: 'starting' } }),
  (task) => ({ kind: 'planned', expiresAt: 9e15, ...plannedRound(task.round + 1) }),
  (task) => ({ kind: 'plan_allowed', ...plannedRound(task.round + 1) }),
  (task) => ({ kind: 'plan_allowed', ...plannedRound(task.round + 1) }),
  (task) => ({ kind: 'step_started', round: task.round, index: 0 }),
  (task) => ({ kind: 'step_started', round: task.round, index: 0 }),
  (task) => ({ kind: 'step_started', round: task.round, index: 1 }),
  (task) => ({ kind: 'step_ended', round: task.round, index: 0, end: { kind: 'exited', code: 0 } }),
  (task) => ({ kind: 'step_ended', round: task.round, index: 1, end: { kind: 'exited', code: 0 } }),
  (task) => ({ kind: 'step_ended', round: task.round, index: 0, end: { kind: 'exited', code: 3 } }),
  (task) => ({ kind: 'step_ended', round: task.round, index: 0, end: { kind: 'cancelled' } }),
  (task) => ({ kind: 'repairing', why: `round ${task.round}` }),
  () => ({ kind: 'released', why: 'stopping' }),
  () => ({ kind: 'answered', answer: 'ok' }),
  () => finished(),
  () => cancelled(),
]
const PERSON_EVENTS: readonly ((task: ModelTask) => TaskEvent)[] = [
  (task) => ({ kind: 'approved', by: ANA, hash: plannedRound(task.round).hash }),
  (task) => ({ kind: 'approved', by: ANA, hash: plannedRound(task.round).hash }),
  () => ({ kind: 'rejected', by: ANA, note: '' }),
  () => ({ kind: 'cancel_requested', by: ANA }),
  () => ({ kind: 'superseded', by: ANA }),
]

/** Something of the round has begun, and it has not come to its end by itself. */
function isMidRound({ steps }: ModelTask): boolean {
  if (steps.includes('running') || steps.includes('stopped')) return true
  return steps.includes('well') && steps.includes('waiting') && !steps.includes('failed')
}

function isClaimable(model: Model, task: ModelTask): boolean {
  const first = task.afterId === null ? undefined : model.tasks.get(task.afterId)
  const waits = first !== undefined && !isFinal(first.status)
  return (
    task.lease === null && ((task.status === 'pending' && !waits) || (task.status === 'running' && !isMidRound(task)))
  )
}

/** What the model says of an event; undefined: a conflict. */
function expected(task: ModelTask, event: TaskEvent): TaskStatus | undefined {
  if (event.kind === 'step_started' && task.steps[event.index] !== 'waiting') return undefined
  if (event.kind === 'step_ended' && task.steps[event.index] !== 'running') return undefined
  if ((event.kind === 'planned' || event.kind === 'plan_allowed') && task.cancelWanted) return undefined
  if (event.kind === 'released' && task.status === 'running' && isMidRound(task)) return undefined
  return nextStatus(task.status, event.kind)
}

function move(task: ModelTask, to: TaskStatus, event: TaskEvent): void {
  task.status = to
  if (event.kind === 'planned' || event.kind === 'plan_allowed') {
    task.round = event.round
    task.steps = ['waiting', 'waiting']
  }
  if (event.kind === 'step_started') {
    const step = `${event.round}/${event.index}`
    task.steps[event.index] = 'running'
    task.starts.set(step, (task.starts.get(step) ?? 0) + 1)
  }
  if (event.kind === 'step_ended') {
    task.steps[event.index] = event.end.kind === 'cancelled' ? 'stopped' : isSuccess(event.end) ? 'well' : 'failed'
  }
  if (event.kind === 'cancel_requested') task.cancelWanted = true
  if (event.kind === 'released' || (to !== 'planning' && to !== 'running')) task.lease = null
}

function recoverModel(model: Model, now: number): number {
  let ended = 0
  for (const task of model.tasks.values()) {
    if (task.lease === null) continue
    if (task.lease.until > now + LEASE_MS) task.lease.until = now + LEASE_MS
    if (task.lease.until > now) continue
    ended += 1
    task.lease = null
    if (task.cancelWanted) task.status = 'cancelled'
    else if (task.status === 'planning') task.status = 'pending'
    else if (isMidRound(task)) task.status = 'failed'
  }
  return ended
}

async function act(bench: StoreBench, store: Store, model: Model, step: Action): Promise<void> {
  const tasks = [...model.tasks.values()]
  switch (step.kind) {
    case 'submit': {
      const after = tasks[step.after]?.id ?? null
      const id = await submit(store, { ...by(`U${step.user}`), afterId: after })
      const fresh = { lease: null, steps: [], cancelWanted: false, round: 0, starts: new Map<string, number>() }
      model.tasks.set(id, { id, status: 'pending', afterId: after, ...fresh })
      return
    }
    case 'claim': {
      const worker = `w${step.worker}`
      const claimed = await store.claim({ id: worker, leaseMs: LEASE_MS })
      const task = claimed === undefined ? undefined : model.tasks.get(claimed.id)
      if (task === undefined) return expect(tasks.filter((each) => isClaimable(model, each))).toEqual([])
      expect(isClaimable(model, task)).toBe(true)
      const leaseId = claimed?.lease?.id ?? ''
      expect(model.given.map((each) => each.leaseId)).not.toContain(leaseId)
      model.given.push({ leaseId, taskId: task.id })
      task.lease = { id: leaseId, worker, until: bench.clock.now() + LEASE_MS }
      if (task.status === 'pending') task.status = 'planning'
      return
    }
    case 'write': {
      const given = model.given.at(-1 - step.lease)
      const task = given === undefined ? undefined : model.tasks.get(given.taskId)
      if (given === undefined || task === undefined) return
      const event = WORKER_EVENTS[step.event % WORKER_EVENTS.length]?.(task) ?? finished()
      const to = task.lease?.id === given.leaseId ? expected(task, event) : undefined
      const result = await store.apply(task.id, event, { leaseId: given.leaseId })
      expect([result.kind, event.kind, task.status]).toEqual([
        to === undefined ? 'conflict' : 'applied',
        event.kind,
        task.status,
      ])
      if (to !== undefined) move(task, to, event)
      return
    }
    case 'person': {
      const task = tasks[step.task]
      if (task === undefined) return
      const event = PERSON_EVENTS[step.event % PERSON_EVENTS.length]?.(task) ?? cancelled()
      const to = expected(task, event)
      const result = await store.apply(task.id, event, { status: task.status })
      expect(result.kind).toBe(to === undefined ? 'conflict' : 'applied')
      if (to !== undefined) move(task, to, event)
      return
    }
    case 'heartbeat': {
      const worker = `w${step.worker}`
      const ours = tasks.flatMap((task) => (task.lease?.worker === worker ? [task] : []))
      const leases = ours.flatMap((task) => (task.lease === null ? [] : [task.lease.id]))
      const answer = await store.heartbeat({ id: worker, leaseMs: LEASE_MS, leases: [...leases, 'never given'] })
      expect(answer.lost).toEqual(['never given'])
      expect(answer.cancelled).toHaveLength(ours.filter((task) => task.cancelWanted).length)
      for (const task of ours) if (task.lease !== null) task.lease.until = bench.clock.now() + LEASE_MS
      return
    }
    case 'time':
      bench.clock.set(bench.clock.now() + step.ms)
      return
    case 'recover':
      expect(await store.recoverExpired()).toBe(recoverModel(model, bench.clock.now()))
  }
}

async function compare(store: Store, model: Model): Promise<void> {
  const counts = { ...(await store.counts()) }
  for (const task of model.tasks.values()) {
    const stored = await store.get(task.id)
    expect({ status: stored?.status, lease: stored?.lease ?? null, round: stored?.round }).toEqual({
      status: task.status,
      lease: task.lease === null ? null : { id: task.lease.id, workerId: task.lease.worker, until: task.lease.until },
      round: task.round,
    })
    const events = await store.events({ taskId: task.id, afterId: 0, limit: 500 })
    const starts = events.filter(({ event }) => event.kind === 'step_started').length
    expect(starts).toBe([...task.starts.values()].reduce((sum, count) => sum + count, 0))
    expect(Math.max(0, ...task.starts.values())).toBeLessThanOrEqual(1)
    counts[task.status] -= 1
  }
  expect(Object.values(counts).every((count) => count === 0)).toBe(true)
}

test('whatever comes in whatever order, the store does what the table and the leases say', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 40, maxLength: 120 }), async (steps) => {
      await using bench = await openBench({ synchronous: 'normal' })
      const stores = [bench.store, await bench.open()]
      const model: Model = { tasks: new Map(), given: [] }
      for (const [index, step] of steps.entries()) await act(bench, stores[index % 2] ?? bench.store, model, step)
      await compare(bench.store, model)
    }),
    // A machine that is busy with other things does fewer.
    { numRuns: 120, interruptAfterTimeLimit: 40_000 },
  )
})
