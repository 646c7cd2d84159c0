import type { Actor } from '../core/actor.ts'
import type { Task } from '../core/task.ts'
import type { Store } from '../ports/store.ts'
import { personOf } from './people.ts'

/**
 * A plan that waits for a decision is overtaken by what the person says now, which is stored already and waits for its end:
 * what is refused must not cost them the plan. False when there was no such plan, or somebody has decided meanwhile.
 */
export async function supersede(store: Store, actor: Actor, task: Task): Promise<boolean> {
  if (task.status !== 'awaiting_approval') return false
  const event = { kind: 'superseded', by: personOf(actor) } as const
  return (await store.apply(task.id, event, { status: 'awaiting_approval' })).kind === 'applied'
}
