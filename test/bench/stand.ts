/** What the benches stand on: real time, a silent log, a store beside a raw database on the same disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { NewTask, Store } from '../../src/ports/store.ts'
import { createStore } from '../../src/store/create-store.ts'

export type Synchronous = 'full' | 'normal'

export const NO_LIMITS = { perRequester: 100, perPlace: 100, total: 1e9 }
const silent = () => undefined
export const quiet: Logger = { debug: silent, info: silent, warn: silent, error: silent }

export const realClock: Clock = {
  now: Date.now,
  after(ms, action) {
    const timer = setTimeout(action, ms).unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

export interface Folder extends Disposable {
  path: string
}

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'assistant-bench-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Eight tasks of each person: nobody meets a limit. */
export function request(index: number): NewTask {
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

export interface StoreStand extends AsyncDisposable {
  store: Store
  raw: RawQueue
  file: string
}

export async function openStand(synchronous: Synchronous): Promise<StoreStand> {
  const folder = temporaryFolder()
  const file = join(folder.path, 'tasks.db')
  const store = await createStore({ file, clock: realClock, logger: quiet, synchronous })
  const raw = openRaw(join(folder.path, 'raw.db'), synchronous)
  return {
    store,
    raw,
    file,
    async [Symbol.asyncDispose]() {
      raw.close()
      await store[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

export interface RawQueue {
  enqueue(description: string): void
  claim(): void
  claimAndFinish(): void
  /** So many, each finished in one transaction with the claim of the next. */
  workOff(count: number): void
  close(): void
}

/** A row and an event in one transaction, and the shortest claim and finish: what SQLite itself costs here. */
export function openRaw(file: string, synchronous: Synchronous): RawQueue {
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
  const take = db.transaction(() => {
    const row = claim.get()
    if (row !== undefined) event.run(row.id, Date.now(), '{"kind":"claimed"}')
    return row?.id
  })
  const end = db.transaction((id: number) => {
    finish.run(id)
    event.run(id, Date.now(), '{"kind":"finished"}')
  })
  const endAndTake = db.transaction((id: number) => {
    end(id)
    return take()
  })
  return {
    enqueue: db.transaction((description: string) => {
      event.run(insert.run(description, Date.now()).lastInsertRowid, Date.now(), '{"kind":"submitted"}')
    }),
    claim: () => void take(),
    claimAndFinish() {
      const id = take()
      if (id !== undefined) end(id)
    },
    workOff(count) {
      let id = take()
      for (let i = 1; i < count && id !== undefined; i += 1) id = endAndTake(id)
      if (id !== undefined) end(id)
    },
    close: () => db.close(),
  }
}
