/** The store against raw better-sqlite3 on the same disk: a request becomes a durable task; a worker takes one and finishes it. */
import type { Task } from '../../src/core/task.ts'
import type { Store } from '../../src/ports/store.ts'
import type { Bench, Figure, Result } from './figure.ts'
import { rateOf, spreadOf, versus } from './measure.ts'
import { openPlainjob } from './plainjob.ts'
import { NO_LIMITS, openStand, request, type Synchronous } from './stand.ts'

/**
 * Without waiting for the disk a checkpoint is a large part of the work. Each round then is long enough for some of SQLite's own
 * kind, which come every three hundred requests, and for one of ours, which come every three and a half thousand: shorter ones would
 * be measured with or without, by chance.
 */
const LENGTHS: Record<Synchronous, { rounds: number; count: number }> = {
  full: { rounds: 21, count: 150 },
  normal: { rounds: 9, count: 4000 },
}
const RAW = 'raw better-sqlite3'

export const bench: Bench = {
  async run(): Promise<readonly Result[]> {
    return [
      await enqueueOneByOne('full', 0.7),
      await enqueueOneByOne('normal', 0.6),
      await enqueueBurst('full'),
      ...(await claimAndFinish('full', 0.6)),
      ...(await claimAndFinish('normal', 0.6)),
      ...(await besidePlainjob()),
    ]
  },
}

/** A request becomes durable before the next one comes. */
async function enqueueOneByOne(synchronous: Synchronous, atLeast: number): Promise<Figure> {
  const { rounds, count } = LENGTHS[synchronous]
  await using stand = await openStand(synchronous)
  const { store, raw } = stand
  const submit = submitter(store)
  return await versus({
    name: `enqueue one by one, ${synchronous}`,
    unit: '/s',
    rounds,
    ours: () => rateOf(count, () => inTurn(count, submit)),
    peer: { name: RAW, measure: () => rateOf(count, () => repeat(count, (i) => raw.enqueue(request(i).description))) },
    goal: { of: 'ratio', atLeast },
  })
}

/** Requests that come together share a commit; raw ones cannot. */
async function enqueueBurst(synchronous: Synchronous, count = 1000): Promise<Figure> {
  await using stand = await openStand(synchronous)
  const { store, raw } = stand
  const submit = submitter(store)
  return await versus({
    name: `enqueue a burst, ${synchronous}`,
    unit: '/s',
    rounds: LENGTHS[synchronous].rounds,
    ours: () => rateOf(count, () => Promise.all(Array.from({ length: count }, submit))),
    peer: { name: RAW, measure: () => rateOf(count, () => repeat(count, (i) => raw.enqueue(request(i).description))) },
    goal: { of: 'ours', atLeast: 5000 },
  })
}

/**
 * One worker takes tasks and finishes them, with the events of both. It asks for the next one as it writes the end of the last, so that
 * both are one commit; beside it the same in two, and beside raw calls that share one as well.
 */
async function claimAndFinish(synchronous: Synchronous, atLeast: number): Promise<readonly Figure[]> {
  const { rounds, count } = LENGTHS[synchronous]
  await using stand = await openStand(synchronous)
  const { store, raw } = stand
  const all = 3 * count * (rounds + 1)
  await Promise.all(Array.from({ length: all }, submitter(store)))
  repeat(all, (i) => raw.enqueue(request(i).description))
  const oneByOne = { name: RAW, measure: () => rateOf(count, () => repeat(count, () => raw.claimAndFinish())) }
  const together = { name: `${RAW}, one commit`, measure: () => rateOf(count, async () => raw.workOff(count)) }
  const common = { unit: '/s', rounds, ours: () => rateOf(count, () => workOff(store, count)) }
  const name = `claim and finish, ${synchronous}`
  return [
    await versus({ ...common, name, peer: oneByOne, goal: { of: 'ratio', atLeast } }),
    await versus({ ...common, name, peer: together }),
    await versus({
      ...common,
      name: `claim, then finish, ${synchronous}`,
      ours: () => rateOf(count, () => workOffInTwo(store, count)),
      peer: oneByOne,
    }),
  ]
}

/** A job queue on the same database library, at its own settings. */
async function besidePlainjob(): Promise<readonly Result[]> {
  const { rounds, count } = LENGTHS.normal
  const plainjob = await openPlainjob()
  if ('skipped' in plainjob) return [plainjob]
  using queue = plainjob
  await using stand = await openStand('normal')
  const { store } = stand
  const submit = submitter(store)
  const seen = { ours: [0], theirs: [0], oursDone: [0], theirsDone: [0] }
  for (let round = 0; round <= rounds; round += 1) {
    seen.theirs[round] = await rateOf(count, () => repeat(count, (i) => queue.enqueue(request(i).description)))
    seen.ours[round] = await rateOf(count, () => inTurn(count, submit))
    seen.theirsDone[round] = await rateOf(count, () => repeat(count, () => queue.claimAndFinish()))
    seen.oursDone[round] = await rateOf(count, () => workOff(store, count))
  }
  return [
    against('enqueue one by one, normal', seen.ours.slice(1), seen.theirs.slice(1)),
    against('claim and finish, normal', seen.oursDone.slice(1), seen.theirsDone.slice(1)),
  ]
}

function against(name: string, ours: readonly number[], theirs: readonly number[]): Figure {
  return {
    name,
    unit: '/s',
    ours: spreadOf(ours),
    peer: { name: 'plainjob', ...spreadOf(theirs) },
    ratio: spreadOf(ours.map((rate, round) => rate / (theirs[round] ?? Number.NaN))),
    goal: { of: 'ratio', atLeast: 1 },
  }
}

/** Each call is the next request, over all rounds: the same ones again would be refused, once their people have enough that wait. */
function submitter(store: Store): () => Promise<void> {
  let index = 0
  return async () => {
    const result = await store.submit(request(index++), NO_LIMITS)
    if (result.kind !== 'created') throw new Error(`a request was not taken: ${result.kind}`)
  }
}

async function inTurn(count: number, work: () => Promise<void>): Promise<void> {
  for (let i = 0; i < count; i += 1) await work()
}

/** As a worker does: the claim of the next task shares the commit of the end of the last. */
async function workOff(store: Store, count: number): Promise<void> {
  let task = await claimOne(store)
  for (let i = 1; i < count; i += 1) {
    const [next] = await Promise.all([claimOne(store), finish(store, task)])
    task = next
  }
  await finish(store, task)
}

async function workOffInTwo(store: Store, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await finish(store, await claimOne(store))
}

async function claimOne(store: Store): Promise<Task> {
  const task = await store.claim({ id: 'w1', leaseMs: 30_000 })
  if (task === undefined) throw new Error('no task left')
  return task
}

async function finish(store: Store, task: Task): Promise<void> {
  const { kind } = await store.apply(task.id, { kind: 'answered', answer: 'ok' }, { leaseId: task.lease?.id ?? '' })
  if (kind !== 'applied') throw new Error('a task could not be finished')
}

function repeat(count: number, work: (index: number) => void): void {
  for (let i = 0; i < count; i += 1) work(i)
}
