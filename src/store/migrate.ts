import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { SetupError } from '../core/errors.ts'
import type { Migration } from './schema.ts'

/** Marks a file as ours: "ASST". */
export const APPLICATION_ID = 0x41535354

/**
 * Brings the file to the newest version, each migration in a transaction of its own. Answers the copy that was kept, if one was made:
 * a file that has data is copied before it is changed. Throws SetupError for a file from a newer version or of another program.
 * Several processes may do this at once: the version is read again inside each transaction.
 */
export function migrate(db: Database, file: string, migrations: readonly Migration[]): string | null {
  const newest = migrations.at(-1)?.version ?? 0
  const found = versionOf(db)
  refuseForeign(db, file, found, newest)
  if (found === newest) return null
  const copy = found === 0 ? null : keepCopy(db, file, found)
  // A table that is made anew is dropped in between; what refers to it must not go with it.
  db.pragma('foreign_keys = OFF')
  try {
    for (const migration of migrations) step(db, migration)
  } finally {
    db.pragma('foreign_keys = ON')
  }
  return copy
}

function refuseForeign(db: Database, file: string, found: number, newest: number): void {
  const mark = readNumber(db, 'application_id')
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
  if (!isEmpty && mark !== APPLICATION_ID) {
    throw new SetupError(
      'store_not_a_store',
      `The file is a database of another program. (${file})`,
      'Move it away, or set another ASSISTANT_HOME.',
    )
  }
  if (found > newest) {
    throw new SetupError(
      'store_newer',
      `The store was written by a newer version of this program (${found}; this one knows ${newest}). (${file})`,
      'Update the program, or put back the copy that was kept before the update.',
    )
  }
}

function step(db: Database, migration: Migration): void {
  db.transaction(() => {
    if (versionOf(db) >= migration.version) return
    db.exec(migration.sql)
    db.pragma(`user_version = ${migration.version}`)
    db.pragma(`application_id = ${APPLICATION_ID}`)
  }).immediate()
}

/** A copy beside the file, made whole before it gets its name. One that is there from an earlier try is kept. */
function keepCopy(db: Database, file: string, version: number): string {
  const copy = `${file}.before-version-${version + 1}`
  if (existsSync(copy)) return copy
  const part = `${copy}.${process.pid}.part`
  rmSync(part, { force: true })
  closeSync(openSync(part, 'w', 0o600))
  db.prepare('VACUUM INTO ?').run(part)
  renameSync(part, copy)
  return copy
}

function versionOf(db: Database): number {
  return readNumber(db, 'user_version')
}

function readNumber(db: Database, pragma: 'user_version' | 'application_id'): number {
  return z.number().parse(db.pragma(pragma, { simple: true }))
}
