/** A followed task in plain lines, for pipes and files: the log as it comes, and a line for each change. */
import type { PlanningPhase, Task } from '../../src/core/task.ts'
import { oneLine } from '../../src/core/text.ts'
import type { Printer } from './printer.ts'
import { logLine } from './task-lines.ts'
import type { TaskView } from './task-view.ts'

export function createPlainView(printer: Printer): TaskView {
  let last = ''
  const say = (text: string) => {
    if (text === '' || text === last) return
    last = text
    printer.line(text)
  }
  return {
    task: (task) => say(changeLine(task)),
    line: (line) => printer.line(logLine(line, printer.style)),
    say,
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
  }
}

/** One line for what the task is at; '' where the log or the end tells it better. No clocks: equal lines are printed once. */
function changeLine(task: Task): string {
  const tag = `Task #${task.id}:`
  if (task.status === 'pending') return `${tag} queued`
  if (task.status === 'awaiting_approval') return ''
  if (task.status === 'planning') return `${tag} ${planningWords(task.phase)}`
  const round = task.rounds.at(-1)
  if (task.status !== 'running' || round === undefined) return ''
  const repairs = round.repairOf === null ? '' : `repairs ${round.repairOf}`
  const summary = oneLine(round.plan.summary || repairs, 300)
  const count = round.plan.commands.length
  return `${tag} running ${count} command${count === 1 ? '' : 's'}${summary === '' ? '' : `: ${summary}`}`
}

function planningWords(phase: PlanningPhase | null): string {
  if (phase === null || phase.kind === 'starting') return 'planning'
  const model = oneLine(phase.model, 60)
  return phase.kind === 'loading_model'
    ? `loading the model ${model} (first use takes a while)`
    : `planning with ${model}`
}
