import { expect, test } from 'vitest'
import type { TaskEvent } from '../../src/core/events.ts'
import type { Store } from '../../src/ports/store.ts'
import { ANA, applied, claim, LEASE_MS, openBench, planned, plannedRound, submit, taskIn } from './store-helpers.ts'

const begin: TaskEvent = { kind: 'step_started', round: 1, index: 0 }
const hour = 3_600_000

async function leaseOf(store: Store, id: number): Promise<string> {
  return (await store.get(id))?.lease?.id ?? ''
}

test('a lease lasts as long as its heartbeat', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const id = await taskIn(store, 'running')
  await applied(store, id, begin)
  const lease = await leaseOf(store, id)
  for (let beat = 0; beat < 5; beat += 1) {
    clock.advance(LEASE_MS - 1)
    expect(await store.heartbeat({ id: 'w1', leaseMs: LEASE_MS, leases: [lease] })).toEqual({ lost: [], cancelled: [] })
    expect(await store.recoverExpired()).toBe(0)
  }
  expect(await store.nextDueAt()).toBe(clock.now() + LEASE_MS)
  expect(await store.heartbeat({ id: 'w2', leaseMs: LEASE_MS, leases: [lease] })).toEqual({
    lost: [lease],
    cancelled: [],
  })
})

test('what a dead worker held: planning goes back in line, unbegun steps wait for another, begun ones were interrupted', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const planning = await taskIn(store, 'planning')
  const unbegun = await taskIn(store, 'running')
  const begun = await taskIn(store, 'running')
  await applied(store, begun, begin)
  await applied(store, begun, { kind: 'step_ended', round: 1, index: 0, end: { kind: 'exited', code: 0 } })
  await applied(store, begun, { ...begin, index: 1 })
  const waiting = await taskIn(store, 'awaiting_approval')
  const lateLease = await leaseOf(store, begun)
  clock.advance(LEASE_MS)
  expect(await store.recoverExpired()).toBe(3)
  expect(await store.recoverExpired()).toBe(0)
  expect(await store.get(planning)).toMatchObject({ status: 'pending', lease: null })
  expect(await store.get(unbegun)).toMatchObject({ status: 'running', lease: null })
  expect(await store.get(waiting)).toMatchObject({ status: 'awaiting_approval' })
  expect(await store.get(begun)).toMatchObject({ status: 'failed', failure: { reason: 'interrupted', step: 1 } })
  expect((await store.get(begun))?.rounds[0]?.steps.map((step) => step.state)).toEqual(['ended', 'ended'])
  expect(await store.apply(begun, { kind: 'repairing', why: 'late' }, { leaseId: lateLease })).toMatchObject({
    kind: 'conflict',
  })
  expect(await store.heartbeat({ id: 'w1', leaseMs: LEASE_MS, leases: [lateLease] })).toMatchObject({
    lost: [lateLease],
  })
  expect([(await claim(store))?.id, (await claim(store))?.id, await claim(store)]).toEqual([
    planning,
    unbegun,
    undefined,
  ])
})

test.each([
  { how: 'well', ends: [0, 0], goesOn: true },
  { how: 'with a failure', ends: [1], goesOn: true },
  { how: 'well so far', ends: [0], goesOn: false },
])(
  'a dead worker whose round had ended $how: it goes on with another only where none of its steps is left to run',
  async ({ ends, goesOn }) => {
    await using bench = await openBench()
    const { store, clock } = bench
    const id = await taskIn(store, 'running')
    for (const [index, code] of ends.entries()) {
      await applied(store, id, { ...begin, index })
      await applied(store, id, { kind: 'step_ended', round: 1, index, end: { kind: 'exited', code } })
    }
    clock.advance(LEASE_MS)
    expect(await store.recoverExpired()).toBe(1)
    expect(await store.get(id)).toMatchObject({ status: goesOn ? 'running' : 'failed', lease: null })
    expect((await claim(store))?.id).toBe(goesOn ? id : undefined)
    if (!goesOn) return
    // The next one may die too.
    clock.advance(LEASE_MS)
    expect(await store.recoverExpired()).toBe(1)
    expect((await claim(store))?.id).toBe(id)
  },
)

test('a step that was stopped says nothing of what would have followed: its task was interrupted', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const id = await taskIn(store, 'running')
  await applied(store, id, begin)
  await applied(store, id, { kind: 'step_ended', round: 1, index: 0, end: { kind: 'cancelled' } })
  clock.advance(LEASE_MS)
  await store.recoverExpired()
  expect(await store.get(id)).toMatchObject({ status: 'failed', failure: { reason: 'interrupted', step: 0 } })
})

test('a wish to cancel reaches the worker by its heartbeat, and is done for a worker that died', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const ids = [await taskIn(store, 'planning'), await taskIn(store, 'running'), await taskIn(store, 'running')]
  await applied(store, ids[2] ?? 0, begin)
  for (const id of ids) await applied(store, id, { kind: 'cancel_requested', by: ANA })
  const leases = await Promise.all(ids.map((id) => leaseOf(store, id)))
  expect(await store.heartbeat({ id: 'w1', leaseMs: LEASE_MS, leases })).toEqual({ lost: [], cancelled: leases })
  clock.advance(LEASE_MS)
  expect(await store.recoverExpired()).toBe(3)
  for (const id of ids) {
    expect(await store.get(id)).toMatchObject({ status: 'cancelled', cancellation: { reason: 'cancelled', by: ANA } })
  }
})

test('a clock that is set back neither ends a lease that is alive nor keeps a dead one for the length of the jump', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const alive = await taskIn(store, 'planning')
  const dead = await taskIn(store, 'planning')
  const lease = await leaseOf(store, alive)
  clock.set(clock.now() - 24 * hour)
  expect(await store.nextDueAt()).toBe(clock.now() + LEASE_MS)
  expect(await store.recoverExpired()).toBe(0)
  clock.advance(LEASE_MS / 2)
  expect(await store.heartbeat({ id: 'w1', leaseMs: LEASE_MS, leases: [lease] })).toEqual({ lost: [], cancelled: [] })
  clock.advance(LEASE_MS / 2)
  expect(await store.recoverExpired()).toBe(1)
  expect((await store.get(alive))?.status).toBe('planning')
  expect((await store.get(dead))?.status).toBe('pending')
})

test('after a day asleep the lease is gone, unless the heartbeat comes first', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const quick = await taskIn(store, 'running')
  const slow = await taskIn(store, 'running')
  await applied(store, quick, begin)
  await applied(store, slow, begin)
  const lease = await leaseOf(store, quick)
  clock.set(clock.now() + 24 * hour)
  await store.heartbeat({ id: 'w1', leaseMs: LEASE_MS, leases: [lease] })
  expect(await store.recoverExpired()).toBe(1)
  expect((await store.get(quick))?.status).toBe('running')
  expect((await store.get(slow))?.status).toBe('failed')
})

test('an approval is reminded of at half time and then expires; a decided one is not due', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const start = clock.now()
  const id = await submit(store)
  const other = await submit(store)
  for (const task of [id, other]) {
    await claim(store, task)
    await applied(store, task, planned(start + 24 * hour))
  }
  await applied(store, other, {
    kind: 'cancelled',
    reason: 'cancelled',
    by: ANA,
    note: '',
    outputs: null,
    redactions: 0,
  })
  expect(await store.nextDueAt()).toBe(start + 12 * hour)
  expect(await store.dueApprovals(start + 12 * hour - 1)).toEqual([])
  expect(await store.dueApprovals(start + 12 * hour)).toEqual([{ taskId: id, due: 'remind' }])
  await applied(store, id, { kind: 'reminded' })
  expect(await store.dueApprovals(start + 12 * hour)).toEqual([])
  expect(await store.nextDueAt()).toBe(start + 24 * hour)
  expect(await store.dueApprovals(start + 24 * hour)).toEqual([{ taskId: id, due: 'expire' }])
  await applied(store, id, { kind: 'expired' })
  expect(await store.get(id)).toMatchObject({ status: 'cancelled', approval: { decision: 'expired' } })
  expect(await store.nextDueAt()).toBeNull()
})

test('only workers that were heard of lately are alive, also after the clock was set back', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const row = { id: 'w1', pid: 7, host: 'h', role: 'worker', heartbeatAt: clock.now(), slots: 2 }
  await store.registerWorker(row)
  clock.advance(50_000)
  await store.heartbeat({ id: 'w1', leaseMs: LEASE_MS, leases: [] })
  clock.advance(50_000)
  expect(await store.liveWorkers(60_000)).toEqual([{ ...row, heartbeatAt: row.heartbeatAt + 50_000 }])
  clock.set(row.heartbeatAt - hour)
  expect(await store.liveWorkers(60_000)).toEqual([])
  await store.removeWorker('w1')
  expect(await store.liveWorkers(Number.MAX_SAFE_INTEGER / 2)).toEqual([])
})

test('a repair begins afresh: its worker dies before its first step and another one takes it', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const id = await taskIn(store, 'running')
  await applied(store, id, begin)
  await applied(store, id, { kind: 'step_ended', round: 1, index: 0, end: { kind: 'exited', code: 1 } })
  await applied(store, id, { kind: 'repairing', why: 'exit 1' })
  await applied(store, id, { kind: 'plan_allowed', ...plannedRound(2, ['ls -a']) })
  clock.advance(LEASE_MS)
  expect(await store.recoverExpired()).toBe(1)
  expect(await claim(store)).toMatchObject({ id, status: 'running', round: 2 })
})
