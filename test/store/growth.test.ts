import SqliteDatabase, { type Database } from 'better-sqlite3'
import { expect, test } from 'vitest'
import { TASK_STATUSES } from '../../src/core/task.ts'
import type { ListQuery, Store } from '../../src/ports/store.ts'
import { createAppendEvent } from '../../src/store/append-event.ts'
import { createApply } from '../../src/store/apply.ts'
import { createClaim } from '../../src/store/claim.ts'
import { createDeliveryReader, createDeliveryWriter } from '../../src/store/deliveries.ts'
import { createInputs } from '../../src/store/inputs.ts'
import { createDue, createHeartbeat, createRecovery } from '../../src/store/leases.ts'
import { createMissedEvents } from '../../src/store/missed-events.ts'
import { openDatabase } from '../../src/store/open-database.ts'
import { createQueueState } from '../../src/store/queue-state.ts'
import { createTaskReader } from '../../src/store/read-tasks.ts'
import { createAudit, createNotes, createWorkers } from '../../src/store/records.ts'
import { createRetention } from '../../src/store/retention.ts'
import { createStanding } from '../../src/store/standing.ts'
import { createSubmit } from '../../src/store/submit.ts'
import { createRowWriter } from '../../src/store/write-row.ts'
import { claim, newTask, openBench, quietLogger } from './store-helpers.ts'

/** Every statement that the store prepares, the lists' own ones by each filter included. */
function recordStatements(db: Database): string[] {
  const prepare = db.prepare.bind(db)
  const recorded: string[] = []
  const record = (sql: string) => {
    recorded.push(sql)
    return prepare(sql)
  }
  Object.defineProperty(db, 'prepare', { value: record, configurable: true })
  const reader = createTaskReader(db)
  const standing = createStanding(db)
  const context = { db, reader, append: createAppendEvent(db), standing, writeRow: createRowWriter(db) }
  const apply = createApply(context)
  createSubmit(context)
  createClaim(context)
  createRecovery(db, apply)
  createQueueState(db, standing)
  for (const create of [createHeartbeat, createDue, createInputs, createDeliveryReader, createDeliveryWriter])
    create(db)
  for (const create of [createAudit, createNotes, createWorkers, createRetention, createMissedEvents]) create(db)
  const place = { platform: 'slack', key: 'C1' } as const
  const requester = { platform: 'slack', userId: 'U1' } as const
  const filters: readonly Partial<ListQuery>[] = [
    {},
    { place },
    { requester },
    { parentId: 1 },
    { status: TASK_STATUSES },
    { status: ['done'] },
    { status: ['pending'] },
    { place, requester },
  ]
  for (const filter of filters) {
    reader.list({ ...filter, limit: 10 })
    reader.listJson({ ...filter, limit: 10 })
  }
  Object.defineProperty(db, 'prepare', { value: prepare })
  return [...new Set(recorded)]
}

function planOf(db: Database, sql: string): string[] {
  const plan = db.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql.replace(/[@?][a-zA-Z_]*/g, '1')}`)
  return plan.all().map((row) => row.detail)
}

/** Small by nature: live rows only, one row a worker, one task's own events, or what failed for good. */
const SMALL = /INDEX (task_live|approval_open|delivery_failed)|^SCAN (worker|told)/
/** Constants, sub-selects that are bounded by their own LIMIT, and the newest row of a table. */
const BOUNDED = /^SCAN (CONSTANT|\()|^SCAN event: .* ORDER BY id DESC LIMIT 1$/
/** Only what lives is sorted: their index has them in the order of the queue. */
const SORTED_LIVE = /TEMP B-TREE FOR ORDER BY: .* WHERE ended_at IS NULL AND turn IN/

test('no statement of the store reads or sorts the whole of a table that grows', async () => {
  await using bench = await openBench()
  await bench.store[Symbol.asyncDispose]()
  const db = openDatabase({ file: bench.file, synchronous: 'normal', logger: quietLogger() })
  const statements = recordStatements(db)
  const bad = statements
    .flatMap((sql) => planOf(db, sql).map((detail) => `${detail}: ${sql.replace(/\s+/g, ' ')}`))
    .filter(
      (detail) =>
        (detail.startsWith('SCAN') && !SMALL.test(detail) && !BOUNDED.test(detail)) ||
        (/TEMP B-TREE/.test(detail) && !SORTED_LIVE.test(detail)),
    )
  db.close()
  expect(statements.length).toBeGreaterThan(70)
  expect(bad).toEqual([])
})

/** What is asked all day: a part of its statement, and how SQLite finds the rows. */
const ASKED_ALL_DAY = {
  claim: ['WHERE ended_at IS NULL AND turn = 2 ORDER BY queue_key', 'task USING INDEX task_live (turn=?)'],
  'what is held': ['WHERE ended_at IS NULL AND turn = 1', 'task USING INDEX task_live (turn=?)'],
  'where the queue stands': [/virtual_time, pending.* FROM event ORDER BY id DESC LIMIT 1/s, 'SCAN event'],
  'next page': [/FROM task WHERE\s+id < /, 'task USING INTEGER PRIMARY KEY (rowid<?)'],
  'page of those that ended so': [/FROM task WHERE ended = CAST/, 'task_by_end (ended=? AND rowid<?)'],
  'page of live ones by status': [/FROM task WHERE ended_at IS NULL AND turn IN/, 'task_live (turn=?)'],
  'page of one person': [
    / WHERE requester_platform = CAST\(. AS TEXT\) AND requester_user = CAST\(. AS TEXT\) AND ended (IS NULL|= CAST\(. AS TEXT\)) AND\s+id </,
    'task_by_requester (requester_platform=? AND requester_user=? AND ended=? AND rowid<?)',
  ],
  'newest in a place': [
    /FROM task WHERE place_platform = CAST\(. AS TEXT\) AND place_key = CAST\(. AS TEXT\) AND ended (IS NULL|= CAST\(. AS TEXT\)) AND\s+id </,
    'task_by_place (place_platform=? AND place_key=? AND ended=? AND rowid<?)',
  ],
  children: ['WHERE parent_id = CAST(? AS INTEGER) ORDER BY id', 'task_by_parent (parent_id=?)'],
  'one task': ['FROM task WHERE id = ?', 'task USING INTEGER PRIMARY KEY (rowid=?)'],
  'rounds of a card': ['FROM round WHERE task_id = CAST', 'round USING INDEX sqlite_autoindex_round_1 (task_id=?'],
  'steps of a card': ['FROM step WHERE task_id = CAST(? AS INTEGER) ORDER BY', 'step USING PRIMARY KEY (task_id=?)'],
  'messages of a card': ['FROM message WHERE task_id', 'message USING PRIMARY KEY (task_id=?)'],
  'tail of all events': ['FROM event e WHERE id > CAST', 'e USING INTEGER PRIMARY KEY (rowid>?)'],
  'events of a task': ['WITH RECURSIVE told', 'SEARCH e USING INTEGER PRIMARY KEY (rowid=?)'],
  'what is untold': ['d.platform = CAST(? AS TEXT) AND d.settled = 0', 'delivery_unsettled (platform=?)'],
  'audit of a task': ['FROM audit WHERE task_id', 'audit_by_task (task_id=? AND id<?)'],
} as const

test.each(Object.entries(ASKED_ALL_DAY))('%s goes straight to its rows', async (_name, [part, way]) => {
  await using bench = await openBench()
  await bench.store[Symbol.asyncDispose]()
  using db = closing(openDatabase({ file: bench.file, synchronous: 'normal', logger: quietLogger() }))
  const asked = recordStatements(db.database).filter((sql) =>
    typeof part === 'string' ? sql.includes(part) : part.test(sql),
  )
  expect(asked).not.toEqual([])
  for (const sql of asked) expect(planOf(db.database, sql).join('\n')).toContain(way)
})

function closing(database: Database): Disposable & { database: Database } {
  return { database, [Symbol.dispose]: () => void database.close() }
}

test('no statement is planned anew for each limit that it is given', async () => {
  await using bench = await openBench()
  await bench.store[Symbol.asyncDispose]()
  const db = openDatabase({ file: bench.file, synchronous: 'normal', logger: quietLogger() })
  const statements = recordStatements(db)
  db.close()
  expect(statements.filter((sql) => /LIMIT [?@]/.test(sql))).toEqual([])
})

/** Milliseconds of the quickest of several: what the work costs, whatever else the machine does. */
async function quickest(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 30; i += 1) {
    const start = performance.now()
    await work()
    times.push(performance.now() - start)
  }
  return Math.min(...times)
}

const questions: Record<string, (store: Store) => Promise<unknown>> = {
  claim: (store) => claim(store),
  'first page': (store) => store.list({ limit: 50 }),
  'a page by status': (store) => store.list({ limit: 50, status: TASK_STATUSES }),
  'a deep page': (store) => store.list({ limit: 50, beforeId: 5000 }),
  'position in the queue': (store) => store.queuePosition(1500),
  counts: (store) => store.counts(),
  deliveries: (store) => store.unsettledDeliveries(['slack'], 20),
}

test('claims, pages and counts take as long with a hundred thousand tasks more', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store } = bench
  for (let i = 0; i < 6; i += 1) {
    await Promise.all(
      Array.from({ length: 256 }, () => store.submit(newTask(), { perRequester: 1e9, perPlace: 1e9, total: 1e9 })),
    )
  }
  const before = new Map<string, number>()
  for (const [name, ask] of Object.entries(questions)) before.set(name, await quickest(() => ask(store)))
  const db = new SqliteDatabase(bench.file)
  db.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    INSERT INTO task (description, kind, status, requester_platform, requester_scope, requester_user, requester_name, inputs_ready,
      queue_key, created_at, updated_at, started_at, ended_at, ending)
    SELECT 'old', 'request', 'done', 'slack', 'T1', 'U' || (i % 50), 'x', 1, 0, i, i, i, i + 9, '{"answer":"ok"}' FROM n`)
  db.close()
  for (const [name, ask] of Object.entries(questions)) {
    const after = await quickest(() => ask(store))
    // A scan of these would take twenty times as long and more; the half millisecond covers a busy machine.
    expect(after, name).toBeLessThan(5 * (before.get(name) ?? 0) + 0.5)
  }
})
