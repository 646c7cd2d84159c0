import type { Database } from 'better-sqlite3'
import type { StoredEvent, TaskEvent } from '../core/events.ts'
import { type Platform, TASK_STATUSES, type Task, type TaskStatus, type TaskSummary } from '../core/task.ts'
import type { ListQuery } from '../ports/store.ts'
import {
  type ApprovalRow,
  type RoundRow,
  type StepRow,
  SUMMARY_COLUMNS,
  type SummaryRow,
  TASK_COLUMNS,
  type TaskRow,
  toApproval,
  toRound,
  toSummary,
  toTask,
} from './rows.ts'

export const MAX_PAGE = 200
/** Beyond every id, as the cursor of a first page. */
const NEWEST = Number.MAX_SAFE_INTEGER

interface EventRow {
  id: number
  task_id: number
  at: number
  body: string
}

export type TaskReader = ReturnType<typeof createTaskReader>

/**
 * The questions about tasks; every one is answered from an index, whatever the size of the file.
 *
 * A value that is compared with an indexed column, and each LIMIT, is bound through CAST, here and in other hot places: SQLite as built for
 * us (STAT4) plans a statement anew for each value that it can see, which costs ten times the look-up.
 */
export function createTaskReader(db: Database) {
  const one = db.prepare<[number], TaskRow>(`SELECT ${TASK_COLUMNS} FROM task WHERE id = ?`)
  const byKey = db.prepare<[string], { one: number }>('SELECT 1 AS one FROM task WHERE dedupe_key = CAST(? AS TEXT)')
  const rounds = db.prepare<[number], RoundRow>(
    'SELECT number, plan, author, verdict, hash, repair_of, planned_at FROM round WHERE task_id = CAST(? AS INTEGER) ORDER BY number',
  )
  const steps = db.prepare<[number], StepRow>(
    'SELECT round, number, state, ending, started_at, ended_at FROM step WHERE task_id = CAST(? AS INTEGER) ORDER BY round, number',
  )
  const approval = db.prepare<[number], ApprovalRow>(
    `SELECT round, hash, requested_at, expires_at, reminded_at, decision, decided_by, decided_at, note
     FROM approval WHERE task_id = CAST(? AS INTEGER) ORDER BY round DESC LIMIT 1`,
  )
  const children = db.prepare<[number], SummaryRow>(
    `SELECT ${SUMMARY_COLUMNS} FROM task WHERE parent_id = CAST(? AS INTEGER) ORDER BY id LIMIT ${MAX_PAGE}`,
  )
  const inputsWaiting = db.prepare<[], TaskRow>(
    `SELECT ${TASK_COLUMNS} FROM task WHERE inputs_ready = 0 AND ended_at IS NULL ORDER BY id`,
  )
  const events = db.prepare<[number, number], EventRow>(
    'SELECT * FROM event WHERE id > CAST(? AS INTEGER) ORDER BY id LIMIT CAST(? AS INTEGER)',
  )
  const taskEvents = db.prepare<[number, number, number], EventRow>(
    'SELECT * FROM event WHERE task_id = CAST(? AS INTEGER) AND id > CAST(? AS INTEGER) ORDER BY id LIMIT CAST(? AS INTEGER)',
  )
  const readPage = createPageReader(db)

  function whole(row: TaskRow): Task {
    if (row.round === 0) return toTask(row, [], null)
    const allSteps = steps.all(row.id)
    const ofTask = rounds.all(row.id).map((round) =>
      toRound(
        round,
        allSteps.filter((step) => step.round === round.number),
      ),
    )
    const asked = approval.get(row.id)
    return toTask(row, ofTask, asked === undefined ? null : toApproval(asked))
  }

  function get(taskId: number): Task | undefined {
    const row = one.get(taskId)
    return row === undefined ? undefined : whole(row)
  }

  return {
    whole,
    row: (taskId: number) => one.get(taskId),
    hasKey: (dedupeKey: string): boolean => byKey.get(dedupeKey) !== undefined,
    get,
    list(query: ListQuery): { tasks: readonly TaskSummary[]; nextBeforeId: number | null } {
      const limit = Math.min(Math.max(1, query.limit), MAX_PAGE)
      const found = readPage(query, limit + 1)
      const tasks = found.slice(0, limit).map(toSummary)
      return { tasks, nextBeforeId: found.length > limit ? (tasks.at(-1)?.id ?? null) : null }
    },
    children: (taskId: number): readonly TaskSummary[] => children.all(taskId).map(toSummary),
    latestInPlace(place: { platform: Platform; key: string }): Task | undefined {
      const newest = readPage({ place, limit: 1 }, 1)[0]
      return newest === undefined ? undefined : get(newest.id)
    },
    waitingForInputs: (): readonly Task[] => inputsWaiting.all().map(whole),
    events(query: { taskId?: number; afterId: number; limit: number }): readonly StoredEvent[] {
      const rows =
        query.taskId === undefined
          ? events.all(query.afterId, query.limit)
          : taskEvents.all(query.taskId, query.afterId, query.limit)
      return rows.map(toEvent)
    },
  }
}

function toEvent(row: EventRow): StoredEvent {
  // JSON.parse answers `any`: an event is written by this store only, from a TaskEvent, and read whole.
  const event: TaskEvent = JSON.parse(row.body)
  return { id: row.id, taskId: row.task_id, at: row.at, event }
}

type Filter = { sql: string; values: readonly (string | number)[] }

/**
 * Newest first, below a cursor. A list by status asks once for each status, so that every part comes from an index in order;
 * one query with `status IN (…)` would have to sort all that match.
 */
function createPageReader(db: Database): (query: ListQuery, limit: number) => SummaryRow[] {
  const prepared = new Map<string, ReturnType<typeof prepare>>()

  function prepare(where: string) {
    return db.prepare<(string | number)[], SummaryRow>(
      `SELECT ${SUMMARY_COLUMNS} FROM task WHERE ${where} id < CAST(? AS INTEGER) ORDER BY id DESC LIMIT CAST(? AS INTEGER)`,
    )
  }

  function select(filters: readonly Filter[], beforeId: number, limit: number): SummaryRow[] {
    const where = filters.map((filter) => `${filter.sql} AND `).join('')
    let statement = prepared.get(where)
    if (statement === undefined) {
      statement = prepare(where)
      prepared.set(where, statement)
    }
    return statement.all(...filters.flatMap((filter) => filter.values), beforeId, limit)
  }

  return (query, limit) => {
    const filters = filtersOf(query)
    const beforeId = query.beforeId ?? NEWEST
    const statuses = query.status ?? (filters.length > 0 ? TASK_STATUSES : null)
    if (statuses === null) return select(filters, beforeId, limit)
    const parts = [...new Set(statuses)].flatMap((status) => select([...filters, ofStatus(status)], beforeId, limit))
    return parts.sort((a, b) => b.id - a.id).slice(0, limit)
  }
}

function filtersOf(query: ListQuery): Filter[] {
  const filters: Filter[] = []
  if (query.parentId !== undefined) filters.push({ sql: 'parent_id = CAST(? AS INTEGER)', values: [query.parentId] })
  if (query.place !== undefined) {
    filters.push({
      sql: 'place_platform = CAST(? AS TEXT) AND place_key = CAST(? AS TEXT)',
      values: [query.place.platform, query.place.key],
    })
  }
  if (query.requester !== undefined) {
    const { platform, userId } = query.requester
    filters.push({
      sql: 'requester_platform = CAST(? AS TEXT) AND requester_user = CAST(? AS TEXT)',
      values: [platform, userId],
    })
  }
  return filters
}

function ofStatus(status: TaskStatus): Filter {
  return { sql: 'status = CAST(? AS TEXT)', values: [status] }
}
