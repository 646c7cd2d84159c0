import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import type { Commit } from '../../src/store/group-commit.ts'
import { createWriteQueue } from '../../src/store/write-queue.ts'
import { NO_LIMITS, newTask, openBench, submit } from './store-helpers.ts'

function openQueue() {
  const home = mkdtempSync(join(tmpdir(), 'assistant-queue-'))
  const file = join(home, 'test.db')
  const db = new Database(file, { timeout: 20 })
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE line (text TEXT NOT NULL) STRICT')
  const other = new Database(file, { timeout: 20 })
  onTestFinished(() => {
    db.close()
    other.close()
    rmSync(home, { recursive: true })
  })
  const commits: Commit[] = []
  const queue = createWriteQueue(db, (commit) => commits.push(commit))
  const insert = db.prepare<[string | null]>('INSERT INTO line VALUES (?)')
  const write = (text: string | null) =>
    queue.write((commit) => {
      commit.tasks.add(commits.length)
      insert.run(text)
      return text
    })
  const seen = () =>
    other
      .prepare<[], { text: string }>('SELECT text FROM line')
      .all()
      .map((row) => row.text)
  return { db, other, queue, commits, write, seen }
}

test('what has settled is seen by another connection, and what came together was one commit', async () => {
  const { commits, write, seen } = openQueue()
  await Promise.all(['a', 'b', 'c'].map(write))
  expect(seen()).toEqual(['a', 'b', 'c'])
  expect(commits).toHaveLength(1)
  await write('d')
  expect(commits).toHaveLength(2)
})

test('one write that fails is undone alone', async () => {
  const { queue, commits, write, seen, db } = openQueue()
  const half = queue.write((commit) => {
    commit.tasks.add(99)
    db.prepare('INSERT INTO line VALUES (?)').run('half')
    throw new Error('a bug')
  })
  const settled = await Promise.allSettled([write('a'), half, write(null), write('b')])
  expect(settled.map((each) => each.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  expect(seen()).toEqual(['a', 'b'])
  expect(commits[0]?.tasks.has(99)).toBe(false)
})

test('a full disk rejects with a sentence, leaves nothing half-written, and the queue goes on once there is room', async () => {
  const { db, write, seen } = openQueue()
  await write('before')
  db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true })) + 1}`)
  const big = await Promise.allSettled([write('small'), write('x'.repeat(100_000))])
  expect(big[1]).toMatchObject({ status: 'rejected', reason: { name: 'StoreError', code: 'disk_full' } })
  expect(seen()).toEqual(big[0]?.status === 'fulfilled' ? ['before', 'small'] : ['before'])
  db.pragma('max_page_count = 100000')
  await write('y'.repeat(100_000))
  expect(seen()).toHaveLength(big[0]?.status === 'fulfilled' ? 3 : 2)
})

test('a lock that is held for longer than the busy timeout delays a write and does not fail it', async () => {
  const { other, write, seen } = openQueue()
  other.exec('BEGIN IMMEDIATE')
  let isDone = false
  const waiting = write('late').then(() => {
    isDone = true
  })
  const later = write('later')
  // Each turn of the loop holds at most one try.
  for (let turn = 0; turn < 3; turn += 1) await setImmediate()
  expect(isDone).toBe(false)
  other.exec('COMMIT')
  await Promise.all([waiting, later])
  expect(seen()).toEqual(['late', 'later'])
})

test('closing writes what was asked for before and refuses what comes after', async () => {
  const { queue, write, seen } = openQueue()
  const many = Array.from({ length: 600 }, (_, i) => write(String(i)))
  await queue.close()
  await expect(write('after')).rejects.toMatchObject({ code: 'closed' })
  await Promise.all(many)
  expect(seen()).toHaveLength(600)
})

test('a burst of a thousand requests is accepted whole, seen by another process at once', async () => {
  await using bench = await openBench()
  const other = await bench.open()
  const results = await Promise.all(Array.from({ length: 1000 }, () => bench.store.submit(newTask(), NO_LIMITS)))
  expect(results.every((result) => result.kind === 'created')).toBe(true)
  expect((await other.counts()).pending).toBe(1000)
  await submit(other)
  expect((await bench.store.list({ limit: 1 })).tasks[0]?.id).toBe(1001)
})
