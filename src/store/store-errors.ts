import Database from 'better-sqlite3'
import { COMMAND } from '../core/command.ts'
import { SetupError } from '../core/errors.ts'
import { StoreError } from '../ports/store.ts'

interface Trouble {
  code: string
  sentence: string
  fix: string
}

/** By the beginning of SQLite's result code; the longer of two that match comes first. */
const TROUBLES: readonly (readonly [prefix: string, trouble: Trouble])[] = [
  ['SQLITE_FULL', { code: 'disk_full', sentence: 'The disk of the store is full.', fix: 'Free some space on it.' }],
  [
    'SQLITE_IOERR',
    {
      code: 'io',
      sentence: 'The disk of the store does not take what is written, or cannot be read.',
      fix: 'Look for free space and for faults of the disk.',
    },
  ],
  [
    'SQLITE_BUSY',
    {
      code: 'locked',
      sentence: 'Another program has locked the store.',
      fix: 'Close the program that holds the file (a database browser, a backup), then try again.',
    },
  ],
  [
    'SQLITE_READONLY',
    {
      code: 'read_only',
      sentence: 'The store may not be written.',
      fix: 'Give the user that runs this program write access to the file and its folder.',
    },
  ],
  [
    'SQLITE_CANTOPEN',
    {
      code: 'cannot_open',
      sentence: 'The store cannot be opened.',
      fix: 'Give the user that runs this program access to the file and its folder.',
    },
  ],
  [
    'SQLITE_NOTADB',
    {
      code: 'not_a_store',
      sentence: 'The file is not a store of this program.',
      fix: 'Move it away, or set another ASSISTANT_HOME.',
    },
  ],
  [
    'SQLITE_CORRUPT',
    {
      code: 'corrupt',
      sentence: 'The store is damaged.',
      fix: `Stop the program, move the file away, and put a copy made with \`${COMMAND} backup\` in its place.`,
    },
  ],
]

function troubleOf(error: unknown): Trouble | undefined {
  if (!(error instanceof Database.SqliteError)) return undefined
  const { code } = error
  return TROUBLES.find(([prefix]) => code.startsWith(prefix))?.[1]
}

/** A StoreError for trouble with the file or its disk; anything else, which is a bug of ours, as it came. */
export function toStoreError(error: unknown): unknown {
  const trouble = troubleOf(error)
  if (trouble === undefined) return error
  return new StoreError(trouble.code, `${trouble.sentence} ${trouble.fix}`, { cause: error })
}

/** The same at start, where a person can be told what to do about it. */
export function toSetupError(error: unknown, file: string): unknown {
  const trouble = troubleOf(error)
  if (trouble === undefined) return error
  return new SetupError(`store_${trouble.code}`, `${trouble.sentence} (${file})`, trouble.fix, { cause: error })
}

export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
}

export function closedError(): StoreError {
  return new StoreError('closed', 'The store is closed.')
}
