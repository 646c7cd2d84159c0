/** What the model is told of what happened before. */
import { cancelSentence, failureSentence } from '../core/outcome.ts'
import type { Round, Task } from '../core/task.ts'
import type { PastRound } from '../ports/planner.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'

const TAIL_LINES = 60
const TAIL_CHARACTERS = 4000
const ANCESTORS = 3

/** Rounds of this task and of the tasks it continues from, oldest first, and what the person said last. */
export async function historyOf(
  { store, workspace }: { store: Store; workspace: Workspace },
  task: Task,
): Promise<{ history: PastRound[]; remark: string | null }> {
  const line = [task]
  if (task.kind === 'refine' || task.kind === 'retry') line.unshift(...(await ancestors(store, task)))
  const history: PastRound[] = []
  for (const member of line) {
    if (member === task || task.kind === 'refine' || isRejected(member))
      history.push(...(await roundsOf(workspace, member)))
  }
  const parent = line.at(-2)
  return { history, remark: task.kind === 'refine' ? task.description : rejectionNote(parent) }
}

async function ancestors(store: Store, task: Task): Promise<Task[]> {
  const found: Task[] = []
  let parentId = task.parentId
  while (parentId !== null && found.length < ANCESTORS) {
    const parent = await store.get(parentId)
    if (parent === undefined) break
    found.unshift(parent)
    parentId = parent.kind === 'refine' ? parent.parentId : null
  }
  return found
}

async function roundsOf(workspace: Workspace, task: Task): Promise<PastRound[]> {
  if (task.rounds.length === 0) return []
  const tail = await tailText(workspace, task.id)
  return task.rounds.map((round, index) => pastRound(task, round, index === task.rounds.length - 1 ? tail : ''))
}

function pastRound(task: Task, round: Round, tail: string): PastRound {
  const steps = round.steps.map(({ command, state, end }) => ({ command, state, end }))
  const isLast = round === task.rounds.at(-1)
  return {
    description: task.description,
    summary: round.plan.summary,
    steps,
    tail,
    problem: isLast ? problemOf(task) : null,
  }
}

function problemOf(task: Task): string | null {
  if (task.status === 'cancelled') {
    return [cancelSentence(task.cancellation.reason), task.cancellation.note].filter((part) => part !== '').join(' ')
  }
  if (task.status === 'failed')
    return [failureSentence(task.failure.reason), task.failure.detail].filter((part) => part !== '').join(' ')
  return null
}

function isRejected(task: Task): boolean {
  return task.status === 'cancelled' && task.cancellation.reason === 'rejected'
}

function rejectionNote(parent: Task | undefined): string | null {
  if (parent?.status !== 'cancelled' || parent.cancellation.reason !== 'rejected') return null
  return parent.cancellation.note === '' ? null : parent.cancellation.note
}

export async function tailText(workspace: Workspace, taskId: number): Promise<string> {
  const { lines } = await workspace.tail(taskId, TAIL_LINES)
  return lines
    .map((line) => line.text)
    .join('\n')
    .slice(-TAIL_CHARACTERS)
}
