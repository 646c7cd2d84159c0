/**
 * Tells this process and the others what has changed, after the commit, without polling.
 *
 * Watchers here are called directly. Other processes hear it through unix sockets, connected once and kept. Event ids have no gaps, so a
 * process knows what it has missed: a slow look at `data_version` finds the events after the last one it heard of. A missed ring
 * therefore costs seconds, never a task.
 */
import type { Database } from 'better-sqlite3'
import { errorLine } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Change } from '../ports/store.ts'
import type { Commit } from './group-commit.ts'
import { type Listener, listen } from './listen.ts'
import { createListeners } from './listeners.ts'
import { createMissedEvents } from './missed-events.ts'
import { createRinger, type Ring, type Ringer } from './ring.ts'
import { openWakeFolder, type WakeFolder } from './wake-folder.ts'

const LOOK_EVERY_MS = 2000

export interface Wake {
  committed(commit: Commit): void
  watch(listener: (change: Change) => void): Disposable
  close(): Promise<void>
}

interface Context {
  db: Database
  file: string
  clock: Clock
  logger: Logger
}

type OpenFolder = () => WakeFolder | null

export function createWake(context: Context): Wake {
  const missed = createMissedEvents(context.db)
  const watchers = createWatchers(context.logger)
  const folder = createFolder(context)
  const hearing = createHearing(context, { missed, folder, tell: watchers.tell })
  const ringer = createLazyRinger(context.logger, folder.open, hearing.isOwn)
  return {
    committed(commit) {
      if (commit.tasks.size === 0 && commit.deliveries.size === 0) return
      ringer.ring(commit)
      missed.heard(commit)
      watchers.tell(commit.tasks, commit.deliveries)
    },
    watch(watcher) {
      hearing.start()
      return watchers.add(watcher)
    },
    async close() {
      await ringer.close()
      await hearing.close()
      folder.close()
    },
  }
}

function createWatchers(logger: Logger) {
  const { tell, add } = createListeners<Change>((error, { taskId }) =>
    logger.error({ err: error, taskId }, `[TASK ${taskId}] a watcher of the store failed`),
  )
  return {
    add,
    tell(tasks: Iterable<number>, deliveries: Iterable<number>): void {
      for (const taskId of tasks) tell({ kind: 'task', taskId })
      for (const taskId of deliveries) tell({ kind: 'delivery', taskId })
    },
  }
}

/** The folder of sockets, opened when it is first needed. Without it the slow look remains; that is said once. */
function createFolder({ file, logger }: Context) {
  let folder: WakeFolder | null | undefined

  function openOnce(): WakeFolder | null {
    try {
      return openWakeFolder(file)
    } catch (error) {
      logger.warn(
        { problem: errorLine(error) },
        'no sockets beside the store: other processes see changes with a delay',
      )
      return null
    }
  }

  return {
    open(): WakeFolder | null {
      if (folder === undefined) folder = openOnce()
      return folder
    },
    close: () => folder?.[Symbol.dispose](),
  }
}

function createLazyRinger(logger: Logger, openFolder: OpenFolder, isOwn: (name: string) => boolean) {
  let ringer: Ringer | undefined
  return {
    ring(commit: Commit): void {
      const folder = openFolder()
      if (folder === null) return
      ringer ??= createRinger(folder, isOwn)
      try {
        ringer.ring(commit)
      } catch (error) {
        logger.debug({ problem: errorLine(error) }, 'other processes could not be told of a change')
      }
    },
    close: async () => await ringer?.close(),
  }
}

interface Ears {
  missed: ReturnType<typeof createMissedEvents>
  folder: ReturnType<typeof createFolder>
  tell(tasks: Iterable<number>, deliveries: Iterable<number>): void
}

/** Rings of other processes, and the slow look at the file for those that were missed. */
function createHearing({ clock, logger }: Context, { missed, folder, tell }: Ears) {
  let listening: Promise<Listener | undefined> | undefined
  let ownName: string | undefined
  let look: Disposable | undefined
  let isClosed = false

  function hear(ring: Ring | undefined): void {
    if (isClosed) return
    if (ring !== undefined) missed.heard(ring)
    tell(ring?.tasks ?? missed.read(), ring?.deliveries ?? [])
  }

  function lookNow(): void {
    try {
      if (!isClosed && missed.isChanged()) tell(missed.read(), [])
    } catch (error) {
      logger.warn({ problem: errorLine(error) }, 'the store could not be looked at for changes')
    }
  }

  function lookLater(): void {
    look = clock.after(LOOK_EVERY_MS, () => {
      if (isClosed) return
      lookNow()
      lookLater()
    })
  }

  async function open(): Promise<Listener | undefined> {
    const at = folder.open()
    if (at === null) return undefined
    try {
      const listener = await listen(at, hear)
      ownName = listener.name
      // What was committed before the socket had its name has rung for nobody.
      lookNow()
      return listener
    } catch (error) {
      logger.warn({ problem: errorLine(error) }, 'no socket beside the store: this process sees changes with a delay')
      return undefined
    }
  }

  return {
    isOwn: (name: string) => name === ownName,
    start(): void {
      if (listening !== undefined || isClosed) return
      missed.start()
      lookLater()
      listening = open()
    },
    async close(): Promise<void> {
      isClosed = true
      look?.[Symbol.dispose]()
      const listener = await listening
      await listener?.close()
    },
  }
}
