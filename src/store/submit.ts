import type { Database } from 'better-sqlite3'
import { isFinal } from '../core/task.ts'
import type { NewTask, QueueLimits, SubmitResult } from '../ports/store.ts'
import type { AppendEvent } from './append-event.ts'
import type { Commit } from './group-commit.ts'
import type { TaskReader } from './read-tasks.ts'
import type { TaskRow } from './rows.ts'
import { afterMove, type Standing } from './standing.ts'
import { createRowInserter } from './write-row.ts'

interface Context {
  db: Database
  reader: TaskReader
  append: AppendEvent
  standing: () => Standing
}

export type Submit = (commit: Commit, task: NewTask, limits: QueueLimits, now: number) => SubmitResult

/** What a new task has in its row; the other columns begin as FRESH says. */
const NEW_COLUMNS = [
  'id',
  'description',
  'kind',
  'parent_id',
  'after_id',
  'waits',
  'status',
  'requester_platform',
  'requester_scope',
  'requester_user',
  'requester_name',
  'place_platform',
  'place_key',
  'place_thread',
  'place_channel',
  'model',
  'inputs',
  'queue_key',
  'created_at',
  'updated_at',
  'last_event',
] as const

const FRESH = {
  round: 0,
  steps_begun: 0,
  lease_id: null,
  lease_worker: null,
  lease_until: null,
  lease_ms: null,
  cancel_by: null,
  phase: null,
  ending: null,
  redactions: 0,
  outputs: null,
  started_at: null,
  ended_at: null,
} as const satisfies Omit<TaskRow, (typeof NEW_COLUMNS)[number]>

type NewRow = Pick<TaskRow, (typeof NEW_COLUMNS)[number]>

/** Admits a task: the same key is the same task, a full queue is refused, and else the row, its event and its delivery are written together. */
export function createSubmit({ db, reader, append, standing }: Context): Submit {
  const byKey = db.prepare<[string], { id: number }>('SELECT id FROM task WHERE dedupe_key = ?')
  const findFull = createFullness(db)
  const queueKey = createQueueKey(db)
  const insert = createRowInserter(db, 'task', [...NEW_COLUMNS, 'dedupe_key', 'inputs_ready'])
  const deliver = db.prepare<[number, string]>('INSERT INTO delivery (task_id, platform) VALUES (?, ?)')

  function waitsFor(afterId: number | null): boolean {
    const row = afterId === null ? undefined : reader.row(afterId)
    return row !== undefined && !isFinal(row.status)
  }

  function write(task: NewTask, row: NewRow): TaskRow {
    const areInputsReady = task.inputs.every((input) => input.state !== 'waiting')
    insert({ ...row, dedupe_key: task.dedupeKey, inputs_ready: areInputsReady ? 1 : 0 })
    return { ...FRESH, ...row }
  }

  return (commit, task, limits, now) => {
    const known = task.dedupeKey === null ? undefined : byKey.get(task.dedupeKey)
    const first = known === undefined ? undefined : reader.get(known.id)
    if (first !== undefined) return { kind: 'duplicate', task: first }
    const before = standing()
    const full = findFull(task, limits, before)
    if (full !== undefined) return { kind: 'full', limit: full, allowed: limits[full] }
    const facts = { now, waits: waitsFor(task.afterId), queueKey: queueKey(task, before), before }
    const row = write(task, toNewRow(task, facts))
    if (task.place !== null) deliver.run(row.id, task.place.platform)
    const after = { ...afterMove(before, null, 'pending'), last_task: row.id }
    append(commit, { task: { ...row, last_event: null }, at: now, event: { kind: 'submitted' }, standing: after })
    if (task.place !== null) commit.deliveries.add(row.id)
    return { kind: 'created', task: reader.whole(row) }
  }
}

interface Facts {
  now: number
  waits: boolean
  queueKey: number
  before: Standing
}

function toNewRow(task: NewTask, facts: Facts): NewRow {
  return {
    id: facts.before.last_task + 1,
    description: task.description,
    kind: task.kind,
    status: 'pending',
    parent_id: task.parentId,
    after_id: task.afterId,
    model: task.model,
    inputs: JSON.stringify(task.inputs),
    waits: facts.waits ? 1 : 0,
    requester_platform: task.requester.platform,
    requester_scope: task.requester.scope,
    requester_user: task.requester.userId,
    requester_name: task.requester.name,
    queue_key: facts.queueKey,
    place_platform: task.place?.platform ?? null,
    place_key: task.place?.key ?? null,
    place_thread: task.place === null ? null : Number(task.place.thread),
    place_channel: task.place?.channelId ?? null,
    created_at: facts.now,
    updated_at: facts.now,
    last_event: facts.before.id + 1,
  }
}

/** Which limit a new task would pass, if any. Nothing is counted further than its limit. */
function createFullness(
  db: Database,
): (task: NewTask, limits: QueueLimits, standing: Standing) => keyof QueueLimits | undefined {
  const ofRequester = db.prepare<[string, string, number], { tasks: number }>(
    `SELECT count(*) AS tasks FROM (SELECT 1 FROM task WHERE requester_platform = CAST(? AS TEXT) AND requester_user = CAST(? AS TEXT)
       AND ended IS NULL LIMIT CAST(? AS INTEGER))`,
  )
  const ofPlace = db.prepare<[string, string, number], { tasks: number }>(
    `SELECT count(*) AS tasks FROM (SELECT 1 FROM task WHERE place_platform = CAST(? AS TEXT) AND place_channel = CAST(? AS TEXT) AND place_channel IS NOT NULL
       AND ended_at IS NULL LIMIT CAST(? AS INTEGER))`,
  )

  return ({ requester, place }, limits, { pending, planning, awaiting_approval, running }) => {
    const live = pending + planning + awaiting_approval + running
    // Nobody has more than all have together, which mostly settles it without counting.
    if (live >= limits.perRequester) {
      const mine = ofRequester.get(requester.platform, requester.userId, limits.perRequester)?.tasks ?? 0
      if (mine >= limits.perRequester) return 'perRequester'
    }
    if (live >= limits.perPlace && place !== null && place.channelId !== '') {
      const here = ofPlace.get(place.platform, place.channelId, limits.perPlace)?.tasks ?? 0
      if (here >= limits.perPlace) return 'perPlace'
    }
    return pending >= limits.total ? 'total' : undefined
  }
}

/**
 * Start-time fair queueing: a task's key is one after the later of the last claim's key and its requester's own last one.
 * Claims go by key, so whoever asks for a hundred things stands a hundred places deep in their own row and not before anybody else.
 * A requester's keys rise with the ids, so the newest pending task has their last key; a claimed one is not beyond the last claim's.
 */
function createQueueKey(db: Database): (task: NewTask, standing: Standing) => number {
  const lastOf = db.prepare<[string, string], { key: number }>(
    `SELECT queue_key AS key FROM task WHERE requester_platform = CAST(? AS TEXT) AND requester_user = CAST(? AS TEXT) AND ended IS NULL
       AND status = 'pending' ORDER BY id DESC LIMIT 1`,
  )
  return ({ requester }, standing) => {
    const last = lastOf.get(requester.platform, requester.userId)?.key ?? 0
    return Math.max(standing.virtual_time, last) + 1
  }
}
