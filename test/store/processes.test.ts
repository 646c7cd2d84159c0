import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import type { Change } from '../../src/ports/store.ts'
import { createStore } from '../../src/store/create-store.ts'
import { eventually } from '../eventually.ts'
import { manualClock } from '../fakes/manual-clock.ts'
import { applied, by, cancelled, openBench, quietLogger, submit } from './store-helpers.ts'

function start(fixture: string, ...args: string[]) {
  const program = new URL(`../fixtures/${fixture}`, import.meta.url).pathname
  const child: ChildProcess = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  if (child.stdout === null) throw new Error('no pipe')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    line: async () => String((await lines.next()).value),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

test('four processes claim three hundred tasks from one file: none is lost, none is done twice', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const total = 300
  await using one = start('store-claimer.ts', bench.file, String(total))
  await using two = start('store-claimer.ts', bench.file, String(total))
  await using three = start('store-claimer.ts', bench.file, String(total))
  await using four = start('store-claimer.ts', bench.file, String(total))
  const workers = [one, two, three, four]
  for (const worker of workers) expect(await worker.line()).toBe('ready')
  for (const worker of workers) worker.child.stdin?.write('go\n')
  const ids: number[] = []
  for (let i = 0; i < total; i += 1) ids.push(await submit(bench.store, by(`U${i % 7}`)))
  const ran = (await Promise.all(workers.map((worker) => worker.line()))).flatMap((line) => JSON.parse(line))
  expect(ran.sort((a, b) => a - b)).toEqual(ids)
  expect(await bench.store.counts()).toMatchObject({ done: total, pending: 0, planning: 0 })
})

test('a change rings the watchers of another process, and its change rings ours, with no time passing', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  await using echo = start('store-echo.ts', bench.file)
  const heard: Change[] = []
  bench.store.watch((change) => heard.push(change))
  expect(await echo.line()).toBe('ready')
  await eventually(() => expect(readdirSync(`${bench.file}.wake`).filter((n) => n.endsWith('.sock'))).toHaveLength(2))
  const id = await submit(bench.store)
  await eventually(async () => expect((await bench.store.get(id))?.status).toBe('cancelled'))
  await eventually(() => expect(heard.filter((change) => change.kind === 'task').length).toBeGreaterThanOrEqual(2))
  expect(heard).toContainEqual({ kind: 'delivery', taskId: id })
  echo.child.kill('SIGTERM')
  await once(echo.child, 'exit')
  expect(readdirSync(`${bench.file}.wake`).filter((name) => name.startsWith(`${echo.child.pid}`))).toEqual([])
})

test('the socket of a process that was killed is removed by the next one that rings', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  await using echo = start('store-echo.ts', bench.file)
  expect(await echo.line()).toBe('ready')
  const sockets = () => readdirSync(`${bench.file}.wake`)
  await eventually(() => expect(sockets().filter((name) => name.endsWith('.sock'))).toHaveLength(1))
  echo.child.kill('SIGKILL')
  await once(echo.child, 'exit')
  expect(sockets()).toHaveLength(1)
  await submit(bench.store)
  await eventually(() => expect(sockets()).toEqual([]))
})

test('two stores ring each other through a folder whose path is too long for a socket', async () => {
  await using bench = await openBench()
  const deep = join(bench.folder, 'a-folder-with-a-long-name'.repeat(4), 'another-folder-with-a-long-name'.repeat(4))
  mkdirSync(deep, { recursive: true })
  const options = { file: join(deep, 'tasks.db'), clock: bench.clock, logger: quietLogger() }
  await using one = await createStore(options)
  await using two = await createStore(options)
  const heard: Change[] = []
  two.watch((change) => heard.push(change))
  await eventually(() => expect(readdirSync(`${options.file}.wake`).filter((n) => n.endsWith('.sock'))).toHaveLength(1))
  expect(statSync(`${options.file}.wake`).mode & 0o777).toBe(0o700)
  const id = await submit(one)
  await eventually(() => expect(heard).toContainEqual({ kind: 'task', taskId: id }))
})

test('a missed ring is made good by the slow look at the file', async () => {
  await using bench = await openBench()
  // A folder that cannot be made: there are no sockets at all.
  const file = join(bench.folder, 'mute.db')
  writeFileSync(`${file}.wake`, 'in the way')
  const lines: string[] = []
  const clock = manualClock()
  await using one = await createStore({ file, clock, logger: quietLogger(lines) })
  await using two = await createStore({ file, clock, logger: quietLogger() })
  const heard: Change[] = []
  one.watch((change) => heard.push(change))
  const id = await submit(two)
  expect(heard).toEqual([])
  clock.advance(2000)
  expect(heard).toEqual([{ kind: 'task', taskId: id }])
  clock.advance(60_000)
  expect(heard).toHaveLength(1)
  expect(lines.join()).toContain('no sockets beside the store')
})

test('a line that is no ring of ours is taken as a hint to look, and a watcher that throws stops no other', async () => {
  await using bench = await openBench()
  const lines: string[] = []
  await using store = await bench.open({ logger: quietLogger(lines) })
  const heard: Change[] = []
  store.watch(() => {
    throw new Error('a bug')
  })
  const watching = store.watch((change) => heard.push(change))
  await applied(bench.store, await submit(store), cancelled())
  await eventually(() => expect(heard.filter((change) => change.kind === 'task').length).toBeGreaterThanOrEqual(2))
  expect(lines.join()).toContain('a watcher of the store failed')
  watching[Symbol.dispose]()
  heard.length = 0
  await submit(store)
  expect(heard).toEqual([])
})

test('a process that does not read its rings costs the ringer nothing', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  mkdirSync(`${bench.file}.wake`, { recursive: true })
  const deaf = createServer((socket) => socket.pause())
  deaf.listen(`${bench.file}.wake/1.deaf.sock`)
  await once(deaf, 'listening')
  for (let burst = 0; burst < 40; burst += 1) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => submit(bench.store, by(`U${i}`))))
  }
  expect((await bench.store.counts()).pending).toBe(4000)
  await bench.store[Symbol.asyncDispose]()
  deaf.close()
  expect(existsSync(bench.file)).toBe(true)
})
