/**
 * Pages of tasks that SQLite writes as JSON. Who watches a list asks for the same page again and again: it is written anew only when
 * something in it has changed.
 */
import type { Database } from 'better-sqlite3'
import type { ListQuery } from '../ports/store.ts'
import { filtersOf, NEWEST, preparedFor, statesOf } from './list-filters.ts'
import { SUMMARY_JSON } from './summary-json.ts'

export interface PageJson {
  tasks: string
  nextBeforeId: number | null
}

/** The tasks without the brackets around them, which would be two more copies of the page; NULL for none. */
type PageRow = { tasks: string | null; nextBeforeId: number | null }

/**
 * Differs whenever the page does. Ids of events only grow, so that one more in the page is a new greatest. Without an event a task can
 * only lose its parent, or have no longer to wait. A process of the version before does not write `last_event`, but the time.
 */
const SIGNATURE = "concat_ws(' ', group_concat(id), max(last_event), max(updated_at), count(parent_id), sum(waits))"

const KEPT_PAGES = 8
/** Characters; a longer page is not kept. */
const KEPT_LENGTH = 65_536

/** Undefined for a list that is put together from several parts. `limit` is at least 1. */
export function createPageJsonReader(db: Database): (query: ListQuery, limit: number) => PageJson | undefined {
  const statementsFor = preparedFor(prepare)
  const kept = new Map<string, { signature: string; page: PageJson }>()

  function prepare(where: string) {
    const rows = (columns: string) =>
      `SELECT ${columns} FROM task WHERE ${where} id < CAST(? AS INTEGER) ORDER BY id DESC LIMIT CAST(? AS INTEGER)`
    return {
      sign: db
        .prepare<(string | number)[], string>(
          `SELECT ${SIGNATURE} FROM (${rows('id, last_event, updated_at, parent_id, waits')})`,
        )
        .pluck(),
      write: db.prepare<(string | number)[], PageRow>(
        `SELECT tasks,
           CASE WHEN count = CAST(? AS INTEGER) AND EXISTS (SELECT 1 FROM task WHERE ${where} id < last) THEN last END AS nextBeforeId
         FROM (SELECT count(*) AS count, min(id) AS last, group_concat(json) AS tasks FROM (${rows(`id, ${SUMMARY_JSON} AS json`)}))`,
      ),
    }
  }

  /** The oldest makes room. */
  function keep(key: string, signature: string, page: PageJson): void {
    kept.delete(key)
    if (page.tasks.length > KEPT_LENGTH) return
    const [oldest] = kept.keys()
    if (oldest !== undefined && kept.size >= KEPT_PAGES) kept.delete(oldest)
    kept.set(key, { signature, page })
  }

  return (query, limit) => {
    const states = statesOf(query)
    if (states !== null && states.length !== 1) return undefined
    const filters = [...filtersOf(query), ...(states ?? [])]
    const values = filters.flatMap((filter) => filter.values)
    const beforeId = query.beforeId ?? NEWEST
    const { sign, write } = statementsFor(filters)
    const key = JSON.stringify([filters, beforeId, limit])
    // With the one after the page, which says whether there is another. Read first: should another process change something in between,
    // the page is newer than its signature, and is written once more.
    const signature = sign.get(...values, beforeId, limit + 1) ?? ''
    const known = kept.get(key)
    if (known?.signature === signature) return known.page
    const { tasks, nextBeforeId } = write.get(limit, ...values, ...values, beforeId, limit) ?? EMPTY
    const page = { tasks: `[${tasks ?? ''}]`, nextBeforeId }
    keep(key, signature, page)
    return page
  }
}

const EMPTY: PageRow = { tasks: null, nextBeforeId: null }
