import { randomUUID } from 'node:crypto'
import type { Database } from 'better-sqlite3'
import type { Task } from '../core/task.ts'
import { nextStatus } from '../core/transitions.ts'
import type { AppendEvent } from './append-event.ts'
import type { Commit } from './group-commit.ts'
import type { TaskReader } from './read-tasks.ts'
import { TASK_COLUMNS, type TaskRow } from './rows.ts'

interface Context {
  db: Database
  reader: TaskReader
  append: AppendEvent
}

export interface ClaimRequest {
  id: string
  leaseMs: number
  only?: number
  now: number
}

export type Claim = (commit: Commit, request: ClaimRequest) => Task | undefined

interface Lease {
  lease: string
  worker: string
  until: number
  ms: number
  now: number
  claimed: string
  only: number
}

/** Takes the next task in one statement; two workers that ask at once get two tasks. An approved task stays running, a pending one is planned. */
export function createClaim({ db, reader, append }: Context): Claim {
  const next = db.prepare<[Lease], TaskRow>(
    takeWhere('id = (SELECT id FROM task WHERE claimable = 1 ORDER BY queue_key, id LIMIT 1)'),
  )
  const only = db.prepare<[Lease], TaskRow>(takeWhere('id = @only AND claimable = 1'))
  const advance = db.prepare<[{ key: number }]>('UPDATE queue SET virtual_time = @key WHERE virtual_time < @key')
  const claimed = nextStatus('pending', 'claimed') ?? 'pending'

  return (commit, { id, leaseMs, only: wanted, now }) => {
    const lease = {
      lease: randomUUID(),
      worker: id,
      until: now + leaseMs,
      ms: leaseMs,
      now,
      claimed,
      only: wanted ?? 0,
    }
    const row = wanted === undefined ? next.get(lease) : only.get(lease)
    if (row === undefined) return undefined
    // A claim out of turn does not move the queue on.
    if (wanted === undefined) advance.run({ key: row.queue_key })
    append(commit, row, now, { kind: 'claimed', workerId: id })
    return reader.whole(row)
  }
}

function takeWhere(which: string): string {
  return `UPDATE task SET status = CASE status WHEN 'pending' THEN @claimed ELSE status END, lease_id = @lease,
      lease_worker = @worker, lease_until = @until, lease_ms = @ms, started_at = coalesce(started_at, @now), updated_at = @now
    WHERE ${which} RETURNING ${TASK_COLUMNS}`
}
