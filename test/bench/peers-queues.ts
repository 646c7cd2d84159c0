/** Job queues of others behind one interface, each as its own documentation begins: the side that adds and the side that takes. */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { createStore } from '../../src/store/create-store.ts'
import { type PeerServer, startPostgres, startRedis } from './peers-servers.ts'
import { NO_LIMITS, quiet, realClock, request, temporaryFolder } from './stand.ts'

export interface Place extends AsyncDisposable {
  address: string
}

export interface QueuePeer {
  name: string
  /** What a person runs who has not what it needs. */
  install: string
  /** Undefined where its server is not installed. */
  openPlace(): Promise<Place | undefined>
  /** Throws where the library is not installed. */
  openAdding(address: string): Promise<Adding>
  /** Calls back for each job that was taken, until the process ends. */
  take(address: string, onJob: () => void): Promise<unknown>
}

export interface Adding extends AsyncDisposable {
  add(description: string): Promise<unknown>
}

const INSTALL = '(cd test/bench && npm install)'

/** Ours, as the others: at NORMAL, and the worker claims what it hears of. */
export const OURS: QueuePeer = {
  name: 'ours',
  install: '',
  openPlace: () => openFile('tasks.db'),
  async openAdding(address) {
    const store = await openStore(address)
    let index = 0
    return {
      add: () => store.submit(request(index++), NO_LIMITS),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    }
  },
  async take(address, onJob) {
    const store = await openStore(address)
    store.watch(async () => {
      for (;;) {
        const task = await store.claim({ id: 'w1', leaseMs: 30_000 })
        if (task === undefined) return
        onJob()
        await store.apply(task.id, { kind: 'answered', answer: 'ok' }, { leaseId: task.lease?.id ?? '' })
      }
    })
  },
}

export const PEERS: readonly QueuePeer[] = [
  {
    name: 'BullMQ',
    install: `apt-get install redis-server && ${INSTALL}`,
    openPlace: () => startRedis(),
    async openAdding(path) {
      const { Queue } = await library<BullMq>('bullmq')
      const queue = new Queue('tasks', { connection: { path } })
      await queue.waitUntilReady()
      return { add: (description) => queue.add('task', { description }), [Symbol.asyncDispose]: () => queue.close() }
    },
    async take(path, onJob) {
      const { Worker } = await library<BullMq>('bullmq')
      await new Worker('tasks', async () => onJob(), { connection: { path } }).waitUntilReady()
    },
  },
  {
    name: 'graphile-worker',
    install: `apt-get install postgresql && ${INSTALL}`,
    openPlace: () => startPostgres(),
    async openAdding(connectionString) {
      const utils = await (await library<Graphile>('graphile-worker')).makeWorkerUtils({ connectionString })
      await utils.migrate()
      return {
        add: (description) => utils.addJob('task', { description }),
        [Symbol.asyncDispose]: async () => void (await utils.release()),
      }
    },
    async take(connectionString, onJob) {
      const { run } = await library<Graphile>('graphile-worker')
      await run({ connectionString, taskList: { task: async () => onJob() } })
    },
  },
  {
    name: 'pg-boss',
    install: `apt-get install postgresql && ${INSTALL}`,
    openPlace: () => startPostgres(),
    async openAdding(address) {
      const boss = await startBoss(address)
      await boss.createQueue('task')
      return {
        add: (description) => boss.send('task', { description }),
        [Symbol.asyncDispose]: () => boss.stop({ graceful: false }),
      }
    },
    take: async (address, onJob) => await (await startBoss(address)).work('task', async () => onJob()),
  },
  {
    name: 'plainjob',
    install: INSTALL,
    openPlace: () => openFile('plain.db'),
    async openAdding(address) {
      const queue = await openPlain(address)
      return {
        add: async (description) => queue.add('task', { description }),
        [Symbol.asyncDispose]: async () => queue.close(),
      }
    },
    async take(address, onJob) {
      const { defineWorker } = await library<Plainjob>('plainjob')
      void defineWorker('task', () => onJob(), { queue: await openPlain(address), logger: SILENT }).start()
    },
  },
]

/** The parts of their interfaces that are used here; the packages are not there to take types from. */
interface BullMq {
  Queue: new (
    name: string,
    options: { connection: { path: string } },
  ) => { waitUntilReady(): Promise<unknown>; add(name: string, data: object): Promise<unknown>; close(): Promise<void> }
  Worker: new (
    name: string,
    work: () => Promise<void>,
    options: { connection: { path: string } },
  ) => { waitUntilReady(): Promise<unknown> }
}

interface Graphile {
  makeWorkerUtils(options: { connectionString: string }): Promise<{
    migrate(): Promise<void>
    addJob(name: string, payload: object): Promise<unknown>
    release(): Promise<unknown>
  }>
  run(options: { connectionString: string; taskList: Record<string, () => Promise<void>> }): Promise<unknown>
}

interface Boss {
  on(event: 'error', listener: (error: unknown) => void): unknown
  start(): Promise<unknown>
  createQueue(name: string): Promise<void>
  send(name: string, data: object): Promise<unknown>
  work(name: string, take: () => Promise<void>): Promise<unknown>
  stop(options: { graceful: boolean }): Promise<void>
}

interface PlainQueue {
  add(type: string, data: object): unknown
  close(): void
}

interface Plainjob {
  better(db: Database.Database): unknown
  defineQueue(options: { connection: unknown; logger: object }): PlainQueue
  defineWorker(
    type: string,
    work: () => void,
    options: { queue: PlainQueue; logger: object },
  ): { start(): Promise<void> }
}

const nothing = (): undefined => undefined
const SILENT = { error: nothing, warn: nothing, info: nothing, debug: nothing }

async function startBoss(address: string): Promise<Boss> {
  const { PgBoss } = await library<{ PgBoss: new (address: string) => Boss }>('pg-boss')
  const boss = new PgBoss(address)
  // Without a listener its error event would end the process; a job that does not come is seen by who waits for it.
  boss.on('error', nothing)
  await boss.start()
  return boss
}

async function openPlain(file: string): Promise<PlainQueue> {
  const { better, defineQueue } = await library<Plainjob>('plainjob')
  return defineQueue({ connection: better(new Database(file, { timeout: 5000 })), logger: SILENT })
}

function openStore(file: string) {
  return createStore({ file, clock: realClock, logger: quiet, synchronous: 'normal' })
}

async function openFile(name: string): Promise<PeerServer> {
  const folder = temporaryFolder()
  return { address: join(folder.path, name), [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() }
}

/** Named by a variable: a compiler has nothing to find where it is not installed. */
async function library<T>(name: string): Promise<T> {
  return await import(name)
}
