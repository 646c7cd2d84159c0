import type { Database } from 'better-sqlite3'
import type { StoredEvent, TaskEvent } from '../core/events.ts'
import type { Platform, Task, TaskSummary } from '../core/task.ts'
import { summaryJson } from '../core/task-json.ts'
import type { ListQuery } from '../ports/store.ts'
import { type Filter, filtersOf, NEWEST, preparedFor, statesOf } from './list-filters.ts'
import { createPageJsonReader, type PageJson } from './page-json.ts'
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

interface EventRow {
  id: number
  task_id: number
  at: number
  body: string
  before_id: number | null
}

const EVENT_COLUMNS = 'e.id, e.task_id, e.at, e.body, e.before_id'

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
  const cancelRequested = db.prepare<[number], { one: number }>(
    'SELECT 1 AS one FROM task WHERE id = ? AND cancel_by IS NOT NULL',
  )
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
    `SELECT ${TASK_COLUMNS} FROM task WHERE ended_at IS NULL AND turn = 0 AND inputs_ready = 0`,
  )
  const events = db.prepare<[number, number], EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM event e WHERE id > CAST(? AS INTEGER) ORDER BY id LIMIT CAST(? AS INTEGER)`,
  )
  // From the last one back, as each knows the one before.
  const taskEvents = db.prepare<[{ taskId: number; afterId: number }], EventRow>(
    `WITH RECURSIVE told AS (
       SELECT ${EVENT_COLUMNS} FROM event e WHERE e.id = (SELECT last_event FROM task WHERE id = CAST(@taskId AS INTEGER)) AND e.id > CAST(@afterId AS INTEGER)
       UNION ALL SELECT ${EVENT_COLUMNS} FROM told JOIN event e ON e.id = told.before_id WHERE e.id > CAST(@afterId AS INTEGER)
     ) SELECT * FROM told`,
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
    isCancelRequested: (taskId: number): boolean => cancelRequested.get(taskId) !== undefined,
    get,
    ...createLists(db, readPage),
    children: (taskId: number): readonly TaskSummary[] => children.all(taskId).map(toSummary),
    latestInPlace(place: { platform: Platform; key: string }): Task | undefined {
      const newest = readPage({ place, limit: 1 }, 1)[0]
      return newest === undefined ? undefined : get(newest.id)
    },
    waitingForInputs: (): readonly Task[] =>
      inputsWaiting
        .all()
        .sort((a, b) => a.id - b.id)
        .map(whole),
    events({ taskId, afterId, limit }: { taskId?: number; afterId: number; limit: number }): readonly StoredEvent[] {
      if (taskId === undefined) return events.all(afterId, limit).map(toEvent)
      return taskEvents.all({ taskId, afterId }).reverse().slice(0, limit).map(toEvent)
    },
  }
}

function createLists(db: Database, readPage: PageReader) {
  const readPageJson = createPageJsonReader(db)

  function list(query: ListQuery): { tasks: readonly TaskSummary[]; nextBeforeId: number | null } {
    const limit = limitOf(query)
    const found = readPage(query, limit + 1)
    const tasks = found.slice(0, limit).map(toSummary)
    return { tasks, nextBeforeId: found.length > limit ? (tasks.at(-1)?.id ?? null) : null }
  }

  return {
    list,
    listJson(query: ListQuery): PageJson {
      const page = readPageJson(query, limitOf(query))
      if (page !== undefined) return page
      const { tasks, nextBeforeId } = list(query)
      return { tasks: JSON.stringify(tasks.map(summaryJson)), nextBeforeId }
    },
  }
}

function toEvent(row: EventRow): StoredEvent {
  // JSON.parse answers `any`: an event is written by this store only, from a TaskEvent, and read whole.
  const event: TaskEvent = JSON.parse(row.body)
  return { id: row.id, taskId: row.task_id, at: row.at, event }
}

function limitOf({ limit }: ListQuery): number {
  return Math.min(Math.max(1, limit), MAX_PAGE)
}

type PageReader = (query: ListQuery, limit: number) => SummaryRow[]

/**
 * Newest first, below a cursor. A list by status asks once for each, so that every part comes from an index in order; one query with
 * `status IN (…)` would have to sort all that match. Tasks that live have no status in an index, they are few beside those that have ended.
 */
function createPageReader(db: Database): PageReader {
  const statementFor = preparedFor((where) =>
    db.prepare<(string | number)[], SummaryRow>(
      `SELECT ${SUMMARY_COLUMNS} FROM task WHERE ${where} id < CAST(? AS INTEGER) ORDER BY id DESC LIMIT CAST(? AS INTEGER)`,
    ),
  )

  function select(filters: readonly Filter[], beforeId: number, limit: number): SummaryRow[] {
    return statementFor(filters).all(...filters.flatMap((filter) => filter.values), beforeId, limit)
  }

  return (query, limit) => {
    const filters = filtersOf(query)
    const beforeId = query.beforeId ?? NEWEST
    const states = statesOf(query)
    if (states === null) return select(filters, beforeId, limit)
    const parts = states.flatMap((state) => select([...filters, state], beforeId, limit))
    return parts.sort((a, b) => b.id - a.id).slice(0, limit)
  }
}
