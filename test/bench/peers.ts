/** Job queues that others would have taken, each beside ours in turns. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Bench, Figure, Result } from './figure.ts'
import { quantile, rateOf, single, spreadOf, versus } from './measure.ts'
import { type Adding, OURS, PEERS, type QueuePeer } from './peers-queues.ts'

export const bench: Bench = {
  async run(): Promise<readonly Result[]> {
    const results: Result[] = []
    for (const peer of PEERS) results.push(...(await besideQueue(peer)))
    return results
  },
}

async function besideQueue(peer: QueuePeer): Promise<readonly Result[]> {
  await using theirPlace = await peer.openPlace()
  const skipped = { name: peer.name, skipped: `not installed: ${peer.install}` }
  if (theirPlace === undefined) return [skipped]
  const theirs = await openOrNot(peer, theirPlace.address)
  if (theirs === undefined) return [skipped]
  await using _theirs = theirs
  await using ourPlace = await OURS.openPlace()
  const ourAddress = ourPlace?.address ?? ''
  await using ours = await OURS.openAdding(ourAddress)
  const taken = await pickUpBeside(peer.name, { ours, ourAddress, theirs, theirAddress: theirPlace.address })
  return [await enqueue(peer.name, ours, theirs), taken]
}

/** Before the rates, while nothing else waits to be taken; the workers are gone when they begin. */
async function pickUpBeside(
  name: string,
  {
    ours,
    ourAddress,
    theirs,
    theirAddress,
  }: { ours: Adding; ourAddress: string; theirs: Adding; theirAddress: string },
): Promise<Figure> {
  await using ourWorker = await startWorker(OURS.name, ourAddress)
  await using theirWorker = await startWorker(name, theirAddress)
  return await pickUp(name, [ours, ourWorker], [theirs, theirWorker])
}

async function openOrNot(peer: QueuePeer, address: string): Promise<Adding | undefined> {
  try {
    return await peer.openAdding(address)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** A job is stored before the next one comes. Rounds are long enough for a checkpoint of ours, which comes every three and a half thousand. */
async function enqueue(name: string, ours: Adding, theirs: Adding, count = 4000): Promise<Figure> {
  const addAll = async (queue: Adding): Promise<void> => {
    for (let i = 0; i < count; i += 1) await queue.add('count the lines of every file in this folder and sort them')
  }
  return await versus({
    name: 'enqueue one by one, normal',
    unit: '/s',
    rounds: 3,
    ours: () => rateOf(count, () => addAll(ours)),
    peer: { name, measure: () => rateOf(count, () => addAll(theirs)) },
    goal: { of: 'ratio', atLeast: 1 },
  })
}

interface TakingWorker extends AsyncDisposable {
  /** The next job that it takes, in nanoseconds of the monotonic clock. */
  nextJob(): Promise<bigint>
}

async function startWorker(name: string, address: string): Promise<TakingWorker> {
  const program = new URL('./peers-worker.ts', import.meta.url)
  const child = fork(program, [name, address], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  await Promise.race([once(child, 'message'), exited.then(() => Promise.reject(new Error(`no worker of ${name}`)))])
  return {
    nextJob: async () => BigInt(String((await once(child, 'message'))[0])),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** From a job that was stored to the worker in another process that has taken it. */
async function pickUp(name: string, ours: Side, theirs: Side, seconds = 10): Promise<Figure> {
  await takeOne(ours)
  await takeOne(theirs)
  const seen = { ours: [await takeOne(ours)], theirs: [await takeOne(theirs)] }
  const until = performance.now() + seconds * 1000
  while (performance.now() < until && seen.theirs.length < 300) {
    // At no fixed time after the last one: who looks in intervals would always be met at the same point of one.
    await wait(1 + Math.random() * 2 * (seen.theirs.at(-1) ?? 0))
    seen.ours.push(await takeOne(ours))
    seen.theirs.push(await takeOne(theirs))
  }
  return {
    name: 'stored to taken, another process, p50',
    unit: 'ms',
    ours: spreadOf(seen.ours),
    peer: { name, ...spreadOf(seen.theirs) },
    ratio: single(quantile(seen.ours, 0.5) / quantile(seen.theirs, 0.5)),
    goal: { of: 'ratio', atMost: 1 },
  }
}

type Side = readonly [Adding, TakingWorker]

async function takeOne([queue, worker]: Side): Promise<number> {
  const taken = worker.nextJob()
  await queue.add('count the lines of every file in this folder and sort them')
  const stored = process.hrtime.bigint()
  return Math.max(0, Number((await taken) - stored) / 1e6)
}
