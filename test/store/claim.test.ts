import { expect, test } from 'vitest'
import type { InputFile } from '../../src/core/task.ts'
import {
  ANA,
  applied,
  by,
  cancelled,
  claim,
  LEASE_MS,
  NO_LIMITS,
  newTask,
  openBench,
  plannedRound,
  submit,
  taskIn,
} from './store-helpers.ts'

const HASH = plannedRound().hash
const waitingInput: InputFile = {
  name: 'a.csv',
  sizeBytes: 3,
  mimeType: null,
  source: { kind: 'chat', platform: 'slack', ref: 'F1' },
  state: 'waiting',
  problem: null,
}

test('a pending task is planned by whoever claims it, with a lease of its own', async () => {
  await using bench = await openBench()
  const id = await submit(bench.store)
  const task = await claim(bench.store)
  expect(task).toMatchObject({ id, status: 'planning', startedAt: bench.clock.now() })
  expect(task?.lease).toMatchObject({ workerId: 'w1', until: bench.clock.now() + LEASE_MS })
  expect(await claim(bench.store)).toBeUndefined()
})

test('an approved task is claimed as it is, and its old lease is worth nothing', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await submit(store)
  const first = (await claim(store))?.lease?.id ?? ''
  await applied(store, id, { kind: 'planned', expiresAt: Date.UTC(2031, 0, 1), ...plannedRound() })
  await applied(store, id, { kind: 'approved', by: ANA, hash: HASH })
  const second = await claim(store)
  expect(second).toMatchObject({ id, status: 'running' })
  expect(second?.lease?.id).not.toBe(first)
  const late = await store.apply(id, { kind: 'step_started', round: 1, index: 0 }, { leaseId: first })
  expect(late.kind).toBe('conflict')
})

test('claims that come at once get a task each', async () => {
  await using bench = await openBench()
  const ids = await Promise.all(Array.from({ length: 20 }, () => submit(bench.store)))
  const claimed = await Promise.all(Array.from({ length: 25 }, () => claim(bench.store)))
  expect(claimed.flatMap((task) => (task === undefined ? [] : [task.id])).sort((a, b) => a - b)).toEqual(ids)
})

test("one person's hundred do not starve the others", async () => {
  await using bench = await openBench()
  const { store } = bench
  for (let i = 0; i < 100; i += 1) await submit(store, by('many'))
  const early = await claimedBy(store, 10)
  await submit(store, by('few'))
  await submit(store, by('few'))
  await submit(store, by('one'))
  expect(early).toEqual(Array.from({ length: 10 }, () => 'many'))
  const next = await claimedBy(store, 6)
  expect(next.filter((user) => user === 'few')).toHaveLength(2)
  expect(next.filter((user) => user === 'one')).toHaveLength(1)
  expect(next.slice(0, 3)).toContain('one')
})

async function claimedBy(store: Parameters<typeof claim>[0], count: number): Promise<string[]> {
  const users: string[] = []
  for (let i = 0; i < count; i += 1) users.push((await claim(store))?.requester.userId ?? '')
  return users
}

test('`only` claims that task or nothing, and does not move the queue on', async () => {
  await using bench = await openBench()
  const { store } = bench
  const first = await submit(store)
  const second = await submit(store)
  expect((await claim(store, second))?.id).toBe(second)
  expect(await claim(store, second)).toBeUndefined()
  expect((await claim(store))?.id).toBe(first)
})

test('a task whose inputs still wait is not claimed until they are there', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await submit(store, { inputs: [waitingInput] })
  expect(await claim(store)).toBeUndefined()
  expect((await store.waitingForInputs()).map((task) => task.id)).toEqual([id])
  await store.setInput(id, 0, { ...waitingInput, state: 'saved' })
  await expect(store.setInput(id, 1, waitingInput)).rejects.toThrow(RangeError)
  await applied(store, id, { kind: 'inputs_ready' })
  expect(await store.waitingForInputs()).toEqual([])
  expect((await claim(store))?.inputs).toEqual([{ ...waitingInput, state: 'saved' }])
})

test('a task that waits for another is claimed after its end, and its watchers are told', async () => {
  await using bench = await openBench()
  const { store } = bench
  const first = await taskIn(store, 'planning')
  const after = await submit(store, { afterId: first, parentId: first, kind: 'refine' })
  const afterDone = await submit(store, { afterId: await taskIn(store, 'done') })
  expect((await claim(store))?.id).toBe(afterDone)
  expect(await claim(store)).toBeUndefined()
  const heard: number[] = []
  store.watch((change) => heard.push(change.taskId))
  await applied(store, first, cancelled())
  expect(heard).toContain(after)
  expect((await claim(store))?.id).toBe(after)
})

test('the same dedupe key is the same task, also when both requests come at once', async () => {
  await using bench = await openBench()
  const { store } = bench
  const request = newTask({ dedupeKey: 'slack:Ev1' })
  const [one, two] = await Promise.all([store.submit(request, NO_LIMITS), store.submit(request, NO_LIMITS)])
  expect([one.kind, two.kind]).toEqual(['created', 'duplicate'])
  await using other = await bench.open()
  const third = await other.submit(request, { perRequester: 0, perPlace: 0, total: 0 })
  expect(third).toMatchObject({ kind: 'duplicate', task: { id: 1 } })
})

test('a full queue says which limit it is, and an ended task counts no more', async () => {
  await using bench = await openBench()
  const { store } = bench
  const limits = { perRequester: 2, perPlace: 3, total: 4 }
  const ask = (userId: string, channelId: string) =>
    store.submit(
      newTask({ ...by(userId), place: { platform: 'slack', channelId, key: channelId, thread: false } }),
      limits,
    )
  const first = await ask('U1', 'C1')
  await ask('U1', 'C1')
  expect(await ask('U1', 'C2')).toEqual({ kind: 'full', limit: 'perRequester', allowed: 2 })
  await ask('U2', 'C1')
  expect(await ask('U3', 'C1')).toEqual({ kind: 'full', limit: 'perPlace', allowed: 3 })
  await ask('U3', 'C3')
  expect(await ask('U4', 'C4')).toEqual({ kind: 'full', limit: 'total', allowed: 4 })
  if (first.kind !== 'full') await applied(store, first.task.id, cancelled())
  expect((await ask('U1', 'C1')).kind).toBe('created')
})

test('the place in line and an estimate from what tasks took lately', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const first = await submit(store)
  const second = await submit(store)
  const third = await submit(store)
  expect(await store.queuePosition(third)).toEqual({ position: 3, estimateMs: null })
  await claim(store, first)
  clock.advance(60_000)
  await applied(store, first, { kind: 'answered', answer: 'ok' })
  expect(await store.queuePosition(third)).toEqual({ position: 2, estimateMs: 120_000 })
  await store.registerWorker({ id: 'w', pid: 1, host: 'h', role: 'worker', heartbeatAt: clock.now(), slots: 2 })
  expect(await store.queuePosition(third)).toEqual({ position: 2, estimateMs: 60_000 })
  // Whose files are still coming is told the place that it would have.
  const fetching = await submit(store, { inputs: [waitingInput] })
  const last = await submit(store)
  expect(await store.queuePosition(fetching)).toMatchObject({ position: 3 })
  expect(await store.queuePosition(last)).toMatchObject({ position: 3 })
  await claim(store, second)
  expect(await store.queuePosition(second)).toBeUndefined()
  expect(await store.queuePosition(999)).toBeUndefined()
})

test('every place in a long line is right, whichever end it is near', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store } = bench
  for (const status of ['planning', 'awaiting_approval', 'running', 'done', 'cancelled'] as const)
    await taskIn(store, status)
  await applied(store, await taskIn(store, 'awaiting_approval'), { kind: 'approved', by: ANA, hash: HASH })
  const ids: number[] = []
  for (let i = 0; i < 150; i += 1) ids.push(await submit(store, { ...by(`U${i % 7}`), place: null }))
  for (const afterId of ids.slice(0, 9)) await submit(store, { afterId })
  for (const id of ids.slice(40, 52)) await applied(store, id, cancelled())
  await claim(store)
  await claim(store, ids[30])
  const asked = await Promise.all(ids.map(async (id) => (await store.queuePosition(id))?.position))
  const told = new Map(ids.map((id, index) => [id, asked[index]]))
  const places: (number | undefined)[] = []
  for (let task = await claim(store); task !== undefined; task = await claim(store)) {
    places.push(task.status === 'planning' ? told.get(task.id) : places.length + 1)
  }
  expect(places.length).toBeGreaterThanOrEqual(136)
  expect(places).toEqual(places.map((_, index) => index + 1))
})

test('what a submission and a claim answer is what is stored', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store } = bench
  const parent = await submit(store, { place: null, model: 'qwen', dedupeKey: 'once' })
  const source = { kind: 'path', path: '/srv/a.csv' } as const
  const input = { name: 'a.csv', sizeBytes: 3, mimeType: null, source, state: 'waiting', problem: null } as const
  const child = newTask({ kind: 'refine', parentId: parent, afterId: parent, inputs: [input] })
  for (const task of [newTask({ place: null, dedupeKey: 'once' }), newTask(), child]) {
    const result = await store.submit(task, NO_LIMITS)
    if (result.kind === 'full') throw new Error('the queue is full')
    expect(result.task).toEqual(await store.get(result.task.id))
  }
  const claimed = await claim(store)
  expect(claimed).toEqual(await store.get(claimed?.id ?? 0))
})
