import { execFile } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { SetupError } from '../../src/core/errors.ts'
import { createStore } from '../../src/store/create-store.ts'
import { APPLICATION_ID, migrate } from '../../src/store/migrate.ts'
import { manualClock } from '../fakes/manual-clock.ts'
import { openBench, quietLogger, submit } from './store-helpers.ts'

const run = promisify(execFile)

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'assistant-open-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

function open(file: string) {
  return createStore({ file, clock: manualClock(), logger: quietLogger() })
}

async function refusal(file: string): Promise<SetupError> {
  const error: unknown = await open(file).then(
    (store) => store[Symbol.asyncDispose](),
    (reason: unknown) => reason,
  )
  if (!(error instanceof SetupError)) throw new Error(`no SetupError: ${String(error)}`)
  expect(error.fix).not.toBe('')
  return error
}

test('a new store and its folder are made, for this user only, and found again with what was in them', async () => {
  const file = join(folder(), 'home', 'tasks.db')
  const store = await open(file)
  const id = await submit(store)
  for (const name of readdirSync(join(file, '..'))) expect(statSync(join(file, '..', name)).mode & 0o077, name).toBe(0)
  await store[Symbol.asyncDispose]()
  await using again = await open(file)
  expect(await again.get(id)).toMatchObject({ id, status: 'pending' })
  expect(existsSync(`${file}-wal`)).toBe(true)
})

test('a store that others may read is closed to them', async () => {
  await using bench = await openBench()
  chmodSync(bench.file, 0o644)
  await bench.open()
  expect(statSync(bench.file).mode & 0o777).toBe(0o600)
})

test('after it is closed, every call says so', async () => {
  await using bench = await openBench()
  const last = submit(bench.store)
  await bench.store[Symbol.asyncDispose]()
  await bench.store[Symbol.asyncDispose]()
  expect(await last).toBe(1)
  await expect(bench.store.get(1)).rejects.toMatchObject({ name: 'StoreError', code: 'closed' })
  await expect(submit(bench.store)).rejects.toMatchObject({ code: 'closed' })
  await expect(bench.store.backup(`${bench.file}.copy`)).rejects.toMatchObject({ code: 'closed' })
})

test('a file that is no database, and one of another program, are refused and left as they are', async () => {
  const home = folder()
  const text = join(home, 'text.db')
  writeFileSync(text, 'my diary, which is longer than a header')
  expect((await refusal(text)).code).toBe('store_not_a_store')
  const foreign = join(home, 'foreign.db')
  const db = new Database(foreign)
  db.exec('CREATE TABLE song (name TEXT)')
  db.close()
  expect((await refusal(foreign)).code).toBe('store_not_a_store')
})

test('a damaged file is refused at start with what to do', async () => {
  await using bench = await openBench()
  for (let i = 0; i < 50; i += 1) await submit(bench.store, { description: 'x'.repeat(3000) })
  await bench.store[Symbol.asyncDispose]()
  const damaged = join(bench.folder, 'damaged.db')
  copyFileSync(bench.file, damaged)
  const handle = await openFile(damaged, 'r+')
  await handle.write(Buffer.alloc(40_000, 0xa5), 0, 40_000, 4096 * 3)
  await handle.close()
  const error = await refusal(damaged)
  expect(error.code).toBe('store_corrupt')
  expect(error.fix).toContain('assistant backup')
  const cut = join(bench.folder, 'cut.db')
  copyFileSync(bench.file, cut)
  truncateSync(cut, 4096 * 5)
  expect((await refusal(cut)).code).toBe('store_corrupt')
})

test('a file from a newer version is refused and not touched', async () => {
  await using bench = await openBench()
  await bench.store[Symbol.asyncDispose]()
  const db = new Database(bench.file)
  db.pragma('user_version = 99')
  db.close()
  const error = await refusal(bench.file)
  expect(error.code).toBe('store_newer')
  expect(error.fix).toContain('Update the program')
})

test('migrations go forward one by one, and a copy of what was there is kept', () => {
  const file = join(folder(), 'tasks.db')
  const db = new Database(file)
  const first = { version: 1, sql: 'CREATE TABLE a (x) STRICT;'.replace('x)', 'x TEXT)') }
  const second = { version: 2, sql: 'ALTER TABLE a ADD COLUMN y TEXT;' }
  const third = { version: 3, sql: "UPDATE a SET y = 'new';" }
  expect(migrate(db, file, [first])).toBeNull()
  db.exec("INSERT INTO a VALUES ('kept')")
  const copy = migrate(db, file, [first, second, third]) ?? ''
  expect(db.prepare('SELECT * FROM a').all()).toEqual([{ x: 'kept', y: 'new' }])
  expect(db.pragma('user_version', { simple: true })).toBe(3)
  expect(db.pragma('application_id', { simple: true })).toBe(APPLICATION_ID)
  expect(statSync(copy).mode & 0o777).toBe(0o600)
  const before = new Database(copy, { readonly: true })
  expect(before.prepare('SELECT * FROM a').all()).toEqual([{ x: 'kept' }])
  expect(before.pragma('user_version', { simple: true })).toBe(1)
  before.close()
  db.close()
})

test('a migration that fails changes nothing', () => {
  const file = join(folder(), 'tasks.db')
  const db = new Database(file)
  const first = { version: 1, sql: 'CREATE TABLE a (x TEXT) STRICT;' }
  migrate(db, file, [first])
  const broken = { version: 2, sql: "INSERT INTO a VALUES ('half'); INSERT INTO nowhere VALUES (1);" }
  expect(() => migrate(db, file, [first, broken])).toThrow('nowhere')
  expect(db.prepare('SELECT * FROM a').all()).toEqual([])
  expect(db.pragma('user_version', { simple: true })).toBe(1)
  db.close()
})

test('two processes that open a new store at once both get it', async () => {
  const file = join(folder(), 'tasks.db')
  const program = new URL('../fixtures/store-open.ts', import.meta.url).pathname
  const both = await Promise.all([1, 2].map(() => run(process.execPath, [program, file])))
  expect(both.map((child) => child.stdout)).toEqual(['ok\n', 'ok\n'])
})

test('a store that another program keeps locked is refused at start, in seconds', async () => {
  await using bench = await openBench()
  await bench.store[Symbol.asyncDispose]()
  const holder = new Database(bench.file)
  holder.pragma('locking_mode = EXCLUSIVE')
  holder.exec('BEGIN EXCLUSIVE')
  expect((await refusal(bench.file)).code).toBe('store_locked')
  holder.close()
})

test.runIf(process.getuid?.() === 0)(
  'as root: a store that another user may not write is refused with what to do',
  async () => {
    const home = folder()
    chmodSync(home, 0o755)
    const closed = join(home, 'closed')
    mkdirSync(closed, { mode: 0o755 })
    const file = join(closed, 'tasks.db')
    await (await open(file))[Symbol.asyncDispose]()
    chmodSync(file, 0o644)
    const program = new URL('../fixtures/store-open.ts', import.meta.url).pathname
    const nobody = { uid: 65_534, gid: 65_534 }
    const { stdout } = await run(process.execPath, [program, file], nobody)
    expect(stdout).toMatch(/^SetupError store_(cannot_open|read_only) .*cannot be written|may not be written/)
    chownSync(file, nobody.uid, nobody.gid)
    const inClosed = await run(process.execPath, [program, file], nobody)
    expect(inClosed.stdout).toMatch(/^SetupError store_(cannot_open|read_only) /)
  },
)
