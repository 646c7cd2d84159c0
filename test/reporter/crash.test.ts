/** The reporter dies at every single point where it touches the store or the platform, and another takes over: nothing lost, nothing twice. */
import { expect, it } from 'vitest'
import type { ChatAdapter } from '../../src/ports/chat-adapter.ts'
import type { Store } from '../../src/ports/store.ts'
import { createReporter, type Reporter } from '../../src/reporter/create-reporter.ts'
import { consoleAdapter } from '../fakes/console-adapter.ts'
import { memoryWorkspace } from '../fakes/memory-workspace.ts'
import { ANA, applied, claim, LEASE_MS, openBench, quietLogger, submit } from '../store/store-helpers.ts'
import { doneEvent, REPORTER_CONFIG, ROUND } from './reporter-bench.ts'

/** Lets `left` calls begin or end; from then on whoever goes through it hangs for ever, as the dead do. */
class Fuse {
  left: number
  constructor(left: number) {
    this.left = left
  }
  get isBlown(): boolean {
    return this.left < 0
  }
  async pass<T>(action: () => Promise<T>): Promise<T> {
    await this.#step()
    const result = await action()
    await this.#step()
    return result
  }
  async #step(): Promise<void> {
    if (--this.left < 0) await new Promise<never>(() => undefined)
  }
}

function fusedStore(store: Store, fuse: Fuse): Store {
  return {
    ...store,
    saveMessage: (message) => fuse.pass(() => store.saveMessage(message)),
    saveDelivery: (delivery) => fuse.pass(() => store.saveDelivery(delivery)),
  }
}

function fusedAdapter(adapter: ChatAdapter, fuse: Fuse): ChatAdapter {
  return {
    ...adapter,
    post: (...args) => fuse.pass(() => adapter.post(...args)),
    edit: (...args) => fuse.pass(() => adapter.edit(...args)),
    upload: (...args) => fuse.pass(() => adapter.upload(...args)),
    mark: (...args) => fuse.pass(() => adapter.mark(...args)),
  }
}

interface Life {
  died: boolean
  /** Of two tasks in one thread, then of a third elsewhere that has ended when the reporter first looks. */
  messages: string[]
  /** The last reaction on the root of each thread. */
  marks: (string | undefined)[]
  uploads: number
  unsettled: number
}

/** One life, with a death after `steps` steps; answers whether it came to that, and what people see in the end. */
async function live(steps: number): Promise<Life> {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store, clock } = bench
  const chat = consoleAdapter()
  const workspace = memoryWorkspace()
  workspace.write(1, 'a.txt', Buffer.from('a'))
  const fuse = new Fuse(steps)
  const start = async (wrapped: { store: Store; adapter: ChatAdapter }): Promise<Reporter> => {
    const reporter = createReporter({
      ...{ store: wrapped.store, workspace, clock, adapters: [wrapped.adapter], logger: quietLogger() },
      ...{ config: REPORTER_CONFIG, random: () => 0 },
    })
    await reporter.start()
    return reporter
  }
  const mortal = { store: fusedStore(store, fuse), adapter: fusedAdapter(chat, fuse) }
  let reporter = await start(mortal)
  let died = false

  /** Waits until all is told or the reporter has died; then the next one begins. */
  async function settle(): Promise<void> {
    const idle = reporter.idle()
    if (!died) await expect.poll(() => fuse.isBlown || settled(idle), { interval: 1 }).toBe(true)
    if (died || !fuse.isBlown) return idle
    died = true
    reporter = await start({ store, adapter: chat })
    await reporter.idle()
  }

  async function pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await settle()
      clock.advance(1000)
    }
    await settle()
  }

  const place = { platform: 'console', channelId: 'general', key: 'general', thread: false } as const
  const first = await submit(store, { requester: { ...ANA, platform: 'console', scope: 'S1' }, place })
  await pass(1)
  await claim(store, first)
  await applied(store, first, { kind: 'planned', expiresAt: clock.now() + 1e9, ...ROUND })
  await pass(2)
  await applied(store, first, { kind: 'approved', by: ANA, hash: ROUND.hash })
  await store.claim({ id: 'w1', leaseMs: LEASE_MS, only: first })
  await applied(store, first, { kind: 'step_started', round: 1, index: 0 })
  await pass(2)
  await applied(store, first, doneEvent('first answer', 1))
  await pass(3)
  const thread = (await store.get(first))?.place ?? place
  const child = await submit(store, {
    kind: 'retry',
    parentId: first,
    requester: { ...ANA, platform: 'console', scope: 'S1' },
    place: thread,
  })
  await pass(2)
  await claim(store, child)
  await applied(store, child, { kind: 'answered', answer: 'second answer' })
  await pass(5)
  await reporter[Symbol.asyncDispose]()
  const quick = await submit(store, {
    requester: { ...ANA, platform: 'console', scope: 'S1' },
    place: { ...place, channelId: 'other', key: 'other' },
  })
  await claim(store, quick)
  await applied(store, quick, { kind: 'answered', answer: 'third answer' })
  reporter = await start(died ? { store, adapter: chat } : mortal)
  await pass(3)
  await reporter[Symbol.asyncDispose]()
  return {
    died,
    messages: chat.messages.map(({ key, view }) => `${key} ${view.kind}`),
    marks: ['general', 'other'].map((channel) => chat.marks.findLast((mark) => mark.includes(channel))),
    uploads: chat.uploads.length,
    unsettled: (await store.unsettledDeliveries(['console'], 10)).length,
  }
}

const done = new WeakSet<Promise<void>>()
const seen = new WeakSet<Promise<void>>()
function settled(promise: Promise<void>): boolean {
  if (!seen.has(promise)) {
    seen.add(promise)
    void promise.then(() => done.add(promise))
  }
  return done.has(promise)
}

const MESSAGES = [
  'task-1:root root',
  'task-1:card card',
  'task-1:approval approval',
  'task-1:result result',
  'task-2:card card',
  'task-2:result result',
  'task-3:root root',
  'task-3:card card',
  'task-3:result result',
]
const MARKS = ['✅ general/0', '✅ other/6']

it('tells everything exactly once and in order, wherever it died', async () => {
  let steps = 0
  for (; ; steps++) {
    const life = await live(steps)
    expect(life, `died after ${steps} steps`).toMatchObject({
      ...{ messages: MESSAGES, marks: MARKS, uploads: 1, unsettled: 0 },
    })
    if (!life.died) break
  }
  // Each of the messages, rows and edits above is two steps: begun and done.
  expect(steps).toBeGreaterThan(40)
})
