import type { Actor } from '../core/actor.ts'
import type { TaskFacts } from '../core/authorize.ts'
import { isHighRisk } from '../core/review.ts'
import { currentRound, type Person, type Requester, type Task, type TaskSummary } from '../core/task.ts'

export function requesterOf(actor: Actor): Requester {
  return { platform: actor.platform, scope: actor.scope, userId: actor.userId, name: actor.name }
}

export function personOf(actor: Actor): Person {
  return { platform: actor.platform, userId: actor.userId, name: actor.name }
}

export function factsOf(task: Task): TaskFacts {
  const round = currentRound(task)
  return { ...ownerOf(task), highRisk: round !== undefined && isHighRisk(round.verdict) }
}

/** What looking at a task goes by. */
export function ownerOf(task: TaskSummary): Omit<TaskFacts, 'highRisk'> {
  return { id: task.id, requester: task.requester, channelId: task.place?.channelId ?? '' }
}
