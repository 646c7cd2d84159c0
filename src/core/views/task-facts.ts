/** What several views say of a task, in words. */
import { formatCount, formatDuration } from '../format.ts'
import { isSuccess } from '../outcome.ts'
import type { Round, Step, Task } from '../task.ts'
import { currentRound } from '../task.ts'

/** How long its commands ran, waits for approval left out; without commands, how long it was worked on. */
export function ranMs(task: Task, now: number): number {
  const ran = task.rounds.reduce((total, round) => total + roundMs(task, round, now), 0)
  if (ran > 0 || task.rounds.length > 0) return ran
  return task.startedAt === null ? 0 : Math.max(0, (task.endedAt ?? now) - task.startedAt)
}

function roundMs(task: Task, round: Round, now: number): number {
  const starts = round.steps.flatMap((step) => (step.startedAt === null ? [] : [step.startedAt]))
  const first = starts[0]
  if (first === undefined) return 0
  const isOver = round !== currentRound(task) || task.endedAt !== null
  const ends = round.steps.map((step) => step.endedAt ?? (step.startedAt === null ? 0 : (task.endedAt ?? now)))
  const end = isOver ? Math.max(...ends) : Math.max(now, first)
  return Math.max(0, end - first)
}

export function hasRun(task: Task): boolean {
  return task.rounds.some((round) => round.steps.some((step) => step.startedAt !== null))
}

/** The step that runs, or the one that ended things, in the current round; undefined when there is none. */
export function stepInFocus(task: Task): Step | undefined {
  const steps = currentRound(task)?.steps ?? []
  const failed = task.status === 'failed' && task.failure.step !== null ? steps[task.failure.step] : undefined
  return (
    failed ??
    steps.find((step) => step.state === 'running') ??
    steps.findLast((step) => step.end !== null && !isSuccess(step.end)) ??
    steps.findLast((step) => step.startedAt !== null)
  )
}

/** "command 3 of 3"; '' when no step has begun. */
export function stepWords(task: Task): string {
  const step = stepInFocus(task)
  return step === undefined ? '' : `command ${step.index + 1} of ${currentRound(task)?.steps.length ?? 0}`
}

/** "round 2 of 2"; '' in the first round. `maxRounds` null: how many there may be is not known. */
export function roundWords(number: number, maxRounds: number | null): string {
  if (number < 2) return ''
  return maxRounds === null ? `round ${number}` : `round ${number} of ${Math.max(maxRounds, number)}`
}

/** "(command 3 stopped; 112 files kept)"; '' when there is neither. */
export function keptWords(task: Task): string {
  const stopped = currentRound(task)?.steps.find((step) => step.end?.kind === 'cancelled')
  const files = task.outputs?.files ?? 0
  const parts = [
    ...(stopped === undefined ? [] : [`command ${stopped.index + 1} stopped`]),
    ...(files === 0 ? [] : [`${formatCount(files, 'file')} kept`]),
  ]
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`
}

/** " after 0:48"; '' when nothing ran. */
export function afterWords(task: Task, now: number): string {
  return hasRun(task) ? ` after ${formatDuration(ranMs(task, now))}` : ''
}
