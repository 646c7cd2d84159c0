/** plainjob, a job queue on SQLite, where it is installed: `npm install` in test/bench. */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Skipped } from './figure.ts'
import { temporaryFolder } from './stand.ts'

export interface PlainQueue extends Disposable {
  enqueue(description: string): void
  claimAndFinish(): void
}

/** The part of its interface that is used here; the package is not there to take types from. */
interface Plainjob {
  better(db: Database.Database): unknown
  defineQueue(options: { connection: unknown; logger: object }): {
    add(type: string, data: object): unknown
    getAndMarkJobAsProcessing(type: string): { id: number } | undefined
    markJobAsDone(id: number): void
    close(): void
  }
}

export async function openPlainjob(): Promise<PlainQueue | Skipped> {
  const library = await load()
  if (library === undefined) return { name: 'plainjob', skipped: 'not installed: (cd test/bench && npm install)' }
  const folder = temporaryFolder()
  const db = new Database(join(folder.path, 'plain.db'))
  const silent = () => undefined
  const queue = library.defineQueue({
    connection: library.better(db),
    logger: { error: silent, warn: silent, info: silent, debug: silent },
  })
  return {
    enqueue: (description) => void queue.add('task', { description }),
    claimAndFinish() {
      const job = queue.getAndMarkJobAsProcessing('task')
      if (job !== undefined) queue.markJobAsDone(job.id)
    },
    [Symbol.dispose]() {
      queue.close()
      if (db.open) db.close()
      folder[Symbol.dispose]()
    },
  }
}

async function load(): Promise<Plainjob | undefined> {
  // Named by a variable: a compiler has nothing to find where it is not installed.
  const name = 'plainjob'
  try {
    return await import(name)
  } catch {
    // Not installed, which the caller says.
    return undefined
  }
}
