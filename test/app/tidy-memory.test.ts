import { expect, test } from 'vitest'
import { type Heap, tidyMemory } from '../../src/app/tidy-memory.ts'
import { eventually } from '../eventually.ts'
import { manualClock } from '../fakes/manual-clock.ts'

const LOOK_MS = 5000
const silent = () => undefined
const logger = { debug: silent, info: silent, warn: silent, error: silent }

/** A heap of so many MB, of which 40 are in use. */
function heapOf(mb: number) {
  const heap = {
    mb,
    collected: 0,
    usedBytes: () => heap.mb * 1e6,
    async collect() {
      heap.collected += 1
      heap.mb = 40
    },
  }
  return heap
}

function stand(heap: Heap) {
  const clock = manualClock()
  const tidying = tidyMemory({ clock, logger, heap })
  return {
    clock,
    async look() {
      clock.advance(LOOK_MS)
      await eventually(() => expect(clock.waiting).toBe(1))
    },
    [Symbol.dispose]: () => tidying[Symbol.dispose](),
  }
}

test('what loading took is given back once the program is quiet, and then nothing more is done', async () => {
  const heap = heapOf(60)
  using program = stand(heap)
  await program.look()
  expect(heap.collected).toBe(0)
  await program.look()
  expect(heap.collected).toBe(1)
  for (let i = 0; i < 20; i += 1) await program.look()
  expect(heap.collected).toBe(1)
})

test('a program that has work to do is not stopped for it', async () => {
  const heap = heapOf(60)
  using program = stand(heap)
  for (const mb of [64, 61, 66, 63, 80]) {
    heap.mb = mb
    await program.look()
  }
  expect(heap.collected).toBe(0)
  await program.look()
  expect(heap.collected).toBe(1)
})

test('a little is left until it has become much', async () => {
  const heap = heapOf(60)
  using program = stand(heap)
  for (let i = 0; i < 3; i += 1) await program.look()
  for (let i = 0; i < 15; i += 1) {
    heap.mb += 0.5
    await program.look()
  }
  expect(heap.collected).toBe(1)
  for (let i = 0; i < 3; i += 1) {
    heap.mb += 0.5
    await program.look()
  }
  expect(heap.collected).toBe(2)
})

test('where memory cannot be tidied it is not tried again, and the program goes on', async () => {
  const heap = heapOf(60)
  const clock = manualClock()
  using _tidying = tidyMemory({
    clock,
    logger,
    heap: { ...heap, collect: () => Promise.reject(new Error('no inspector')) },
  })
  clock.advance(LOOK_MS)
  await eventually(() => expect(clock.waiting).toBe(1))
  clock.advance(LOOK_MS)
  await eventually(() => expect(clock.waiting).toBe(0))
})

test('nothing is left of it when it is over', async () => {
  const program = stand(heapOf(60))
  await program.look()
  program[Symbol.dispose]()
  expect(program.clock.waiting).toBe(0)
})

test("V8's own garbage is collected", async () => {
  const clock = manualClock()
  using _tidying = tidyMemory({ clock, logger })
  let garbage: object[] | null = Array.from({ length: 500_000 }, (_, index) => ({ index }))
  const full = process.memoryUsage().heapUsed
  expect(garbage).toHaveLength(500_000)
  garbage = null
  await eventually(() => {
    clock.advance(LOOK_MS)
    expect(process.memoryUsage().heapUsed).toBeLessThan(full - 10_000_000)
  })
})
