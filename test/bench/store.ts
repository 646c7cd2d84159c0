/** The store against raw better-sqlite3 on the same disk, interleaved in one run. Rates are per second, times in milliseconds. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { Clock } from '../../src/ports/clock.ts'
import type { NewTask, Store } from '../../src/ports/store.ts'
import { createStore } from '../../src/store/create-store.ts'

export type Synchronous = 'full' | 'normal'

export interface RateResult {
  name: string
  /** Medians of the rounds. */
  oursPerSecond: number
  rawPerSecond: number
  ratio: number
  /** Lowest and highest ratio of a round. */
  spread: readonly [number, number]
}

export interface LatencyResult {
  name: string
  p50Ms: number
  p99Ms: number
  maxMs: number
}

const ROUNDS = 5
const NO_LIMITS = { perRequester: 100, perPlace: 100, total: 1e9 }
const silent = () => undefined
const logger = { debug: silent, info: silent, warn: silent, error: silent }
const clock: Clock = {
  now: Date.now,
  after(ms, action) {
    const timer = setTimeout(action, ms).unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

function request(index: number): NewTask {
  return {
    description: 'count the lines of every file in this folder and sort them',
    kind: 'request',
    parentId: null,
    afterId: null,
    requester: { platform: 'api', scope: '', userId: `U${index >> 3}`, name: 'Ana' },
    place: null,
    model: null,
    inputs: [],
    dedupeKey: null,
  }
}

/** A row and an event in one transaction, and the shortest claim and finish: what SQLite itself costs here. */
function openRaw(file: string, synchronous: Synchronous) {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${synchronous}`)
  db.exec(`CREATE TABLE job (id INTEGER PRIMARY KEY, description TEXT NOT NULL, status TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE INDEX job_pending ON job (id) WHERE status = 'pending';
    CREATE TABLE event (id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;`)
  const insert = db.prepare("INSERT INTO job (description, status, at) VALUES (?, 'pending', ?)")
  const event = db.prepare('INSERT INTO event (job_id, at, body) VALUES (?, ?, ?)')
  const claim = db.prepare<[], { id: number }>(
    "UPDATE job SET status = 'running' WHERE id = (SELECT id FROM job WHERE status = 'pending' ORDER BY id LIMIT 1) RETURNING id",
  )
  const finish = db.prepare("UPDATE job SET status = 'done' WHERE id = ?")
  return {
    enqueue: db.transaction((description: string) => {
      event.run(insert.run(description, Date.now()).lastInsertRowid, Date.now(), '{"kind":"submitted"}')
    }),
    claimAndFinish() {
      const id = take()
      if (id !== undefined) end(id)
    },
    close: () => db.close(),
  }

  function take(): number | undefined {
    return db.transaction(() => {
      const row = claim.get()
      if (row !== undefined) event.run(row.id, Date.now(), '{"kind":"claimed"}')
      return row?.id
    })()
  }

  function end(id: number): void {
    db.transaction(() => {
      finish.run(id)
      event.run(id, Date.now(), '{"kind":"finished"}')
    })()
  }
}

interface Bench {
  store: Store
  raw: ReturnType<typeof openRaw>
  file: string
}

async function withBoth<T>(synchronous: Synchronous, use: (bench: Bench) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-bench-'))
  const file = join(folder, 'tasks.db')
  const store = await createStore({ file, clock, logger, synchronous })
  const raw = openRaw(join(folder, 'raw.db'), synchronous)
  try {
    return await use({ store, raw, file })
  } finally {
    raw.close()
    await store[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  }
}

async function ratePerSecond(count: number, work: () => Promise<void> | void): Promise<number> {
  const start = performance.now()
  await work()
  return (count / (performance.now() - start)) * 1000
}

async function compare(
  name: string,
  count: number,
  sides: { ours(): Promise<void>; raw(): void },
): Promise<RateResult> {
  const ours: number[] = []
  const raw: number[] = []
  for (let round = 0; round < ROUNDS + 1; round += 1) {
    raw.push(await ratePerSecond(count, sides.raw))
    ours.push(await ratePerSecond(count, sides.ours))
  }
  // The first round warms both up.
  const ratios = ours.slice(1).map((rate, index) => rate / (raw[index + 1] ?? rate))
  return {
    name,
    oursPerSecond: Math.round(median(ours.slice(1))),
    rawPerSecond: Math.round(median(raw.slice(1))),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

/** A request becomes durable before the next one comes. */
export function enqueueOneByOne(synchronous: Synchronous, count = 1000): Promise<RateResult> {
  return withBoth(synchronous, ({ store, raw }) =>
    compare(`enqueue one by one, ${synchronous}`, count, {
      async ours() {
        for (let i = 0; i < count; i += 1) await store.submit(request(i), NO_LIMITS)
      },
      raw() {
        for (let i = 0; i < count; i += 1) raw.enqueue(request(i).description)
      },
    }),
  )
}

/** Requests that come together, against raw ones that cannot share a commit. */
export function enqueueBurst(synchronous: Synchronous, count = 4000): Promise<RateResult> {
  return withBoth(synchronous, ({ store, raw }) =>
    compare(`enqueue a burst, ${synchronous}`, count, {
      async ours() {
        await Promise.all(Array.from({ length: count }, (_, i) => store.submit(request(i), NO_LIMITS)))
      },
      raw() {
        for (let i = 0; i < count; i += 1) raw.enqueue(request(i).description)
      },
    }),
  )
}

/** One worker takes a task and finishes it, with the events of both. */
export function claimAndFinish(synchronous: Synchronous, count = 1000): Promise<RateResult> {
  return withBoth(synchronous, async ({ store, raw }) => {
    const all = count * (ROUNDS + 1)
    await Promise.all(Array.from({ length: all }, (_, i) => store.submit(request(i), NO_LIMITS)))
    for (let i = 0; i < all; i += 1) raw.enqueue(request(i).description)
    return compare(`claim and finish, ${synchronous}`, count, {
      async ours() {
        for (let i = 0; i < count; i += 1) {
          const task = await store.claim({ id: 'w1', leaseMs: 30_000 })
          if (task === undefined) throw new Error('no task left')
          await store.apply(task.id, { kind: 'answered', answer: 'ok' }, { leaseId: task.lease?.id ?? '' })
        }
      },
      raw() {
        for (let i = 0; i < count; i += 1) raw.claimAndFinish()
      },
    })
  })
}

/** From the settled promise of a submission to the watcher of the same process, and of another one. */
export async function wakeUp(count = 1000): Promise<{ sameProcess: LatencyResult; otherProcess: LatencyResult }> {
  return withBoth('normal', async ({ store, file }) => {
    const program = new URL('../fixtures/store-hear.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    await lines.next()
    while (readdirSync(`${file}.wake`).every((name) => !name.endsWith('.sock'))) await wait(1)
    const here: number[] = []
    const there: number[] = []
    let heardHere = 0n
    store.watch(() => {
      heardHere = process.hrtime.bigint()
    })
    for (let i = 0; i < count; i += 1) {
      const called = process.hrtime.bigint()
      await store.submit(request(i), NO_LIMITS)
      const settled = process.hrtime.bigint()
      const heardThere = BigInt(String((await lines.next()).value).split(' ')[1] ?? '0')
      here.push(toMs(heardHere - called))
      there.push(Math.max(0, toMs(heardThere - settled)))
      await wait(1)
    }
    child.kill('SIGTERM')
    await once(child, 'exit')
    return {
      sameProcess: latency('submit called to heard, same process', here),
      otherProcess: latency('submit settled to heard, another process', there),
    }
  })
}

/** Share of one CPU that a store costs while it waits to be woken. */
export async function idleCpu(ms = 10_000): Promise<{ name: string; share: number }> {
  return withBoth('normal', async ({ store }) => {
    store.watch(silent)
    await wait(500)
    const before = process.cpuUsage()
    const start = performance.now()
    await wait(ms)
    const used = process.cpuUsage(before)
    return { name: 'idle CPU', share: (used.user + used.system) / 1000 / (performance.now() - start) }
  })
}

/** What a claim and a first page take with this many finished tasks in the file. */
export async function growth(tasks: number): Promise<readonly LatencyResult[]> {
  return withBoth('normal', async ({ store, file }) => {
    const db = new Database(file)
    db.prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO task (description, kind, status, requester_platform, requester_scope, requester_user, requester_name, inputs_ready,
         queue_key, created_at, updated_at, started_at, ended_at, ending)
       SELECT 'an old task with a description of some length', 'request', 'done', 'api', '', 'U' || (i % 50), 'x', 1, 0, i, i, i, i + 9,
         '{"answer":"ok"}' FROM n`,
    ).run(tasks)
    db.exec(`INSERT INTO event (task_id, at, body) SELECT id, created_at, '{"kind":"submitted"}' FROM task;
      INSERT INTO event (task_id, at, body) SELECT id, created_at, '{"kind":"answered","answer":"ok"}' FROM task;`)
    db.close()
    await Promise.all(Array.from({ length: 300 }, (_, i) => store.submit(request(i), NO_LIMITS)))
    return [
      await timed(`claim at ${tasks}`, () => store.claim({ id: 'w1', leaseMs: 30_000 })),
      await timed(`first page at ${tasks}`, () => store.list({ limit: 50 })),
      await timed(`page by requester and status at ${tasks}`, () =>
        store.list({
          limit: 50,
          status: ['done', 'failed'],
          requester: { platform: 'api', userId: 'U7' },
          beforeId: tasks / 2,
        }),
      ),
      await timed(`counts at ${tasks}`, () => store.counts()),
      await timed(`one task with its events at ${tasks}`, async () => {
        await store.get(tasks >> 1)
        await store.events({ taskId: tasks >> 1, afterId: 0, limit: 100 })
      }),
    ]
  })
}

async function timed(name: string, work: () => Promise<unknown>): Promise<LatencyResult> {
  const times: number[] = []
  for (let i = 0; i < 200; i += 1) {
    const start = performance.now()
    await work()
    times.push(performance.now() - start)
  }
  return latency(name, times)
}

function latency(name: string, times: readonly number[]): LatencyResult {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { name, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

function toMs(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6
}
