import { formatCount } from '../core/format.ts'
import { currentRound, type OutputTotals, type Task } from '../core/task.ts'
import { parseVerbatim } from '../core/verbatim.ts'
import type { WorkerOptions } from './options.ts'
import { planRequest } from './propose.ts'
import type { TaskRun } from './task-run.ts'

/** What is told where the model says nothing. */
export function plainAnswer(task: Task, outputs: OutputTotals): string {
  const commands = formatCount(currentRound(task)?.steps.length ?? 0, 'command')
  return outputs.files === 0
    ? `${commands} ran.`
    : `${commands} ran, ${formatCount(outputs.files, 'file')} made or changed.`
}

/**
 * The model's short answer for people, from what ran; undefined where it gives none, was not needed or has no time left.
 * The work is done by now: only a cancel or a lost lease keeps it from being told so, not a stop or the task's time limit.
 */
export async function askForAnswer(options: WorkerOptions, run: TaskRun): Promise<string | undefined> {
  if (parseVerbatim(run.task.description) !== undefined) return undefined
  const { signal } = run.control
  try {
    const request = await planRequest(options, run.task, [])
    const answer = await options.planner.summarize(request, { signal })
    return answer?.trim() || undefined
  } catch (error) {
    const { cause } = run.control
    if (!signal.aborted || cause === 'cancelled' || cause === 'lost') throw error
    return undefined
  }
}
