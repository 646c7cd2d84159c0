/** What could not be told in a thread, for faces without threads, and another try. */
import type { Actor } from '../core/actor.ts'
import type { ActOutcome, DeliveryOutcome } from '../ports/inbox.ts'
import type { Store } from '../ports/store.ts'
import type { Door } from './door.ts'

export interface DeliveryQuestions {
  delivery(actor: Actor, taskId: number): Promise<DeliveryOutcome>
  redeliver(actor: Actor, taskId: number): Promise<ActOutcome>
}

export function createDeliveryQuestions(store: Store, door: Door): DeliveryQuestions {
  return {
    async delivery(actor, taskId) {
      const found = await door.find(actor, 'view', taskId)
      if (found.kind !== 'found') return found
      const row = await store.delivery(taskId)
      if (row === undefined) return { kind: 'delivery', place: null, failure: null, attempts: 0, isTold: true }
      const { place, failure, attempts, settled } = row
      return { kind: 'delivery', place, failure, attempts, isTold: settled }
    },
    async redeliver(actor, taskId) {
      const found = await door.find(actor, 'retry', taskId)
      if (found.kind !== 'found') return found
      const { task } = found
      const row = await store.delivery(taskId)
      if (row === undefined) return { kind: 'conflict', sentence: `Task #${taskId} has no thread to be told in.`, task }
      // What the platform refused is tried once more too; what has a reference is there.
      for (const message of row.messages) if (message.ref === null) await store.saveMessage({ ...message, frame: '' })
      await store.saveDelivery({ ...row, attempts: 0, nextAttemptAt: 0, failure: null, settled: false })
      await door.record(actor, 'redeliver', taskId, '')
      return { kind: 'done', task, sentence: `Task #${taskId} is told once more, within half a minute.` }
    },
  }
}
