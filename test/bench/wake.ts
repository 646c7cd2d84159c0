/** How soon who waits for a task hears of it: in this process, in another, and what waiting costs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { Bench, Figure, Result } from './figure.ts'
import { latencies, quantile, single, spreadOf } from './measure.ts'
import { startPythonPoller } from './python-worker.ts'
import { NO_LIMITS, openStand, request, type StoreStand, type Synchronous, temporaryFolder } from './stand.ts'

const WRITERS = 4

export const bench: Bench = {
  async run(): Promise<readonly Result[]> {
    return [
      ...(await sameProcess('full', 400)),
      ...(await sameProcess('normal', 1000)),
      ...(await otherProcess()),
      await pythonPolling(),
      await idleCpu(),
      ...(await manyWriters()),
    ]
  },
}

/**
 * From the call of submit until the task is claimed, as an idle worker has it: it asks for a task as one is being written. The limit is
 * the same by two calls of a raw database.
 */
async function sameProcess(synchronous: Synchronous, count: number): Promise<Figure[]> {
  await using stand = await openStand(synchronous)
  const { store, raw } = stand
  const claim = () => store.claim({ id: 'w1', leaseMs: 30_000 })
  let claimed: ReturnType<typeof claim> | undefined
  using _watch = store.watchSubmits(() => {
    claimed = claim()
  })
  const ours: number[] = []
  const bare: number[] = []
  for (let i = 0; i < count + 100; i += 1) {
    const begun = performance.now()
    const submitted = store.submit(request(i), NO_LIMITS)
    const task = await claimed
    const between = performance.now()
    const result = await submitted
    if (result.kind !== 'created' || task?.id !== result.task.id) throw new Error('a request was not claimed')
    const next = performance.now()
    raw.enqueue(request(i).description)
    raw.claim()
    if (i >= 100) ours.push(between - begun)
    if (i >= 100) bare.push(performance.now() - next)
  }
  const [p50, p99] = latencies(`request to claimed, same process, ${synchronous}`, ours)
  if (p50 === undefined || p99 === undefined) return []
  const name = 'raw calls'
  return [
    {
      ...p50,
      peer: { name, ...spreadOf(bare), median: quantile(bare, 0.5) },
      ratio: single(quantile(ours, 0.5) / quantile(bare, 0.5)),
      goal: { of: 'ratio', atMost: 1.5 },
    },
    p99,
  ]
}

async function otherProcess(count = 600): Promise<Figure[]> {
  await using stand = await openStand('normal')
  const { store, file } = stand
  const program = new URL('../fixtures/store-hear.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  while (readdirSync(`${file}.wake`).every((name) => !name.endsWith('.sock'))) await wait(1)
  const all: number[] = []
  for (let i = 0; i < count; i += 1) {
    await store.submit(request(i), NO_LIMITS)
    const settled = process.hrtime.bigint()
    const heard = BigInt(String((await lines.next()).value).split(' ')[1] ?? '0')
    all.push(Math.max(0, Number(heard - settled) / 1e6))
    await wait(1)
  }
  child.kill('SIGTERM')
  await once(child, 'exit')
  return latencies('request to heard, another process', all, { p50: 1, p99: 10 })
}

/** What most bots do: a worker that looks once a second. */
async function pythonPolling(count = 6): Promise<Result> {
  using folder = temporaryFolder()
  const file = join(folder.path, 'poll.db')
  const worker = await startPythonPoller(file)
  if ('skipped' in worker) return worker
  await using _worker = worker
  const db = new Database(file, { timeout: 5000 })
  const insert = db.prepare("INSERT INTO job (description, status) VALUES ('x', 'pending')")
  const all: number[] = []
  for (let i = 0; i < count; i += 1) {
    await wait(137 * i)
    const begun = performance.now()
    insert.run()
    await worker.heard()
    all.push(performance.now() - begun)
  }
  db.close()
  return { name: 'the same by a Python worker that polls each second', unit: 'ms', ours: spreadOf(all) }
}

/** Share of one processor that a store costs while it waits to be woken. */
async function idleCpu(ms = 8000): Promise<Figure> {
  await using stand = await openStand('normal')
  using _watch = stand.store.watch(() => undefined)
  await wait(500)
  const before = process.cpuUsage()
  const start = performance.now()
  await wait(ms)
  const used = process.cpuUsage(before)
  const percent = (used.user + used.system) / 10 / (performance.now() - start)
  return { name: 'processor while idle', unit: '%', ours: single(percent), goal: { of: 'ours', atMost: 0.1 } }
}

/** Several processes write the same file at once, once all are up: none may be told that it is locked. */
async function manyWriters(count = 200): Promise<Figure[]> {
  await using stand = await openStand('full')
  const writers = Array.from({ length: WRITERS }, () => startWriter(stand, count))
  for (const writer of writers) await writer.ready
  const all = (await Promise.all(writers.map((writer) => writer.go()))).flat()
  return latencies(`a write while ${WRITERS} processes write, full`, all, { p99: 10 })
}

function startWriter({ file }: StoreStand, count: number): { ready: Promise<unknown>; go(): Promise<number[]> } {
  const program = new URL('./store-writer.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program, file, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    ready: lines.next(),
    async go() {
      child.stdin.write('go\n')
      const ms: number[] = []
      for (let line = await lines.next(); !line.done; line = await lines.next()) ms.push(Number(line.value))
      if (ms.length !== count) throw new Error('a writer was refused')
      return ms
    },
  }
}
