/** What is asked all day takes the same with a thousand tasks and with a million. */
import Database from 'better-sqlite3'
import type { Store } from '../../src/ports/store.ts'
import type { Bench, Figure } from './figure.ts'
import { quantile, spreadOf, times } from './measure.ts'
import { NO_LIMITS, openStand, request } from './stand.ts'

const SMALL = 1000
const LARGE = 1_000_000
const WAITING = 300
const SAMPLES = 200

export const bench: Bench = {
  async run(): Promise<readonly Figure[]> {
    const small = await measure(SMALL)
    const large = await measure(LARGE)
    return Object.keys(questions).map((name) => {
      const few = small.get(name) ?? []
      const many = large.get(name) ?? []
      return {
        name: `${name} at a million tasks`,
        unit: 'ms',
        ours: spreadOf(many),
        peer: { name: 'at a thousand', ...spreadOf(few) },
        ratio: {
          median: quantile(many, 0.5) / quantile(few, 0.5),
          low: quantile(many, 0.1) / quantile(few, 0.1),
          high: quantile(many, 0.9) / quantile(few, 0.9),
        },
        goal: { of: 'ratio', atMost: 2 },
      }
    })
  },
}

const questions: Record<string, (store: Store, tasks: number) => Promise<unknown>> = {
  claim: (store) => store.claim({ id: 'w1', leaseMs: 30_000 }),
  'first page': (store) => store.list({ limit: 50 }),
  'next page': (store, tasks) => store.list({ limit: 50, beforeId: tasks / 2 }),
  'page of one person, by status': (store, tasks) =>
    store.list({
      limit: 50,
      status: ['done', 'failed'],
      requester: { platform: 'slack', userId: 'U3' },
      beforeId: tasks / 2,
    }),
  'newest task in a thread': (store) => store.latestInPlace({ platform: 'slack', key: 'P7' }),
  'one task and its events': async (store, tasks) => {
    await store.get(tasks >> 1)
    await store.events({ taskId: tasks >> 1, afterId: 0, limit: 100 })
  },
  'tail of all events': (store, tasks) => store.events({ afterId: 2 * tasks - 100, limit: 100 }),
  'what a card needs': async (store, tasks) => {
    await Promise.all([store.get(tasks >> 1), store.delivery(tasks >> 1), store.children(tasks >> 1)])
  },
  'what is untold': (store) => store.unsettledDeliveries(['slack'], 20),
  counts: (store) => store.counts(),
}

async function measure(tasks: number): Promise<Map<string, readonly number[]>> {
  await using stand = await openStand('normal')
  const { store, file } = stand
  fillStore(file, tasks)
  await Promise.all(Array.from({ length: WAITING }, (_, i) => store.submit(request(i), NO_LIMITS)))
  const all = new Map<string, readonly number[]>()
  for (const [name, ask] of Object.entries(questions)) {
    await ask(store, tasks)
    all.set(name, await times(SAMPLES, () => ask(store, tasks)))
  }
  return all
}

/** Finished tasks of five people in a hundred threads, with two events and a settled delivery each. */
export function fillStore(file: string, tasks: number): void {
  const db = new Database(file)
  db.pragma('synchronous = OFF')
  db.exec('BEGIN')
  db.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO task (description, kind, status, requester_platform, requester_scope, requester_user, requester_name, inputs_ready,
       place_platform, place_key, place_thread, place_channel, queue_key, created_at, updated_at, started_at, ended_at, ending)
     SELECT 'an old task with a description of some length', 'request', 'done', 'slack', 'T1', 'U' || (i % 5), 'x', 1,
       'slack', 'P' || (i % 100), 1, 'C1', 0, i, i, i, i + 9, '{"answer":"ok"}' FROM n`,
  ).run(tasks)
  const standing = `${tasks}, 0, 0, 0, 0, 0, ${tasks}, 0, 0`
  db.exec(`INSERT INTO event (task_id, at, body) SELECT id, created_at, '{"kind":"submitted"}' FROM task;
    INSERT INTO event (task_id, at, body, before_id, last_task, virtual_time, pending, planning, awaiting_approval, running, done, failed, cancelled)
      SELECT id, created_at, '{"kind":"answered","answer":"ok"}', id, ${standing} FROM task;
    UPDATE task SET last_event = ${tasks} + id;
    INSERT INTO delivery (task_id, platform, cursor, settled) SELECT id, 'slack', 2, 1 FROM task;
    COMMIT`)
  db.close()
}
