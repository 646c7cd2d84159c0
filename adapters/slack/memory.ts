/**
 * What this process knows of its own doings, to spare needless look-ups and to answer a command with a link.
 * All of it may be lost: then we look more often, and answer without the link.
 */
import type { Place } from '../../src/core/task.ts'
import type { SlackPlace } from './place.ts'

const MAX_REMEMBERED = 5000

export interface Memory {
  /** The task was created by this process: nothing can have been posted for it before. */
  created(taskId: number): void
  /** The thread began in this process. */
  bornHere(thread: SlackPlace, taskId: number): void
  /** A post or upload with this key begins: the next one with it has to look first, whatever becomes of this one. */
  attempting(key: string): void
  /** Whether a message with this key may be there already. `taskId` null: only the thread is known. */
  mayHavePosted(target: SlackPlace, taskId: number | null, key: string): boolean
  /** `listener` is called once, when the task's thread is known. */
  whenAnnounced(taskId: number, listener: (place: Place) => void): void
  announce(taskId: number, place: Place): void
}

export function createMemory(): Memory {
  const fresh = new Set<string>()
  const attempted = new Set<string>()
  const waiting = new Map<number, (place: Place) => void>()
  return {
    created: (taskId) => remember(fresh, taskKey(taskId)),
    bornHere: (thread, taskId) => {
      if (fresh.has(taskKey(taskId))) remember(fresh, threadKey(thread))
    },
    attempting: (key) => remember(attempted, key),
    mayHavePosted: (target, taskId, key) => {
      const isFresh = taskId === null ? fresh.has(threadKey(target)) : fresh.has(taskKey(taskId))
      return attempted.has(key) || !isFresh
    },
    whenAnnounced: (taskId, listener) => {
      waiting.set(taskId, listener)
      if (waiting.size > MAX_REMEMBERED) dropOldest(waiting)
    },
    announce: (taskId, place) => {
      waiting.get(taskId)?.(place)
      waiting.delete(taskId)
    },
  }
}

function taskKey(taskId: number): string {
  return `task:${taskId}`
}

function threadKey({ channelId, threadTs }: SlackPlace): string {
  return `thread:${channelId}/${threadTs ?? ''}`
}

function remember(set: Set<string>, key: string): void {
  set.add(key)
  if (set.size > MAX_REMEMBERED) dropOldest(set)
}

function dropOldest(collection: { keys(): Iterator<unknown>; delete(key: never): unknown }): void {
  const oldest = collection.keys().next()
  // The collections above hold strings and numbers in the order they came; the cast only joins their two signatures.
  if (oldest.done !== true) collection.delete(oldest.value as never)
}
