/** Going on with a task that was interrupted: whether there is anything left to run, where, and whether that can be as if nothing had been. */
import { isSuccess, type StepEnd } from './outcome.ts'
import type { Round, Task } from './task.ts'

/**
 * How a round ended of which nothing more is run: with its last step, or with one that failed. Whoever holds the task then only has to
 * say so, or to plan a repair. Undefined for a round that has not come so far, and for one whose step was stopped from outside.
 */
export function endOfRound({ steps }: Round): { index: number; end: StepEnd } | undefined {
  if (steps.some(({ state, end }) => state === 'running' || end?.kind === 'cancelled')) return undefined
  const last = steps.findLast(({ state }) => state === 'ended')
  if (last?.end == null) return undefined
  const isOver = !isSuccess(last.end) || steps.every(({ state }) => state !== 'waiting')
  return isOver ? { index: last.index, end: last.end } : undefined
}

/** Index of the first step that has not ended well; undefined when all have. */
export function firstUnfinished(round: Round): number | undefined {
  const first = round.steps.findIndex((step) => step.end === null || !isSuccess(step.end))
  return first === -1 ? undefined : first
}

/**
 * Whether a command that ended well left the later ones more than files: a folder to be in, exported variables. A new shell knows
 * nothing of them. Read plainly, as words where a command begins: a false alarm costs a fresh start, a miss runs in the wrong folder.
 */
export function changedTheShell(task: Pick<Task, 'rounds'>): boolean {
  const steps = task.rounds.flatMap((round) => round.steps)
  return steps.some(({ end, command }) => end !== null && isSuccess(end) && CHANGES_THE_SHELL.test(command))
}

const CHANGES_THE_SHELL = /(?:^|[\n;&|{]|\b(?:then|do|else)\s)\s*(?:cd|pushd|popd|export|source|\.)(?=\s|;|$)/
