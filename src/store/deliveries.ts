import type { Database } from 'better-sqlite3'
import type { Platform } from '../core/task.ts'
import type { DeliveredMessage, Delivery, DeliveryRole, Store } from '../ports/store.ts'
import type { Commit } from './group-commit.ts'
import { type PlaceColumns, type TaskRow, toPlace } from './rows.ts'

type DeliveryRow = Pick<TaskRow, PlaceColumns> & {
  task_id: number
  cursor: number
  attempts: number
  next_attempt_at: number
  failure: string | null
  settled: number
}

interface MessageRow {
  role: DeliveryRole
  ref: string | null
  frame: string
  posted_at: number | null
}

type Saved = Parameters<Store['saveDelivery']>[0]

const SELECT = `SELECT d.task_id, d.cursor, d.attempts, d.next_attempt_at, d.failure, d.settled,
  t.place_platform, t.place_key, t.place_thread, t.place_channel FROM delivery d JOIN task t ON t.id = d.task_id`

export function createDeliveryReader(db: Database) {
  const one = db.prepare<[number], DeliveryRow>(`${SELECT} WHERE d.task_id = CAST(? AS INTEGER)`)
  const unsettled = db.prepare<[string, number], DeliveryRow>(
    `${SELECT} WHERE d.platform = CAST(? AS TEXT) AND d.settled = 0 AND d.failure IS NULL ORDER BY d.task_id LIMIT CAST(? AS INTEGER)`,
  )
  const failed = db.prepare<[number], DeliveryRow>(
    `${SELECT} WHERE d.failure IS NOT NULL ORDER BY d.task_id DESC LIMIT CAST(? AS INTEGER)`,
  )
  const messages = db.prepare<[number], MessageRow>(
    'SELECT role, ref, frame, posted_at FROM message WHERE task_id = CAST(? AS INTEGER) ORDER BY role',
  )

  function whole(row: DeliveryRow): Delivery {
    const place = toPlace(row)
    if (place === null) throw new Error(`the delivery of task ${row.task_id} has no place`)
    return {
      taskId: row.task_id,
      place,
      cursor: row.cursor,
      attempts: row.attempts,
      nextAttemptAt: row.next_attempt_at,
      failure: row.failure,
      settled: row.settled === 1,
      messages: messages.all(row.task_id).map((message) => toMessage(row.task_id, message)),
    }
  }

  return {
    get(taskId: number): Delivery | undefined {
      const row = one.get(taskId)
      return row === undefined ? undefined : whole(row)
    },
    /** Each platform's oldest from its own index, then the oldest of these. */
    unsettled(platforms: readonly Platform[], limit: number): readonly Delivery[] {
      const rows = [...new Set(platforms)].flatMap((platform) => unsettled.all(platform, limit))
      return rows
        .sort((a, b) => a.task_id - b.task_id)
        .slice(0, limit)
        .map(whole)
    },
    failed: (limit: number): readonly Delivery[] => failed.all(limit).map(whole),
  }
}

function toMessage(taskId: number, row: MessageRow): DeliveredMessage {
  return { taskId, role: row.role, ref: row.ref, frame: row.frame, postedAt: row.posted_at }
}

export function createDeliveryWriter(db: Database) {
  // An event that came while a thread was being told is still to be told: then nothing is settled.
  const save = db.prepare(
    `INSERT INTO delivery (task_id, platform, cursor, attempts, next_attempt_at, failure, settled)
     VALUES (@taskId, @platform, @cursor, @attempts, @nextAttemptAt, @failure,
       @settled AND NOT EXISTS (SELECT 1 FROM task WHERE id = @taskId AND last_event > @cursor))
     ON CONFLICT (task_id) DO UPDATE SET platform = excluded.platform, cursor = excluded.cursor, attempts = excluded.attempts,
       next_attempt_at = excluded.next_attempt_at, failure = excluded.failure, settled = excluded.settled`,
  )
  const move = db.prepare(
    `UPDATE task SET place_platform = @platform, place_key = @key, place_thread = @thread, place_channel = @channel WHERE id = @taskId
     AND (place_key, place_platform, place_thread, place_channel) IS NOT (@key, @platform, @thread, @channel)`,
  )
  const message = db.prepare(
    `INSERT INTO message (task_id, role, ref, frame, posted_at) VALUES (@taskId, @role, @ref, @frame, @postedAt)
     ON CONFLICT (task_id, role) DO UPDATE SET ref = excluded.ref, frame = excluded.frame, posted_at = excluded.posted_at`,
  )
  return {
    save(commit: Commit, delivery: Saved): void {
      const { place, settled, ...rest } = delivery
      const moved = move.run({
        taskId: rest.taskId,
        platform: place.platform,
        key: place.key,
        thread: Number(place.thread),
        channel: place.channelId,
      })
      save.run({ ...rest, platform: place.platform, settled: settled ? 1 : 0 })
      commit.deliveries.add(rest.taskId)
      if (moved.changes > 0) commit.tasks.add(rest.taskId)
    },
    saveMessage(commit: Commit, delivered: DeliveredMessage): void {
      message.run({ ...delivered })
      commit.deliveries.add(delivered.taskId)
    },
  }
}
