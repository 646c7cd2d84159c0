/** A page that SQLite writes, beside the same page as our own code makes it. */
import SqliteDatabase from 'better-sqlite3'
import { expect, test } from 'vitest'
import { TASK_STATUSES } from '../../src/core/task.ts'
import { summaryJson } from '../../src/core/task-json.ts'
import type { ListQuery, Store } from '../../src/ports/store.ts'
import { ANA, applied, by, cancelled, claim, openBench, submit, taskIn } from './store-helpers.ts'

const ODD = [
  'say "hi" \\ /home',
  'tab\tline\nreturn\r\b\f\v\0end',
  '\u0001\u001f\u007f\u0080\u2028\u2029\ufeff\uffff',
  'é, 日本, 😀👩‍👩‍👧',
  'half of 😀: \ud83d, the other: \ude00',
  `it's '); DROP TABLE task; -- {"id":1},\n]`,
]

async function samePage(store: Store, query: ListQuery): Promise<number | null> {
  const { tasks, nextBeforeId } = await store.list(query)
  expect(await store.listJson(query)).toEqual({ tasks: JSON.stringify(tasks.map(summaryJson)), nextBeforeId })
  return nextBeforeId
}

async function pagesOf(store: Store, query: ListQuery): Promise<number> {
  let pages = 1
  for (let next = await samePage(store, query); next !== null; pages += 1) {
    next = await samePage(store, { ...query, beforeId: next })
  }
  return pages
}

test('a task of every status is written as by JSON.stringify, to the byte', async () => {
  await using bench = await openBench()
  const { store } = bench
  for (const status of TASK_STATUSES) await taskIn(store, status)
  await samePage(store, { limit: 200 })
  for (const status of TASK_STATUSES) expect(await pagesOf(store, { status: [status], limit: 200 })).toBe(1)
})

test('so is any text in what people write: quotes, control characters, halves of characters, NUL', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  for (const text of ODD) {
    const parentId = await submit(store, { description: text, model: text, ...by(text) })
    await claim(store, parentId)
    await applied(store, parentId, { kind: 'cancel_requested', by: { ...ANA, userId: text, name: text } })
    await clock.advance(61_001)
    await submit(store, { kind: 'refine', parentId, afterId: parentId, description: text })
  }
  expect((await store.listJson({ limit: 200 })).tasks).toContain('\\u0000')
  await samePage(store, { limit: 200 })
})

test.each([
  0,
  1,
  999,
  59_999,
  Date.UTC(2000, 1, 29, 23, 59, 59, 999),
  Date.UTC(2026, 11, 31, 23, 59, 59, 998),
  Date.UTC(2038, 0, 19, 3, 14, 8, 1),
  Date.UTC(2099, 11, 31, 23, 59, 59, 999),
])('so is the time %i and each of the milliseconds after it', async (ms) => {
  await using bench = await openBench()
  for (let i = 0; i < 50; i += 1) await submit(bench.store)
  const db = new SqliteDatabase(bench.file)
  db.prepare('UPDATE task SET created_at = ? + id, updated_at = ? + 7 * id, started_at = ? + 1001 * id').run(ms, ms, ms)
  db.close()
  await samePage(bench.store, { limit: 50 })
})

test('pages follow each other in the same way, whatever is asked for', async () => {
  await using bench = await openBench()
  const { store } = bench
  const parentId = await taskIn(store, 'done')
  for (const status of ['done', 'pending', 'failed'] as const)
    for (let i = 0; i < 3; i += 1) await taskIn(store, status)
  for (let i = 0; i < 4; i += 1) await submit(store, { kind: 'retry', parentId })
  expect(await pagesOf(store, { limit: 4 })).toBe(4)
  expect(await pagesOf(store, { limit: 7 })).toBe(2)
  expect(await pagesOf(store, { limit: 2, parentId })).toBe(2)
  expect(await pagesOf(store, { limit: 2, status: ['done'] })).toBe(2)
  expect(await pagesOf(store, { limit: 3, status: ['pending'] })).toBe(3)
  expect(await pagesOf(store, { limit: 2, status: ['done', 'failed'] })).toBe(4)
  expect(await pagesOf(store, { limit: 5, requester: { platform: 'slack', userId: 'U1' } })).toBe(3)
  expect(await pagesOf(store, { limit: 5, parentId: 999 })).toBe(1)
  await samePage(store, { limit: 5, status: [] })
})

test('a page that was asked for before is as it is now, whatever has changed and whoever changed it', async () => {
  await using bench = await openBench()
  const { store } = bench
  await using other = await bench.open()
  const parent = await submit(store, { place: null })
  await applied(store, parent, cancelled())
  const before = await submit(store, { place: null })
  await submit(store)
  const child = await submit(store, { kind: 'retry', parentId: parent, place: null })
  await submit(store)
  const next = await submit(store, { afterId: before, place: null })
  const queries: ListQuery[] = [
    { limit: 200 },
    // Here only what a change of the other two does to these can be seen: it waits no longer, its parent is gone.
    { limit: 1 },
    { limit: 1, beforeId: child + 1 },
    { limit: 3, status: ['cancelled'] },
    { limit: 5, parentId: parent },
  ]
  const seen = new Set<string>()
  const look = async () => {
    for (const query of queries) await samePage(store, query)
    seen.add((await store.listJson({ limit: 200 })).tasks)
  }
  await look()
  const changes: (() => Promise<unknown>)[] = [
    () => claim(other, before),
    () =>
      applied(other, before, { kind: 'phase', phase: { kind: 'asking_model', model: 'qwen', attempt: 1, since: 1 } }),
    () => applied(store, before, { kind: 'cancel_requested', by: ANA }),
    // Ends what the third waits for.
    () => applied(other, before, { kind: 'answered', answer: 'ok' }),
    () => applied(store, next, cancelled()),
    () => other.deleteTask(before),
    () => applied(other, child, cancelled()),
    // Takes the child's parent away, too.
    () => store.deleteTask(parent),
    () => submit(other, by('U9')),
  ]
  for (const change of changes) {
    await change()
    await look()
    await look()
  }
  // All but the phase can be seen in a list.
  expect(seen.size).toBe(changes.length)
})
