/** What is done beside something else: the sandbox beside the plan, the answer beside the sandbox's end. */
import { describe, expect, it } from 'vitest'
import type { EmptySandbox, Sandbox } from '../../src/ports/sandbox.ts'
import type { Store } from '../../src/ports/store.ts'
import { type Workspace, WorkspaceError } from '../../src/ports/workspace.ts'
import { processesWith } from '../crash/processes.ts'
import { eventually } from '../eventually.ts'
import { type Assembly, assemble, LOCAL } from '../fakes/assembly.ts'
import { scriptedPlan, scriptedPlanner } from '../fakes/scripted-planner.ts'

/** The real sandbox, and what becomes of what it starts ahead. */
function watched(sandbox: Sandbox, seen: string[]): Sandbox {
  const watchEmpty = (empty: EmptySandbox): EmptySandbox => ({
    open(plan) {
      seen.push('opened')
      return empty.open(plan)
    },
    async [Symbol.asyncDispose]() {
      await empty[Symbol.asyncDispose]()
      seen.push('ended')
    },
  })
  return {
    owner: (taskId) => sandbox.owner(taskId),
    check: () => sandbox.check(),
    prepare: () => sandbox.prepare(),
    sweep: () => sandbox.sweep(),
    open(task, plan) {
      seen.push('a new one')
      return sandbox.open(task, plan)
    },
    start(task) {
      seen.push('started')
      return watchEmpty(sandbox.start(task))
    },
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  }
}

async function startWatched(assembly: Assembly): Promise<string[]> {
  const seen: string[] = []
  await assembly.startWorker({ sandbox: watched(assembly.sandbox, seen) })
  return seen
}

describe('the sandbox of a task', () => {
  it('is started before the model is asked, and opened for the plan', async () => {
    const whenAsked: string[] = []
    const seen: string[] = []
    await using assembly = await assemble({
      replies: [
        () => {
          whenAsked.push(...seen)
          return scriptedPlan(['echo hello > hello.txt'])
        },
      ],
    })
    await assembly.startWorker({ sandbox: watched(assembly.sandbox, seen) })
    const task = await assembly.until((await assembly.ask('greet')).id)
    expect(task).toMatchObject({ status: 'done', outputs: { files: 1 } })
    expect(whenAsked).toEqual(['started'])
    expect(seen).toEqual(['started', 'opened'])
  })

  it('is ended when nothing has to be run', async () => {
    await using assembly = await assemble({ replies: [{ kind: 'answer', answer: 'Four.', model: 'm' }] })
    const seen = await startWatched(assembly)
    await assembly.until((await assembly.ask('what is 2 + 2?')).id)
    await eventually(() => expect(seen).toEqual(['started', 'ended']))
  })

  it('is ended while the plan waits for a person, and a new one is there for what was approved', async () => {
    await using assembly = await assemble({ replies: [['touch x']], box: { strength: 'none' } })
    const seen = await startWatched(assembly)
    const { id } = await assembly.ask('touch it')
    await assembly.until(id, 'awaiting_approval')
    await eventually(() => expect(seen).toEqual(['started', 'ended']))
    await assembly.inbox.act(LOCAL, { verb: 'approve', taskId: id, hash: null })
    expect(await assembly.until(id)).toMatchObject({ status: 'done', outputs: { files: 1 } })
    expect(seen).toEqual(['started', 'ended', 'a new one'])
  })
})

describe('the end of a task', () => {
  it('that is cancelled while the model is asked for the answer comes when its processes are gone', async () => {
    const asked = Promise.withResolvers<void>()
    const never = (_request: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise<undefined>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        asked.resolve()
      })
    const planner = { ...scriptedPlanner([['sleep 98765 & echo up']]), summarize: never }
    await using assembly = await assemble({ planner })
    await assembly.startWorker()
    const { id } = await assembly.ask('leave something behind')
    await assembly.passing(asked.promise)
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    expect((await assembly.until(id)).status).toBe('cancelled')
    expect(processesWith('sleep 98765')).toEqual([])
  })
})

describe('the end of the last command', () => {
  it('is told, and the model asked about it, while the sandbox is still being ended; the end of the task is not', async () => {
    const asked = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    const planner = {
      ...scriptedPlanner([['echo hello > hello.txt']]),
      summarize: async () => {
        asked.resolve()
        return 'It says hello.'
      },
    }
    await using assembly = await assemble({ planner })
    const slow: Sandbox = {
      ...watched(assembly.sandbox, []),
      start: (task) => {
        const empty = assembly.sandbox.start(task)
        return {
          async open(plan) {
            const session = await empty.open(plan)
            return {
              run: (...args) => session.run(...args),
              async [Symbol.asyncDispose]() {
                await session[Symbol.asyncDispose]()
                await ended.promise
              },
            }
          },
          [Symbol.asyncDispose]: () => empty[Symbol.asyncDispose](),
        }
      },
    }
    await assembly.startWorker({ sandbox: slow })
    const { id } = await assembly.ask('greet')
    await asked.promise
    expect((await assembly.events(id)).at(-1)).toBe('step_ended')
    ended.resolve()
    expect(await assembly.until(id)).toMatchObject({ status: 'done', answer: 'It says hello.', outputs: { files: 1 } })
  })
})

describe('a command of which the log cannot tell', () => {
  it('is ended, and the task fails with the reason', async () => {
    await using assembly = await assemble()
    const { workspace } = assembly
    const withoutRoom: Workspace = {
      ...workspace,
      async openLog(taskId) {
        const log = await workspace.openLog(taskId)
        return {
          stepStarted: () => Promise.reject(new WorkspaceError('disk_full', 'the disk is full')),
          stepEnded: (...args) => log.stepEnded(...args),
          write: (chunk) => log.write(chunk),
          note: (text) => log.note(text),
          redactions: 0,
          printedBytes: 0,
          [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
        }
      },
    }
    await assembly.startWorker({ workspace: withoutRoom })
    const { id } = await assembly.ask('!sleep 98764')
    expect(await assembly.until(id)).toMatchObject({ status: 'failed', failure: { reason: 'disk_full' } })
    expect(processesWith('sleep 98764')).toEqual([])
  })
})

describe('what the model is busy with', () => {
  it('is told when it lasts', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    await using assembly = await assemble({
      replies: [
        async () => {
          asked.resolve()
          await answer.promise
          return scriptedPlan(['true'])
        },
      ],
    })
    await assembly.startWorker()
    const { id } = await assembly.ask('think')
    await asked.promise
    expect((await assembly.store.get(id))?.phase).toBeNull()
    assembly.clock.advance(250)
    await eventually(async () => expect((await assembly.store.get(id))?.phase).toMatchObject({ kind: 'asking_model' }))
    answer.resolve()
    await assembly.until(id)
  })

  it('is not told when it is over before it could be read', async () => {
    await using assembly = await assemble({ replies: [['true']] })
    await assembly.startWorker()
    const { id } = await assembly.ask('be quick')
    await assembly.until(id)
    const events = await assembly.store.events({ taskId: id, afterId: 0, limit: 100 })
    expect(events.map(({ event }) => event.kind)).not.toContain('phase')
  })
})

describe('a task that comes back to its worker while the run before is still ending', () => {
  it('is run when that has ended, and held from then on', async () => {
    const gate = Promise.withResolvers<void>()
    let asked = 0
    const planner = {
      ...scriptedPlanner([]),
      plan: (_request: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise<never>((_resolve, reject) => {
          asked += 1
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
    }
    await using assembly = await assemble()
    const { store, clock } = assembly
    const seen: string[] = []
    const sandbox = watched(assembly.sandbox, seen)
    const slow: Sandbox = {
      ...sandbox,
      start(task) {
        const empty = sandbox.start(task)
        return {
          open: (plan) => empty.open(plan),
          async [Symbol.asyncDispose]() {
            await gate.promise
            await empty[Symbol.asyncDispose]()
          },
        }
      },
    }
    const worker = await assembly.startWorker({ planner, sandbox: slow })
    const { id } = await assembly.ask('think')
    await eventually(() => expect(asked).toBe(1))
    const leaseId = (await store.get(id))?.lease?.id
    await store.apply(id, { kind: 'released', why: 'lease_expired' }, {})
    clock.advance(10_000)
    await eventually(async () => expect((await store.get(id))?.lease?.id ?? leaseId).not.toBe(leaseId))
    gate.resolve()
    await eventually(() => expect(seen).toEqual(['started', 'ended', 'started']))
    await eventually(() => expect(asked).toBe(2))
    expect(worker.held).toBe(1)
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    expect((await assembly.until(id)).status).toBe('cancelled')
  })
})

describe('a sandbox whose end fails', () => {
  it('does not keep its task from being settled', async () => {
    await using assembly = await assemble({ replies: [['exit 3']], worker: { repairRounds: 0 } })
    const failing: Sandbox = {
      ...watched(assembly.sandbox, []),
      start: (task) => ({
        async open(plan) {
          const session = await assembly.sandbox.open(task, plan)
          return {
            run: session.run.bind(session),
            async [Symbol.asyncDispose]() {
              await session[Symbol.asyncDispose]()
              throw new Error('a folder of its cannot be removed')
            },
          }
        },
        [Symbol.asyncDispose]: async () => undefined,
      }),
    }
    await assembly.startWorker({ sandbox: failing })
    const { id } = await assembly.ask('break it')
    expect(await assembly.until(id)).toMatchObject({ status: 'failed' })
  })
})

describe('the slot of a task', () => {
  it('is free once only its end is left to write: the next claim goes to the store with it', async () => {
    await using assembly = await assemble()
    const { store } = assembly
    const order: string[] = []
    const watchedStore: Store = {
      ...store,
      claim: (worker) => {
        order.push('claim')
        return store.claim(worker)
      },
      async apply(taskId, event, fence) {
        if (event.kind !== 'finished') return store.apply(taskId, event, fence)
        order.push('end')
        const result = await store.apply(taskId, event, fence)
        order.push('end written')
        return result
      },
    }
    const first = await assembly.ask('!echo one')
    const second = await assembly.ask('!echo two')
    const worker = await assembly.startWorker({ store: watchedStore, concurrency: 1 })
    expect((await assembly.until(first.id)).status).toBe('done')
    expect((await assembly.until(second.id)).status).toBe('done')
    await worker.idle()
    expect(order.slice(0, 4)).toEqual(['claim', 'end', 'claim', 'end written'])
    const kinds = (await store.events({ afterId: 0, limit: 100 })).map(({ taskId, event }) => `${taskId} ${event.kind}`)
    expect(kinds[kinds.indexOf('1 finished') + 1]).toBe('2 claimed')
  })
})

describe('a task that is asked for where a worker is idle', () => {
  it('is claimed in the commit that stores it', async () => {
    await using assembly = await assemble({ replies: [['true']] })
    const worker = await assembly.startWorker()
    await worker.idle()
    const seen: (string | undefined)[] = []
    using _watching = assembly.store.watch(async (change) => {
      seen.push((await assembly.store.get(change.taskId))?.status)
    })
    await assembly.until((await assembly.ask('nothing')).id)
    expect(seen[0]).toBe('planning')
  })
})
