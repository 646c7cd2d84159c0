/** What is worth knowing of a task between two tellings, and may be lost: after a restart it costs an edit that changes nothing. */
import type { Platform, TaskStatus } from '../core/task.ts'
import type { StatusView } from '../core/view.ts'
import type { DeliveryRole } from '../ports/store.ts'

export interface TaskMemory {
  status: TaskStatus
  /** The last event that was there when the task was last looked at. */
  seenEvent: number
  /** What the card's last frame said, from coarse to fine; null when not known. */
  statusKey: string | null
  /** When the card was last posted or edited; null when not known. */
  shownAt: number | null
  stepKey: string | null
  stableKey: string | null
  /** By role: when it was last edited, and the hash of what it then showed. */
  editedAt: Map<DeliveryRole, number>
  hashes: Map<DeliveryRole, string>
  /** No edits before this: the thread's own rate limit. */
  pausedUntil: number
  marked: StatusView | null
  markedAt: number | null
  /** The reaction that is being changed. */
  marking: Promise<void> | null
  /** Messages whose rows were written ahead of their time: nobody has tried to post them. */
  reserved: Set<DeliveryRole>
  uploadTries: number
  toldParent: boolean
}

export interface Memory {
  of(taskId: number, platform: Platform): TaskMemory
  /** Undefined when nothing is remembered of it. */
  find(taskId: number): TaskMemory | undefined
  forget(taskId: number): void
  /** Cards of this platform that are edited as work goes on, and those that only wait in the queue. */
  cards(platform: Platform): { live: number; queued: number }
}

export function createMemory(): Memory {
  const tasks = new Map<number, TaskMemory & { platform: Platform }>()
  return {
    of(taskId, platform) {
      const known = tasks.get(taskId) ?? { ...blank(), platform }
      tasks.set(taskId, known)
      return known
    },
    find: (taskId) => tasks.get(taskId),
    forget: (taskId) => void tasks.delete(taskId),
    cards(platform) {
      let live = 0
      let queued = 0
      for (const task of tasks.values()) {
        if (task.platform !== platform) continue
        if (task.status === 'planning' || task.status === 'running') live++
        else if (task.status === 'pending') queued++
      }
      return { live, queued }
    },
  }
}

function blank(): TaskMemory {
  return {
    status: 'pending',
    seenEvent: 0,
    statusKey: null,
    shownAt: null,
    stepKey: null,
    stableKey: null,
    editedAt: new Map(),
    hashes: new Map(),
    pausedUntil: 0,
    marked: null,
    markedAt: null,
    marking: null,
    reserved: new Set(),
    uploadTries: 0,
    toldParent: false,
  }
}
