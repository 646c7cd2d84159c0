/** What a list is asked for, as conditions that one of the indexes answers in order. */
import { isFinal, TASK_STATUSES, type TaskStatus } from '../core/task.ts'
import type { ListQuery } from '../ports/store.ts'

/** Beyond every id, as the cursor of a first page. */
export const NEWEST = Number.MAX_SAFE_INTEGER

export type Filter = { sql: string; values: readonly (string | number)[] }

/** The parts that a list is put together from; null where one index has the whole of it in order. */
export function statesOf({ status, place, requester }: ListQuery): Filter[] | null {
  const isOfSome = place !== undefined || requester !== undefined
  if (status !== undefined) return [...new Set(status)].map((each) => ofStatus(each, isOfSome))
  if (!isOfSome) return null
  return [LIVE, ...TASK_STATUSES.filter(isFinal).map((each) => ofStatus(each, isOfSome))]
}

const LIVE: Filter = { sql: 'ended IS NULL', values: [] }

/** Where a status can be in the index of what lives: only what is in line (2) may be ten thousand, and then takes some milliseconds. */
const TURNS = { pending: '0, 2', planning: '0, 1', awaiting_approval: '0', running: '0, 1, 2' } as const

function ofStatus(status: TaskStatus, isOfSome: boolean): Filter {
  if (isFinal(status)) return { sql: 'ended = CAST(? AS TEXT)', values: [status] }
  const live = isOfSome ? LIVE.sql : `ended_at IS NULL AND turn IN (${TURNS[status]})`
  return { sql: `${live} AND status = CAST(? AS TEXT)`, values: [status] }
}

export function filtersOf(query: ListQuery): Filter[] {
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

/** The conditions as they stand in a WHERE before the cursor's own; for each such text what is prepared once. */
export function preparedFor<S>(prepare: (where: string) => S): (filters: readonly Filter[]) => S {
  const known = new Map<string, S>()
  return (filters) => {
    const where = filters.map((filter) => `${filter.sql} AND `).join('')
    const found = known.get(where) ?? prepare(where)
    known.set(where, found)
    return found
  }
}
