import { currentRound, type OutputTotals } from '../core/task.ts'
import type { WorkerOptions } from './options.ts'
import { planRequest } from './propose.ts'
import type { TaskRun } from './task-run.ts'

/** A short answer for people: the model's, from what ran, or a plain one where it gives none or was not needed. */
export async function answerFor(options: WorkerOptions, run: TaskRun, outputs: OutputTotals): Promise<string> {
  const round = currentRound(run.task)
  if (round?.author.kind !== 'verbatim') {
    const request = await planRequest(options, run.task, [])
    const answer = await options.planner.summarize(request, { signal: run.control.signal })
    if (answer !== undefined && answer.trim() !== '') return answer.trim()
  }
  const commands = count(round?.steps.length ?? 0, 'command')
  return outputs.files === 0 ? `${commands} ran.` : `${commands} ran, ${count(outputs.files, 'file')} made or changed.`
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
