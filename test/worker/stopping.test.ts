/** What becomes of a task when its worker is stopped, cannot reach the store, or cannot read what the task left. */
import { describe, expect, it } from 'vitest'
import type { TaskEvent } from '../../src/core/events.ts'
import { StoreError } from '../../src/ports/store.ts'
import { type Assembly, assemble, LOCAL } from '../fakes/assembly.ts'
import { scriptedPlanner } from '../fakes/scripted-planner.ts'
import { plannedRound } from '../store/store-helpers.ts'

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

describe('a worker that dies after the last command has ended', () => {
  it('leaves the answer to another one, which runs no command again', async () => {
    const summarizing = Promise.withResolvers<void>()
    const planner = {
      ...scriptedPlanner([['echo run >> ran', 'echo again >> ran; echo the-secret-of-this-"test"']]),
      summarize: (_request: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
          summarizing.resolve()
        }),
    }
    await using assembly = await assemble({ summary: 'It ran.' })
    const { store, clock } = assembly
    let isDead = false
    const dying = {
      ...store,
      claim: (...args: Parameters<typeof store.claim>) => (isDead ? Promise.resolve(undefined) : store.claim(...args)),
      heartbeat: () => Promise.reject(new Error('nothing is heard of it')),
    }
    const first = await assembly.startWorker({ planner, store: dying })
    const { id } = await assembly.ask('run it')
    await summarizing.promise
    isDead = true
    clock.advance(30_001)
    expect(await store.recoverExpired()).toBe(1)
    await expect.poll(() => first.held).toBe(0)
    expect(await store.get(id)).toMatchObject({ status: 'running', lease: null })
    await assembly.passing(first.stop(true))
    await assembly.startWorker()
    expect(await assembly.until(id)).toMatchObject({
      status: 'done',
      answer: 'It ran.',
      outputs: { files: 1 },
      redactions: 1,
    })
    expect((await assembly.workspace.outputs(id)).files[0]?.sizeBytes).toBe('run\nagain\n'.length)
    const starts = (await assembly.events(id)).filter((kind) => kind === 'step_started')
    expect(starts).toHaveLength(2)
  })

  it('leaves the repair of a failed one to another one', async () => {
    await using assembly = await assemble({ replies: [['echo mended']], summary: 'Mended.' })
    const { store, clock } = assembly
    const { id } = await assembly.ask('break it')
    await store.claim({ id: 'dead', leaseMs: 30_000 })
    const steps: TaskEvent[] = [
      { kind: 'plan_allowed', ...plannedRound(1, ['exit 3', 'echo never']) },
      { kind: 'step_started', round: 1, index: 0 },
      { kind: 'step_ended', round: 1, index: 0, end: { kind: 'exited', code: 3 } },
    ]
    for (const event of steps) expect(await store.apply(id, event, {})).toMatchObject({ kind: 'applied' })
    clock.advance(30_000)
    await store.recoverExpired()
    await assembly.startWorker()
    const task = await assembly.until(id)
    expect(task).toMatchObject({ status: 'done', answer: 'Mended.', rounds: [{}, { repairOf: 'command 1: exit 3' }] })
    expect(task.rounds[0]?.steps.map(({ state }) => state)).toEqual(['ended', 'skipped'])
  })

  it('is no interruption either for one that is stopped before it could say so', async () => {
    await using assembly = await assemble({ summary: 'It ran.' })
    const { store, clock } = assembly
    const { id } = await assembly.ask('run it')
    await store.claim({ id: 'dead', leaseMs: 30_000 })
    const steps: TaskEvent[] = [
      { kind: 'plan_allowed', ...plannedRound(1, ['true']) },
      { kind: 'step_started', round: 1, index: 0 },
      { kind: 'step_ended', round: 1, index: 0, end: { kind: 'exited', code: 0 } },
    ]
    for (const event of steps) expect(await store.apply(id, event, {})).toMatchObject({ kind: 'applied' })
    clock.advance(30_000)
    await store.recoverExpired()
    const preparing = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const workspace = {
      ...assembly.workspace,
      async prepare(...args: Parameters<typeof assembly.workspace.prepare>) {
        preparing.resolve()
        await gate.promise
        return assembly.workspace.prepare(...args)
      },
    }
    const second = await assembly.startWorker({ workspace })
    await preparing.promise
    const stopped = second.stop(true)
    gate.resolve()
    await stopped
    expect(await store.get(id)).toMatchObject({ status: 'running', lease: null })
    await assembly.startWorker()
    expect(await assembly.until(id)).toMatchObject({ status: 'done', answer: 'It ran.' })
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
    await expect.poll(() => stepOf(assembly, id)).toBe('running')
    isDown = true
    await expect
      .poll(() => {
        assembly.clock.advance(5000)
        return worker.held
      })
      .toBe(0)
    await store.recoverExpired()
    expect(await store.get(id)).toMatchObject({ status: 'failed', failure: { reason: 'interrupted' } })
  })
})

describe('a log that is still being opened when its task is over', () => {
  it('is closed all the same', async () => {
    await using assembly = await assemble()
    const { store, workspace, sandbox } = assembly
    const ended = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const broken: typeof store = {
      ...store,
      async apply(...args) {
        if (args[1].kind !== 'step_started') return store.apply(...args)
        throw new StoreError('broken', 'the store cannot be written')
      },
    }
    const slow: typeof workspace = {
      ...workspace,
      async openLog(taskId) {
        await ended.promise
        // What comes after the sandbox's end comes first.
        await new Promise(setImmediate)
        const log = await workspace.openLog(taskId)
        const close = log[Symbol.asyncDispose].bind(log)
        log[Symbol.asyncDispose] = () => close().then(closed.resolve)
        return log
      },
    }
    const walls: typeof sandbox = {
      ...sandbox,
      owner: (taskId) => sandbox.owner(taskId),
      async open(...args) {
        const session = await sandbox.open(...args)
        return {
          run: session.run.bind(session),
          [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]().then(ended.resolve),
        }
      },
      start: (task) => ({
        open: (plan) => walls.open(task, plan),
        [Symbol.asyncDispose]: async () => undefined,
      }),
    }
    const worker = await assembly.startWorker({ store: broken, workspace: slow, sandbox: walls })
    await assembly.ask('!true')
    await closed.promise
    await assembly.passing(worker.stop(true))
  })
})

describe('outputs that cannot be read', () => {
  it('do not keep a task from being cancelled', async () => {
    await using assembly = await assemble()
    const workspace = { ...assembly.workspace, outputs: () => Promise.reject(new Error('EIO')) }
    await assembly.startWorker({ workspace })
    const { id } = await assembly.ask('!sleep 1000')
    await expect.poll(() => stepOf(assembly, id)).toBe('running')
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    expect(await assembly.until(id)).toMatchObject({ status: 'cancelled', outputs: null })
  })
})
