/** Where each task is told, as last heard: most changes of a task change nothing about that, and the store need not be asked each time. */
import type { Place, Platform } from '../core/task.ts'

const MAX_KEPT = 5000

export interface Home {
  platform: Platform
  lane: string
}

export interface Homes {
  /** Undefined: not known; null: told nowhere. */
  of(taskId: number): Home | null | undefined
  keep(taskId: number, place: Place): Home
  keep(taskId: number, place: null): null
}

export function createHomes(): Homes {
  const homes = new Map<number, Home | null>()

  function keep(taskId: number, place: Place): Home
  function keep(taskId: number, place: null): null
  function keep(taskId: number, place: Place | null): Home | null {
    const home = place === null ? null : { platform: place.platform, lane: laneKey(taskId, place) }
    homes.set(taskId, home)
    const oldest = homes.keys().next()
    if (homes.size > MAX_KEPT && oldest.done !== true) homes.delete(oldest.value)
    return home
  }

  return { of: (taskId) => homes.get(taskId), keep }
}

/** Tasks of one thread share a lane; one that has no thread yet will make its own. */
function laneKey(taskId: number, place: Place): string {
  return place.thread ? `${place.platform}:${place.key}` : `task:${taskId}`
}
