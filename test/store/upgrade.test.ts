import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { createStore } from '../../src/store/create-store.ts'
import { migrate } from '../../src/store/migrate.ts'
import { MIGRATIONS } from '../../src/store/schema.ts'
import { manualClock } from '../fakes/manual-clock.ts'
import { ANA, applied, NO_LIMITS, newTask, plannedRound, quietLogger, submit } from './store-helpers.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'assistant-upgrade-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

function open(file: string) {
  return createStore({ file, clock: manualClock(), logger: quietLogger() })
}

/** As the first version left it, with a worker at work: a task that waits, one whose first step runs, and one that is done and told. */
function storeOfVersionOne(file: string): void {
  const db = new Database(file)
  migrate(db, file, MIGRATIONS.slice(0, 1))
  const columns =
    'description, kind, requester_platform, requester_scope, requester_user, requester_name, inputs_ready, queue_key, created_at, updated_at'
  const asked = "'count', 'request', 'slack', 'T1', 'U1', 'Ana', 1, 1, 1, 1"
  db.exec(`
    INSERT INTO task (${columns}, status, dedupe_key) VALUES (${asked}, 'pending', 'event-1');
    INSERT INTO task (${columns}, status, round, steps_begun, lease_id, lease_worker, lease_until, lease_ms, started_at)
      VALUES (${asked}, 'running', 1, 1, 'lease', 'w0', 5, 4, 1);
    INSERT INTO task (${columns}, status, ending, started_at, ended_at, place_platform, place_key, place_thread, place_channel)
      VALUES (${asked}, 'done', '{"answer":"3 files"}', 1, 2, 'slack', 'C1:1.0', 1, 'C1');
    INSERT INTO event (task_id, at, body) VALUES (1, 1, '{"kind":"submitted"}'), (2, 1, '{"kind":"submitted"}');
    INSERT INTO delivery (task_id, platform, cursor, settled) VALUES (3, 'slack', 2, 1);
    INSERT INTO message (task_id, role, ref, frame, posted_at) VALUES (3, 'card', '1.1', 'f', 1);
    INSERT INTO seen VALUES ('event-1', 1);
  `)
  const insert =
    'INSERT INTO round (task_id, number, plan, author, verdict, hash, planned_at) VALUES (2, 1, ?, ?, ?, ?, 1)'
  const { plan, author, verdict, hash } = plannedRound()
  db.prepare(insert).run(JSON.stringify(plan), JSON.stringify(author), JSON.stringify(verdict), hash)
  db.exec("INSERT INTO step (task_id, round, number, state) VALUES (2, 1, 0, 'running'), (2, 1, 1, 'waiting')")
  db.close()
}

test('a store of the first version is brought to this one with all that is in it, and the copy goes back to the first', async () => {
  const file = join(folder(), 'tasks.db')
  storeOfVersionOne(file)
  const lines: string[] = []
  const store = await createStore({ file, clock: manualClock(), logger: quietLogger(lines) })
  expect(lines.join()).toContain('the copy from before is kept')
  expect(await store.get(1)).toMatchObject({ status: 'pending', description: 'count' })
  expect(await store.submit(newTask({ dedupeKey: 'event-1' }), NO_LIMITS)).toMatchObject({ kind: 'duplicate' })
  expect(await store.recoverExpired()).toBe(1)
  expect(await store.get(2)).toMatchObject({ status: 'failed', failure: { reason: 'interrupted', step: 0 } })
  expect(await store.get(3)).toMatchObject({ status: 'done', answer: '3 files' })
  expect(await store.delivery(3)).toMatchObject({ settled: true, messages: [{ role: 'card', ref: '1.1' }] })
  expect(await store.counts()).toMatchObject({ pending: 1, running: 0, failed: 1, done: 1 })
  expect((await store.claim({ id: 'w1', leaseMs: 1000 }))?.id).toBe(1)
  await store[Symbol.asyncDispose]()

  const copy = `${file}.before-version-2`
  expect(statSync(copy).mode & 0o777).toBe(0o600)
  const before = new Database(copy)
  expect(before.prepare('SELECT id, status FROM task ORDER BY id').all()).toMatchObject([
    { status: 'pending' },
    { status: 'running' },
    { status: 'done' },
  ])
  const old = new Database(file)
  expect(old.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'seen'").get()).toBeUndefined()
  expect(old.pragma('integrity_check', { simple: true })).toBe('ok')
  // The program of then refuses the file of now, and takes the copy.
  expect(() => migrate(old, file, MIGRATIONS.slice(0, 1))).toThrow('newer version')
  expect(migrate(before, copy, MIGRATIONS.slice(0, 1))).toBeNull()
  old.close()
  before.close()
})

test('a process of the version before goes on with a file that the next one has changed under it', async () => {
  const file = join(folder(), 'tasks.db')
  storeOfVersionOne(file)
  const old = new Database(file)
  const takes = old.prepare("UPDATE task SET lease_id = 'l', steps_begun = 1 WHERE claimable = 1 RETURNING id")
  await (await open(file))[Symbol.asyncDispose]()
  expect(takes.all()).toEqual([{ id: 1 }])
  old.close()
})

/** As the second version left it: one task in each status and then some, with rounds, an open approval, and events that retention has thinned. */
function storeOfVersionTwo(file: string): void {
  const db = new Database(file)
  migrate(db, file, MIGRATIONS.slice(0, 2))
  const insert = db.prepare(
    `INSERT INTO task (id, description, kind, status, requester_platform, requester_scope, requester_user, requester_name, place_platform,
       place_key, place_thread, place_channel, inputs, inputs_ready, queue_key, created_at, updated_at, round, steps_begun, waits, after_id,
       parent_id, lease_id, lease_worker, lease_until, lease_ms, ending, started_at, ended_at)
     VALUES (@id, 'count', 'request', @status, 'slack', 'T1', @user, 'Ana', 'slack', 'C1', 0, 'C1', @inputs, @inputsReady, @key, 1, 1, @round, 0,
       @waits, @after, @parent, @lease, @worker, @until, @ms, @ending, @started, @ended)`,
  )
  const plain = {
    user: 'U1',
    inputs: '[]',
    inputsReady: 1,
    round: 0,
    waits: 0,
    after: null,
    parent: null,
    ending: null,
  }
  const free = { lease: null, worker: null, until: null, ms: null, started: null, ended: null }
  const base = { ...plain, ...free }
  const input = { name: 'a.txt', sizeBytes: 1, mimeType: null, source: { kind: 'chat', platform: 'slack', ref: 'F1' } }
  const inputs = JSON.stringify([{ ...input, state: 'waiting', problem: null }])
  const over = { started: 1, ended: 2 }
  const rows = [
    { ...base, ...over, id: 1, status: 'done', key: 1, ending: '{"answer":"3 files"}' },
    {
      ...base,
      ...over,
      id: 2,
      status: 'failed',
      key: 2,
      ending: '{"failure":{"reason":"plan_invalid","detail":"no JSON","step":null}}',
    },
    {
      ...base,
      ...over,
      id: 3,
      status: 'cancelled',
      key: 3,
      ending: JSON.stringify({ cancellation: { reason: 'cancelled', by: ANA, note: '' } }),
    },
    { ...base, id: 4, status: 'awaiting_approval', key: 4, round: 1, started: 1 },
    {
      ...base,
      id: 5,
      status: 'planning',
      key: 5,
      lease: 'held',
      worker: 'w0',
      until: Date.UTC(2040, 0),
      ms: 1000,
      started: 1,
    },
    { ...base, id: 6, status: 'running', key: 6, round: 1, started: 1 },
    { ...base, id: 7, status: 'pending', key: 9, user: 'U2' },
    { ...base, id: 8, status: 'pending', key: 8, parent: 1 },
    { ...base, id: 9, status: 'pending', key: 7, waits: 1, after: 5 },
    { ...base, id: 10, status: 'pending', key: 10, inputs, inputsReady: 0 },
  ]
  for (const row of rows) insert.run(row)
  const event = db.prepare('INSERT INTO event (task_id, at, body) VALUES (?, 1, ?)')
  for (const { id } of rows) event.run(id, '{"kind":"submitted"}')
  for (const id of [1, 4, 5]) event.run(id, '{"kind":"claimed","workerId":"w0"}')
  // The newest task of all, and the newest event with it, were removed.
  insert.run({ ...base, ...over, id: 11, status: 'done', key: 1, ending: '{"answer":"x"}' })
  event.run(11, '{"kind":"submitted"}')
  db.prepare('DELETE FROM task WHERE id = 11').run()
  db.exec('UPDATE queue SET virtual_time = 6')
  const { plan, author, verdict, hash } = plannedRound()
  const json = [plan, author, verdict].map((part) => JSON.stringify(part))
  const round = db.prepare(
    'INSERT INTO round (task_id, number, plan, author, verdict, hash, planned_at) VALUES (?, 1, ?, ?, ?, ?, 1)',
  )
  const step = db.prepare("INSERT INTO step (task_id, round, number, state) VALUES (?, 1, ?, 'waiting')")
  for (const id of [4, 6]) {
    round.run(id, ...json, hash)
    for (const number of [0, 1]) step.run(id, number)
  }
  const approval = db.prepare(
    'INSERT INTO approval (task_id, round, hash, open, requested_at, expires_at) VALUES (?, 1, ?, ?, 1, ?)',
  )
  approval.run(4, hash, 1, Date.UTC(2041, 0))
  approval.run(6, hash, 0, Date.UTC(2041, 0))
  db.close()
}

test('a store of the second version is brought to this one: what lives goes on, what has ended is found, ids go on', async () => {
  const file = join(folder(), 'tasks.db')
  storeOfVersionTwo(file)
  await using store = await open(file)
  const page = async (status: 'done' | 'failed' | 'cancelled' | 'pending' | 'planning' | 'running') =>
    (await store.list({ status: [status], limit: 10 })).tasks.map((task) => task.id)
  expect(await store.counts()).toEqual({
    pending: 4,
    planning: 1,
    awaiting_approval: 1,
    running: 1,
    done: 1,
    failed: 1,
    cancelled: 1,
  })
  expect([await page('done'), await page('failed'), await page('cancelled'), await page('pending')]).toEqual([
    [1],
    [2],
    [3],
    [10, 9, 8, 7],
  ])
  expect([await page('planning'), await page('running')]).toEqual([[5], [6]])
  const place = { platform: 'slack', key: 'C1' } as const
  expect((await store.list({ place, limit: 20 })).tasks.map((task) => task.id)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
  const requester = { platform: 'slack', userId: 'U2' } as const
  expect((await store.list({ requester, limit: 20 })).tasks.map((task) => task.id)).toEqual([7])
  expect((await store.children(1)).map((task) => task.id)).toEqual([8])
  expect((await store.waitingForInputs()).map((task) => task.id)).toEqual([10])
  expect((await store.events({ taskId: 4, afterId: 0, limit: 9 })).map(({ id, event }) => [id, event.kind])).toEqual([
    [4, 'submitted'],
    [12, 'claimed'],
  ])
  // The approved run first, then those that wait, by their keys; a new one of the same person after their own.
  expect(await submit(store, { place: null })).toBe(12)
  const claimed = []
  for (let i = 0; i < 5; i += 1) claimed.push((await store.claim({ id: 'w1', leaseMs: 1000 }))?.id)
  expect(claimed).toEqual([6, 8, 7, 12, undefined])
  expect((await store.events({ afterId: 14, limit: 9 })).map(({ id, taskId }) => [id, taskId])).toEqual([
    [15, 12],
    [16, 6],
    [17, 8],
    [18, 7],
    [19, 12],
  ])
})

test('after it was brought to this version, a held task ends and lets its follower go, and an approval is decided', async () => {
  const file = join(folder(), 'tasks.db')
  storeOfVersionTwo(file)
  await using store = await open(file)
  expect(await store.heartbeat({ id: 'w0', leaseMs: 1000, leases: ['held'] })).toEqual({ lost: [], cancelled: [] })
  const answered = { kind: 'answered', answer: '42' } as const
  expect(await store.apply(5, answered, { leaseId: 'held' })).toMatchObject({ kind: 'applied' })
  expect((await store.claim({ id: 'w1', leaseMs: 1000, only: 9 }))?.id).toBe(9)
  await applied(store, 4, { kind: 'approved', by: ANA, hash: plannedRound().hash })
  expect((await store.claim({ id: 'w1', leaseMs: 1000 }))?.id).toBe(4)
  expect(await store.deleteTask(2)).toBe(true)
  expect(await store.counts()).toMatchObject({ pending: 3, planning: 1, running: 2, done: 2, failed: 0 })
  const db = new Database(file, { readonly: true })
  expect(db.pragma('foreign_key_check')).toEqual([])
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
  db.close()
})

test('what a process of the version before still writes is counted, and its ids are not given again', async () => {
  const file = join(folder(), 'tasks.db')
  storeOfVersionTwo(file)
  await using store = await open(file)
  const old = new Database(file)
  old.exec(`INSERT INTO task (description, kind, status, requester_platform, requester_scope, requester_user, requester_name, inputs_ready,
      queue_key, created_at, updated_at) VALUES ('count', 'request', 'pending', 'slack', 'T1', 'U3', 'Ana', 1, 8, 1, 1);
    INSERT INTO event (task_id, at, body) VALUES (last_insert_rowid(), 1, '{"kind":"submitted"}')`)
  const id = Number(old.prepare('SELECT max(id) AS id FROM task').pluck().get())
  expect(await store.counts()).toMatchObject({ pending: 5 })
  expect(await submit(store, { place: null })).toBe(id + 1)
  expect(await store.counts()).toMatchObject({ pending: 6 })
  await applied(store, id, { kind: 'cancelled', reason: 'cancelled', by: ANA, note: '', outputs: null, redactions: 0 })
  expect(await store.counts()).toMatchObject({ pending: 5, cancelled: 2 })
  expect(old.prepare("SELECT tasks FROM status_count WHERE status = 'pending'").pluck().get()).toBe(5)
  old.close()
})
