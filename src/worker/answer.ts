import { formatCount } from '../core/format.ts'
import { currentRound, type OutputTotals } from '../core/task.ts'
import type { WorkerOptions } from './options.ts'
import { planRequest } from './propose.ts'
import type { TaskRun } from './task-run.ts'

/** A short answer for people: the model's, from what ran, or a plain one where it gives none, was not needed or has no time left. */
export async function answerFor(options: WorkerOptions, run: TaskRun, outputs: OutputTotals): Promise<string> {
  const round = currentRound(run.task)
  const answer = round?.author.kind === 'verbatim' ? undefined : await askForAnswer(options, run)
  if (answer !== undefined && answer.trim() !== '') return answer.trim()
  const commands = formatCount(round?.steps.length ?? 0, 'command')
  return outputs.files === 0
    ? `${commands} ran.`
    : `${commands} ran, ${formatCount(outputs.files, 'file')} made or changed.`
}

/** The work is done by now: only a cancel or a lost lease keeps it from being told so, not a stop or the task's time limit. */
async function askForAnswer(options: WorkerOptions, run: TaskRun): Promise<string | undefined> {
  const { signal } = run.control
  try {
    const request = await planRequest(options, run.task, [])
    return await options.planner.summarize(request, { signal })
  } catch (error) {
    const { cause } = run.control
    if (!signal.aborted || cause === 'cancelled' || cause === 'lost') throw error
    return undefined
  }
}
