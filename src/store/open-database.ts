import { chmodSync, closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { COMMAND } from '../core/command.ts'
import { errorLine, SetupError } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { migrate } from './migrate.ts'
import { MIGRATIONS } from './schema.ts'
import { toSetupError } from './store-errors.ts'

/** While another process recovers or migrates the file, there is nothing else to do. */
const BUSY_TIMEOUT_AT_START_MS = 3000
/** A longer wait would hold up the event loop; the write queue tries again on its own. */
const BUSY_TIMEOUT_MS = 250
/** Reading a whole file takes too long at start beyond this; then only its beginning, its size and its roots are looked at. */
const MAX_CHECKED_BYTES = 64 * 1024 * 1024
const HEADER = Buffer.from('SQLite format 3\0')

export interface OpenOptions {
  file: string
  synchronous: 'full' | 'normal'
  logger: Logger
}

/** Opens, checks and migrates the file, mode 0600, made if it is not there. Throws SetupError. */
export function openDatabase(options: OpenOptions): Database.Database {
  const { file, logger } = options
  makePrivate(file)
  refuseOtherFormats(file)
  const db = open(file)
  try {
    configure(db, options.synchronous)
    check(db, file)
    const copy = migrate(db, file, MIGRATIONS)
    if (copy !== null) logger.info({ copy }, 'the store was brought to this version; the copy from before is kept')
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`)
    return db
  } catch (error) {
    db.close()
    throw toSetupError(error, file)
  }
}

function open(file: string): Database.Database {
  try {
    return new Database(file, { timeout: BUSY_TIMEOUT_AT_START_MS })
  } catch (error) {
    throw toSetupError(error, file)
  }
}

/** SQLite gives the files beside it the mode of the database. */
function makePrivate(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    closeSync(openSync(file, 'a', 0o600))
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
  } catch (error) {
    throw new SetupError(
      'store_cannot_open',
      `The store cannot be written: ${errorLine(error)}`,
      'Give the user that runs this program write access to the file and its folder, and free space.',
      { cause: error },
    )
  }
}

function refuseOtherFormats(file: string): void {
  const start = Buffer.alloc(HEADER.length)
  const descriptor = openSync(file, 'r')
  const bytes = readSync(descriptor, start, 0, start.length, 0)
  closeSync(descriptor)
  if (bytes > 0 && !start.equals(HEADER)) {
    throw new SetupError(
      'store_not_a_store',
      `The file is not a store of this program. (${file})`,
      'Move it away, or set another ASSISTANT_HOME.',
    )
  }
}

function configure(db: Database.Database, synchronous: 'full' | 'normal'): void {
  // Each commit writes whole pages, one for each index that it touches: small ones cost a fifth less. Heeded by a new file only.
  db.pragma('page_size = 2048')
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${synchronous}`)
  db.pragma('foreign_keys = ON')
  db.pragma('trusted_schema = OFF')
  db.pragma('temp_store = MEMORY')
  // KiB: the upper pages of every index at a million tasks.
  db.pragma('cache_size = -16384')
  // Pages until the log is written to the file and begins anew: the more, the fewer writes of hot pages. But where each commit waits for the
  // disk, one that makes the log grow costs twice one that writes over what is there.
  db.pragma(`wal_autocheckpoint = ${synchronous === 'full' ? 1000 : 16000}`)
  db.pragma('journal_size_limit = 67108864')
}

function check(db: Database.Database, file: string): void {
  const isSmall = statSync(file).size <= MAX_CHECKED_BYTES
  const answer = isSmall ? db.pragma('quick_check(1)', { simple: true }) : checkRoots(db)
  if (answer === 'ok') return
  throw new SetupError(
    'store_corrupt',
    `The store is damaged: ${String(answer)} (${file})`,
    `Stop the program, move the file away, and put a copy made with \`${COMMAND} backup\` in its place.`,
  )
}

/** Reads one row of each table, which throws where a root page is not one. */
function checkRoots(db: Database.Database): string {
  const tables = db.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  for (const { name } of tables) db.prepare(`SELECT * FROM "${name}" LIMIT 1`).get()
  return 'ok'
}
