/** Authorisation and audit, once for everything that comes in. */
import type { Action, Actor } from '../core/actor.ts'
import { type AccessRules, authorize } from '../core/authorize.ts'
import type { Task, TaskSummary } from '../core/task.ts'
import type { Refusal } from '../ports/inbox.ts'
import type { Store } from '../ports/store.ts'
import { factsOf, ownerOf } from './people.ts'

export interface Door {
  /** Whether the actor may; a refusal is audited, unless it was only for looking. */
  check(actor: Actor, action: Action, task: Task | null): Promise<Refusal | undefined>
  /** The task when it exists and the actor may; else the refusal. To a stranger a hidden task does not exist. */
  find(actor: Actor, action: Action, taskId: number): Promise<{ kind: 'found'; task: Task } | Refusal>
  may(actor: Actor, action: Action, task: Task | null): boolean
  maySee(actor: Actor, task: TaskSummary): boolean
  record(actor: Actor, action: string, taskId: number | null, detail: string): Promise<void>
}

export function createDoor(store: Store, rules: AccessRules): Door {
  async function audit(actor: Actor, action: string, taskId: number | null, allowed: boolean, detail: string) {
    const { platform, scope, channelId, userId, name } = actor
    await store.audit({ actor: { platform, scope, channelId, userId, name }, action, taskId, allowed, detail })
  }

  async function check(actor: Actor, action: Action, task: Task | null): Promise<Refusal | undefined> {
    const answer = authorize(actor, action, task === null ? null : factsOf(task), rules)
    if (answer.allowed) return undefined
    if (action !== 'view') await audit(actor, action, task?.id ?? null, false, answer.sentence)
    return { kind: 'forbidden', sentence: answer.sentence }
  }

  return {
    check,
    async find(actor, action, taskId) {
      const task = await store.get(taskId)
      if (task === undefined) return notFound(taskId)
      return (await check(actor, action, task)) ?? { kind: 'found', task }
    },
    may: (actor, action, task) => authorize(actor, action, task === null ? null : factsOf(task), rules).allowed,
    maySee: (actor, task) => authorize(actor, 'view', { ...ownerOf(task), highRisk: false }, rules).allowed,
    record: (actor, action, taskId, detail) => audit(actor, action, taskId, true, detail),
  }
}

export function notFound(taskId: number): Refusal {
  return { kind: 'not_found', sentence: `There is no task #${taskId}.` }
}
