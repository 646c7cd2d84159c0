import type { Actor } from '../../src/core/actor.ts'
import type { Task } from '../../src/core/task.ts'
import { type TaskJson, taskJson } from '../../src/core/task-json.ts'
import type { Inbox } from '../../src/ports/inbox.ts'

/** The task as it is answered: while it waits, with where it stands. */
export async function taskAnswer(inbox: Inbox, actor: Actor, task: Task): Promise<TaskJson> {
  return taskJson(task, await inbox.queuePosition(actor, task))
}
