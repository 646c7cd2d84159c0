/** Going on with an interrupted task: where, and whether that can be the same as if it had not been interrupted. */
import { isSuccess } from './outcome.ts'
import type { Round, Task } from './task.ts'

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
