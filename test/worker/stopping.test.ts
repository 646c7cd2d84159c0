/** What becomes of a task when its worker is stopped, cannot reach the store, or cannot read what the task left. */
import { describe, expect, it } from 'vitest'
import { type Assembly, assemble, LOCAL } from '../fakes/assembly.ts'
import { scriptedPlanner } from '../fakes/scripted-planner.ts'

async function stepOf(assembly: Assembly, taskId: number): Promise<string | undefined> {
  return (await assembly.store.get(taskId))?.rounds[0]?.steps[0]?.state
}

describe('a worker that is stopped', () => {
  it('gives back a task that is being planned', async () => {
    const asked = Promise.withResolvers<void>()
    const thinking = (_request: unknown, signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        asked.resolve()
      })
    await using assembly = await assemble({ replies: [thinking] })
    const worker = await assembly.startWorker()
    const { id } = await assembly.ask('think')
    await asked.promise
    await assembly.passing(worker.stop(true))
    expect(await assembly.store.get(id)).toMatchObject({ status: 'pending', lease: null })
  })

  it('gives back an approved task that has not begun', async () => {
    await using assembly = await assemble({ replies: [['touch x']], box: { strength: 'none' } })
    const first = await assembly.startWorker()
    const { id } = await assembly.ask('touch it')
    await assembly.until(id, 'awaiting_approval')
    await assembly.passing(first.stop(true))
    await assembly.inbox.act(LOCAL, { verb: 'approve', taskId: id, hash: null })
    const opening = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const sandbox = {
      ...assembly.sandbox,
      owner: (taskId: number) => assembly.sandbox.owner(taskId),
      async open(): Promise<never> {
        opening.resolve()
        await gate.promise
        throw new Error('stopped meanwhile')
      },
    }
    const second = await assembly.startWorker({ sandbox })
    await opening.promise
    const stopped = second.stop(true)
    gate.resolve()
    await stopped
    expect(await assembly.store.get(id)).toMatchObject({ status: 'running', lease: null })
    await assembly.startWorker()
    expect((await assembly.until(id)).status).toBe('done')
  })

  it('records a task as done whose commands have all ended well, though the answer was not there yet', async () => {
    const summarizing = Promise.withResolvers<void>()
    const planner = {
      ...scriptedPlanner([['echo done']]),
      summarize: (_request: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
          summarizing.resolve()
        }),
    }
    await using assembly = await assemble({ planner })
    const worker = await assembly.startWorker()
    const { id } = await assembly.ask('say done')
    await summarizing.promise
    await assembly.passing(worker.stop(true))
    expect(await assembly.store.get(id)).toMatchObject({ status: 'done', answer: '1 command ran.' })
  })
})

describe('a worker that cannot tell the store that it lives', () => {
  it('stops its tasks once their leases have run out, and writes nothing more', async () => {
    await using assembly = await assemble()
    const { store } = assembly
    let isDown = false
    const failing = {
      ...store,
      heartbeat: (...args: Parameters<typeof store.heartbeat>) =>
        isDown ? Promise.reject(new Error('the store cannot be reached')) : store.heartbeat(...args),
    }
    const worker = await assembly.startWorker({ store: failing, leaseMs: 30_000 })
    const { id } = await assembly.ask('!sleep 1000')
    await expect.poll(() => stepOf(assembly, id), { timeout: 30_000 }).toBe('running')
    isDown = true
    await expect
      .poll(
        () => {
          assembly.clock.advance(5000)
          return worker.held
        },
        { timeout: 30_000 },
      )
      .toBe(0)
    await store.recoverExpired()
    expect(await store.get(id)).toMatchObject({ status: 'failed', failure: { reason: 'interrupted' } })
  })
})

describe('outputs that cannot be read', () => {
  it('do not keep a task from being cancelled', async () => {
    await using assembly = await assemble()
    const workspace = { ...assembly.workspace, outputs: () => Promise.reject(new Error('EIO')) }
    await assembly.startWorker({ workspace })
    const { id } = await assembly.ask('!sleep 1000')
    await expect.poll(() => stepOf(assembly, id), { timeout: 30_000 }).toBe('running')
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    expect(await assembly.until(id)).toMatchObject({ status: 'cancelled', outputs: null })
  })
})
