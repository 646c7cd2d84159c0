import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const LOOK_EVERY_MS = 1

/** Direct children of one thread of a process, its main one by default, in the order of their making; [] when it is gone. */
export function childrenOf(pid: number, thread = String(pid)): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    // The process is gone.
    return []
  }
}

/** Direct children of all threads of a process. */
export function allChildrenOf(pid: number, threads: number): number[] {
  if (threads === 1) return childrenOf(pid)
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => childrenOf(pid, thread))
  } catch {
    // The process is gone.
    return []
  }
}

/** The processes that a supervisor started last, its two lanes: it waits for both, so it goes on when one has been ended. */
export class LanePair {
  readonly #supervisor: number
  readonly #lanes: readonly number[]

  /** Looks now, when both have been started and nothing else can have been. */
  constructor(supervisor: number) {
    this.#supervisor = supervisor
    this.#lanes = childrenOf(supervisor).slice(-2)
  }

  areThere(): boolean {
    const there = childrenOf(this.#supervisor)
    return this.#lanes.every((lane) => there.includes(lane))
  }
}

/** Gone, or dead and only not yet waited for: then a namespace of which it was the first process is empty. */
export function isDead(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const state = stat[stat.lastIndexOf(')') + 2]
    return state === 'Z' || state === 'X'
  } catch {
    return true
  }
}

/** Ends a process at once; nothing happens when it is gone. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone, which is what was wanted.
  }
}

/** The kernel tells nobody when the last process of a namespace or group that is not ours has gone, so we look. */
export async function until(isOver: () => boolean): Promise<void> {
  while (!isOver()) await delay(LOOK_EVERY_MS)
}
