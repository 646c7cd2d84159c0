import type { Database } from 'better-sqlite3'
import type { AuditEntry, WorkerRow } from '../ports/store.ts'
import { columns } from './json-columns.ts'

type AuditRow = Pick<AuditEntry, 'id' | 'at' | 'action' | 'detail'> & {
  platform: string
  scope: string
  channel_id: string
  user_id: string
  name: string
  task_id: number | null
  allowed: number
}

export function createAudit(db: Database) {
  const insert = db.prepare(
    `INSERT INTO audit (at, platform, scope, channel_id, user_id, name, action, task_id, allowed, detail)
     VALUES (@at, @platform, @scope, @channelId, @userId, @name, @action, @taskId, @allowed, @detail)`,
  )
  const page = db.prepare<[number, number], AuditRow>(
    'SELECT * FROM audit WHERE id < CAST(? AS INTEGER) ORDER BY id DESC LIMIT CAST(? AS INTEGER)',
  )
  const ofTask = db.prepare<[number, number, number], AuditRow>(
    'SELECT * FROM audit WHERE task_id = CAST(? AS INTEGER) AND id < CAST(? AS INTEGER) ORDER BY id DESC LIMIT CAST(? AS INTEGER)',
  )
  return {
    add({ actor, ...entry }: Omit<AuditEntry, 'id' | 'at'>, at: number): void {
      const { platform, scope, channelId, userId, name } = actor
      insert.run({ ...entry, platform, scope, channelId, userId, name, at, allowed: entry.allowed ? 1 : 0 })
    },
    list(query: { taskId?: number; beforeId?: number; limit: number }): readonly AuditEntry[] {
      const before = query.beforeId ?? Number.MAX_SAFE_INTEGER
      const rows =
        query.taskId === undefined ? page.all(before, query.limit) : ofTask.all(query.taskId, before, query.limit)
      return rows.map(toAuditEntry)
    },
  }
}

function toAuditEntry(row: AuditRow): AuditEntry {
  return {
    id: row.id,
    at: row.at,
    actor: {
      platform: columns.platform(row.platform),
      scope: row.scope,
      channelId: row.channel_id,
      userId: row.user_id,
      name: row.name,
    },
    action: row.action,
    taskId: row.task_id,
    allowed: row.allowed === 1,
    detail: row.detail,
  }
}

export function createWorkers(db: Database) {
  const put = db.prepare(
    `INSERT INTO worker (id, pid, host, role, heartbeat_at, slots) VALUES (@id, @pid, @host, @role, @heartbeatAt, @slots)
     ON CONFLICT (id) DO UPDATE SET pid = excluded.pid, host = excluded.host, role = excluded.role,
       heartbeat_at = excluded.heartbeat_at, slots = excluded.slots`,
  )
  const remove = db.prepare<[string]>('DELETE FROM worker WHERE id = ?')
  const live = db.prepare<[number, number], WorkerRow>(
    `SELECT id, pid, host, role, heartbeat_at AS heartbeatAt, slots FROM worker WHERE heartbeat_at > ? AND heartbeat_at < ? ORDER BY id`,
  )
  return {
    put: (row: WorkerRow) => void put.run({ ...row }),
    remove: (id: string) => void remove.run(id),
    // A heartbeat from far in the future is one from before the clock was set back.
    live: (withinMs: number, now: number): readonly WorkerRow[] => live.all(now - withinMs, now + withinMs),
  }
}

export function createNotes(db: Database) {
  const get = db.prepare<[string], { value: string }>('SELECT value FROM note WHERE key = ?')
  const put = db.prepare<[string, string]>(
    'INSERT INTO note (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  )
  return {
    get: (key: string) => get.get(key)?.value,
    put: (key: string, value: string) => void put.run(key, value),
  }
}
