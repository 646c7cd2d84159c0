import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import type { Place } from '../../src/core/task.ts'
import type { Delivery } from '../../src/ports/store.ts'
import { createStore } from '../../src/store/create-store.ts'
import { ANA, applied, by, cancelled, openBench, quietLogger, submit, taskIn } from './store-helpers.ts'

const place: Place = { platform: 'slack', channelId: 'C1', key: 'C1', thread: false }
const thread: Place = { platform: 'slack', channelId: 'C1', key: 'C1:171.5', thread: true }

function delivery(taskId: number, changes: Partial<Delivery> = {}) {
  return { taskId, place: thread, cursor: 0, attempts: 0, nextAttemptAt: 0, failure: null, settled: false, ...changes }
}

test('lists go page by page, newest first, by every filter and by several at once', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store } = bench
  for (let i = 0; i < 30; i += 1) {
    const id = await submit(store, {
      ...by(`U${i % 3}`),
      place: i % 2 === 0 ? place : thread,
      parentId: i > 20 ? 1 : null,
    })
    if (i % 5 === 0) await applied(store, id, cancelled())
  }
  async function pages(query: Parameters<typeof store.list>[0]): Promise<number[]> {
    const ids: number[] = []
    for (let beforeId: number | null = Number.MAX_SAFE_INTEGER; beforeId !== null; ) {
      const page = await store.list({ ...query, beforeId })
      expect(page.tasks.length).toBeLessThanOrEqual(query.limit)
      ids.push(...page.tasks.map((task) => task.id))
      beforeId = page.nextBeforeId
    }
    return ids
  }
  const all = Array.from({ length: 30 }, (_, i) => 30 - i)
  const is = (id: number) => ({ user: (id - 1) % 3, even: (id - 1) % 2 === 0, cancelled: (id - 1) % 5 === 0 })
  expect(await pages({ limit: 7 })).toEqual(all)
  expect(await pages({ limit: 4, status: ['cancelled'] })).toEqual(all.filter((id) => is(id).cancelled))
  expect(await pages({ limit: 4, status: ['cancelled', 'pending', 'pending'] })).toEqual(all)
  expect(await pages({ limit: 3, requester: { platform: 'slack', userId: 'U1' } })).toEqual(
    all.filter((id) => is(id).user === 1),
  )
  expect(await pages({ limit: 3, place })).toEqual(all.filter((id) => is(id).even))
  expect(await pages({ limit: 3, parentId: 1 })).toEqual(all.filter((id) => id > 21))
  expect(
    await pages({ limit: 1, place, requester: { platform: 'slack', userId: 'U1' }, status: ['pending'], parentId: 1 }),
  ).toEqual(all.filter((id) => id > 21 && is(id).even && is(id).user === 1 && !is(id).cancelled))
  expect((await store.list({ limit: 5, status: [] })).tasks).toEqual([])
  expect((await store.children(1)).map((task) => task.id)).toEqual([22, 23, 24, 25, 26, 27, 28, 29, 30])
})

test('a place that became a thread is where the task is found again', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await submit(store, { place })
  const child = await submit(store, { place: thread, parentId: id })
  expect((await store.latestInPlace(place))?.id).toBe(id)
  await store.saveDelivery(delivery(id))
  expect(await store.latestInPlace(place)).toBeUndefined()
  expect((await store.latestInPlace(thread))?.id).toBe(child)
  expect((await store.get(id))?.place).toEqual(thread)
})

test('a task with a place has something to tell from its first event on, and again with every event', async () => {
  await using bench = await openBench()
  const { store } = bench
  const one = await submit(store, { place })
  const two = await submit(store, { place: { ...place, platform: 'discord' } })
  await submit(store, { place: null })
  const open = async () => (await store.unsettledDeliveries(['slack', 'discord'], 10)).map((each) => each.taskId)
  expect(await open()).toEqual([one, two])
  expect((await store.unsettledDeliveries(['discord'], 10)).map((each) => each.taskId)).toEqual([two])
  const last = (await store.events({ taskId: one, afterId: 0, limit: 9 })).at(-1)?.id ?? 0
  await store.saveDelivery(delivery(one, { cursor: last, settled: true }))
  expect(await open()).toEqual([two])
  await applied(store, one, cancelled())
  expect(await open()).toEqual([one, two])
  await store.saveDelivery(delivery(one, { cursor: last, settled: true }))
  expect(await open(), 'the cancel came while the thread was being told').toEqual([one, two])
})

test('messages are kept by role, and a failure for good is set aside until a person acts', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await submit(store, { place })
  await store.saveMessage({ taskId: id, role: 'card', ref: null, frame: '', postedAt: null })
  await store.saveMessage({ taskId: id, role: 'card', ref: '171.6', frame: 'abc', postedAt: 5 })
  await store.saveMessage({ taskId: id, role: 'notice:reminder', ref: '171.7', frame: 'def', postedAt: 6 })
  const state = { cursor: 1, attempts: 3, nextAttemptAt: 77, failure: 'The channel is archived.' }
  await store.saveDelivery(delivery(id, state))
  expect(await store.delivery(id)).toEqual({
    ...delivery(id, state),
    messages: [
      { taskId: id, role: 'card', ref: '171.6', frame: 'abc', postedAt: 5 },
      { taskId: id, role: 'notice:reminder', ref: '171.7', frame: 'def', postedAt: 6 },
    ],
  })
  expect(await store.unsettledDeliveries(['slack'], 10)).toEqual([])
  expect((await store.failedDeliveries(10)).map((each) => each.taskId)).toEqual([id])
  expect(await store.delivery(999)).toBeUndefined()
})

test('the audit trail and notes', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const actor = { platform: 'slack', scope: 'T1', channelId: 'C1', userId: 'U1', name: 'Ana' } as const
  await store.audit({ actor, action: 'approve', taskId: 4, allowed: true, detail: 'plan 7f3a9c01' })
  await store.audit({ actor, action: 'admin', taskId: null, allowed: false, detail: 'not an admin' })
  const all = await store.listAudit({ limit: 10 })
  expect(all.map((entry) => [entry.id, entry.action, entry.allowed])).toEqual([
    [2, 'admin', false],
    [1, 'approve', true],
  ])
  expect(all[1]).toEqual({
    id: 1,
    at: clock.now(),
    actor,
    action: 'approve',
    taskId: 4,
    allowed: true,
    detail: 'plan 7f3a9c01',
  })
  expect(await store.listAudit({ limit: 10, beforeId: 2 })).toEqual([all[1]])
  expect(await store.listAudit({ limit: 10, taskId: 4 })).toEqual([all[1]])
  expect(await store.getNote('welcome')).toBeUndefined()
  await store.setNote('welcome', 'posted')
  await store.setNote('welcome', 'posted twice')
  expect(await store.getNote('welcome')).toBe('posted twice')
})

test('retention takes old finished tasks with everything of theirs, and none that is still needed', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const old = await taskIn(store, 'done')
  const parent = await taskIn(store, 'failed')
  const liveChild = await submit(store, { parentId: parent })
  const untold = await taskIn(store, 'cancelled')
  const waiting = await taskIn(store, 'awaiting_approval')
  for (const id of [old, parent]) {
    const last = (await store.events({ taskId: id, afterId: 0, limit: 9 })).at(-1)?.id ?? 0
    await store.saveDelivery(delivery(id, { cursor: last, settled: true }))
    await store.saveMessage({ taskId: id, role: 'card', ref: 'x', frame: '', postedAt: 1 })
  }
  clock.advance(1000)
  await taskIn(store, 'done')
  const before = clock.now()
  expect(await store.expiredTasks(before, 10)).toEqual([old])
  expect(await store.untoldTasks(before, 10, ['discord'])).toEqual([untold])
  expect(await store.untoldTasks(before, 10, ['discord', 'slack'])).toEqual([])
  await store.deleteTask(old)
  await store.deleteTask(old)
  await store.deleteTask(waiting)
  expect(await store.get(old)).toBeUndefined()
  expect(await store.delivery(old)).toBeUndefined()
  expect(await store.events({ taskId: old, afterId: 0, limit: 9 })).toEqual([])
  expect((await store.get(waiting))?.status).toBe('awaiting_approval')
  await applied(store, liveChild, cancelled())
  expect(await store.expiredTasks(before, 10)).toEqual([parent])
  await store.deleteTask(parent)
  expect((await store.get(liveChild))?.parentId).toBeNull()
  expect(await store.counts()).toMatchObject({ done: 1, cancelled: 2, failed: 0, awaiting_approval: 1 })
  expect((await store.get(untold))?.id).toBe(untold)
})

test('retention spares what a task waits for, and everything in a thread in which something lives', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const thread = { platform: 'slack', channelId: 'C1', key: 'C1/1.1', thread: true } as const
  const awaited = await submit(store, { place: null })
  const follower = await submit(store, { place: null, afterId: awaited })
  const told = await submit(store, { place: thread })
  for (const id of [awaited, told]) await applied(store, id, cancelled())
  const last = (await store.events({ taskId: told, afterId: 0, limit: 9 })).at(-1)?.id ?? 0
  await store.saveDelivery(delivery(told, { place: thread, cursor: last, settled: true }))
  const neighbour = await submit(store, { place: thread })
  clock.advance(1000)
  expect(await store.expiredTasks(clock.now(), 10)).toEqual([])
  expect([await store.deleteTask(awaited), await store.deleteTask(told)]).toEqual([false, false])
  for (const id of [follower, neighbour]) await applied(store, id, cancelled())
  expect(await store.expiredTasks(clock.now(), 10)).toEqual([awaited, told])
  expect([await store.deleteTask(awaited), await store.deleteTask(told)]).toEqual([true, true])
})

test('retention finds all that ended before a time and nothing else, among tasks that ended in another order and gaps', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store, clock } = bench
  const endedAt = new Map<number, number>()
  const end = async (id: number) => {
    await applied(store, id, cancelled())
    endedAt.set(id, clock.now())
  }
  const late: number[] = []
  const times: number[] = []
  for (let i = 0; i < 40; i += 1) {
    clock.advance(10)
    times.push(clock.now())
    const id = await submit(store, { place: null })
    if (i % 7 === 3) late.push(id)
    else await end(id)
    if (i % 5 === 4) await end(late.shift() ?? (await submit(store, { place: null })))
    if (i % 9 === 8) expect(await store.deleteTask(id)).toBe(endedAt.delete(id))
  }
  for (const before of [...times, clock.now() + 1]) {
    const old = [...endedAt].filter(([, at]) => at < before).map(([id]) => id)
    expect(await store.expiredTasks(before, 100)).toEqual(old.sort((a, b) => a - b))
  }
})

test('an id is never given twice, also when the newest task was removed', async () => {
  await using bench = await openBench()
  const id = await taskIn(bench.store, 'cancelled')
  await bench.store.deleteTask(id)
  expect(await submit(bench.store)).toBe(id + 1)
})

test('the events of a removed task go with it; of the newest of all only its number stays', async () => {
  await using bench = await openBench()
  const { store } = bench
  const first = await taskIn(store, 'cancelled')
  const last = await taskIn(store, 'done')
  const newest = (await store.events({ afterId: 0, limit: 99 })).at(-1)?.id ?? 0
  expect([await store.deleteTask(first), await store.deleteTask(last)]).toEqual([true, true])
  expect(await store.counts()).toMatchObject({ done: 0, cancelled: 0, pending: 0 })
  const db = new Database(bench.file, { readonly: true })
  expect(db.prepare('SELECT id, body FROM event WHERE id > 0').all()).toEqual([{ id: newest, body: '{}' }])
  db.close()
  const next = await submit(store)
  expect(await store.events({ taskId: next, afterId: 0, limit: 9 })).toMatchObject([{ id: newest + 1 }])
})

test('a backup is whole, private, made while the store is in use, and opens as a store', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store } = bench
  for (let i = 0; i < 200; i += 1) await submit(store, { description: 'x'.repeat(2000) })
  const file = join(bench.folder, 'copy.db')
  const copying = store.backup(file)
  await Promise.all([submit(store), submit(store), copying])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await using copy = await createStore({ file, clock: bench.clock, logger: quietLogger() })
  expect((await copy.counts()).pending).toBeGreaterThanOrEqual(200)
  await expect(store.backup(file)).rejects.toMatchObject({ code: 'exists' })
  await expect(store.backup(join(bench.folder, 'nowhere', 'copy.db'))).rejects.toMatchObject({ name: 'StoreError' })
  writeFileSync(join(bench.folder, 'other.db.part'), 'left by a crash')
  await store.backup(join(bench.folder, 'other.db'))
  expect(existsSync(join(bench.folder, 'other.db.part'))).toBe(false)
})

test('who asked and who cancelled come back as they were given', async () => {
  await using bench = await openBench()
  const requester = { platform: 'discord', scope: 'G9', userId: '42', name: "O'Hara; DROP TABLE task" } as const
  const id = await submit(bench.store, { requester, description: 'a\u0000b \u{1F600}', model: 'qwen', place: null })
  await applied(bench.store, id, cancelled())
  expect(await bench.store.get(id)).toMatchObject({
    requester,
    model: 'qwen',
    description: 'a\u0000b \u{1F600}',
    cancellation: { by: ANA },
  })
})
