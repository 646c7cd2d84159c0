import type { Database } from 'better-sqlite3'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { type Store, StoreError } from '../ports/store.ts'
import { createAppendEvent } from './append-event.ts'
import { createApply } from './apply.ts'
import { createClaim } from './claim.ts'
import { createDeliveryReader, createDeliveryWriter } from './deliveries.ts'
import type { Commit } from './group-commit.ts'
import { createInputs } from './inputs.ts'
import { createDue, createHeartbeat, createRecovery } from './leases.ts'
import { createListeners } from './listeners.ts'
import { openDatabase } from './open-database.ts'
import { createQueueState } from './queue-state.ts'
import { createTaskReader } from './read-tasks.ts'
import { createAudit, createNotes, createWorkers } from './records.ts'
import { backUp, createRetention } from './retention.ts'
import { createStanding } from './standing.ts'
import { closedError, toStoreError } from './store-errors.ts'
import { createSubmit } from './submit.ts'
import { createWake } from './wake.ts'
import { createWriteQueue, type WriteQueue } from './write-queue.ts'
import { createRowWriter } from './write-row.ts'

export interface StoreOptions {
  /** Made, with its folder, when it is not there. */
  file: string
  clock: Clock
  logger: Logger
  /** 'full' (the default): what was acknowledged survives a power cut. 'normal': the last moments may be lost in one; never the file. */
  synchronous?: 'full' | 'normal'
}

/** Opens the store; throws SetupError for a file that cannot be used, with what to do about it. */
export async function createStore(options: StoreOptions): Promise<Store> {
  const { file, clock, logger, synchronous = 'full' } = options
  const db = openDatabase({ file, logger, synchronous })
  const wake = createWake({ db, file, clock, logger })
  const queue = createWriteQueue(db, wake.committed)
  const submits = createListeners<undefined>((error) => logger.error({ err: error }, 'a watcher of submits failed'))
  let closing: Promise<void> | undefined
  /** The first sign that the file is damaged. Nothing is asked of it after that: what is cached would still look well. */
  let damage: StoreError | undefined

  async function read<T>(question: () => T): Promise<T> {
    if (closing !== undefined) throw closedError()
    if (damage !== undefined) throw damage
    try {
      return question()
    } catch (error) {
      throw noted(toStoreError(error))
    }
  }

  async function write<T>(work: (commit: Commit) => T): Promise<T> {
    if (damage !== undefined) throw damage
    try {
      return await queue.write(work)
    } catch (error) {
      throw noted(error)
    }
  }

  function noted(error: unknown): unknown {
    if (error instanceof StoreError && (error.code === 'corrupt' || error.code === 'not_a_store')) damage ??= error
    return error
  }

  async function shut(): Promise<void> {
    await queue.close()
    await wake.close()
    db.close()
  }

  const session: Session = { db, read, write, now: () => clock.now() }
  const { submit, ...tasks } = createTaskSide(session)
  return {
    ...tasks,
    ...createRecordSide(session),
    ...createDeliverySide(session),
    submit(task, limits) {
      const written = submit(task, limits)
      submits.tell(undefined)
      return written
    },
    watch: (listener) => wake.watch(listener),
    watchSubmits: (listener) => submits.add(listener),
    [Symbol.asyncDispose]() {
      closing ??= shut()
      return closing
    },
  }
}

interface Session {
  db: Database
  read<T>(question: () => T): Promise<T>
  write: WriteQueue['write']
  now(): number
}

/** Tasks, and who works on them. */
function createTaskSide({ db, read, write, now }: Session) {
  const reader = createTaskReader(db)
  const append = createAppendEvent(db)
  const standing = createStanding(db)
  const context = { db, reader, append, standing, writeRow: createRowWriter(db) }
  const apply = createApply(context)
  const submit = createSubmit(context)
  const claim = createClaim(context)
  const heartbeat = createHeartbeat(db)
  const recover = createRecovery(db, apply)
  const due = createDue(db)
  const inputs = createInputs(db)
  const state = createQueueState(db, standing)
  return {
    submit: (task, limits) => write((commit) => submit(commit, task, limits, now())),
    get: (taskId) => read(() => reader.get(taskId)),
    hasKey: (dedupeKey) => read(() => reader.hasKey(dedupeKey)),
    isCancelRequested: (taskId) => read(() => reader.isCancelRequested(taskId)),
    list: (query) => read(() => reader.list(query)),
    listJson: (query) => read(() => reader.listJson(query)),
    children: (taskId) => read(() => reader.children(taskId)),
    latestInPlace: (place) => read(() => reader.latestInPlace(place)),
    events: (query) => read(() => reader.events(query)),
    apply: (taskId, event, fence) => write((commit) => apply(commit, { taskId, event, fence, now: now() })),
    setInput: (taskId, index, input) => write((commit) => inputs.set(commit, { taskId, index, input })),
    waitingForInputs: () => read(() => reader.waitingForInputs()),
    claim: (worker) => write((commit) => claim(commit, { ...worker, now: now() })),
    heartbeat: (worker) => write(() => heartbeat({ ...worker, now: now() })),
    async recoverExpired() {
      if (!(await read(() => due.hasOddLease(now())))) return 0
      return await write((commit) => recover(commit, now()))
    },
    dueApprovals: (at) => read(() => due.approvals(at)),
    nextDueAt: () => read(() => due.nextAt(now())),
    queuePosition: (taskId) => read(() => state.position(taskId, now())),
    counts: () => read(() => state.counts()),
  } satisfies Partial<Store>
}

/** Workers, the audit trail, small values, and what keeps the file small and safe. */
function createRecordSide({ db, read, write, now }: Session) {
  const workers = createWorkers(db)
  const audit = createAudit(db)
  const notes = createNotes(db)
  const retention = createRetention(db)
  return {
    registerWorker: (row) => write(() => workers.put(row)),
    removeWorker: (id) => write(() => workers.remove(id)),
    liveWorkers: (withinMs) => read(() => workers.live(withinMs, now())),
    audit: (entry) => write(() => audit.add(entry, now())),
    listAudit: (query) => read(() => audit.list(query)),
    getNote: (key) => read(() => notes.get(key)),
    setNote: (key, value) => write(() => notes.put(key, value)),
    expiredTasks: (before, limit) => read(() => retention.expired(before, limit)),
    untoldTasks: (before, limit, on) => read(() => retention.untold(before, limit, on)),
    deleteTask: (taskId) =>
      write((commit) => {
        const isRemoved = retention.remove(taskId)
        if (isRemoved) commit.tasks.add(taskId)
        return isRemoved
      }),
    async backup(file) {
      await read(() => undefined)
      await backUp(db, file)
    },
  } satisfies Partial<Store>
}

/** What the threads have been told. */
function createDeliverySide({ db, read, write }: Session) {
  const reader = createDeliveryReader(db)
  const writer = createDeliveryWriter(db)
  return {
    delivery: (taskId) => read(() => reader.get(taskId)),
    unsettledDeliveries: (platforms, limit) => read(() => reader.unsettled(platforms, limit)),
    saveDelivery: (delivery) => write((commit) => writer.save(commit, delivery)),
    saveMessage: (message) => write((commit) => writer.saveMessage(commit, message)),
    failedDeliveries: (limit) => read(() => reader.failed(limit)),
  } satisfies Partial<Store>
}
