/** No secret reaches the store: what people, models, platforms and errors say goes through the redactor before it is written. */
import type { Redactor } from '../core/redact.ts'
import { redactValue } from '../core/redact-value.ts'
import type { Store } from '../ports/store.ts'

/** The same store. Ids, places, sources and keys are ours or a platform's, never text, and stay as they are. */
export function createRedactingStore(store: Store, redactor: Redactor): Store {
  const text = (words: string) => redactor.text(words).text
  return {
    ...store,
    submit: (task, limits) =>
      store.submit(
        {
          ...task,
          description: text(task.description),
          model: task.model === null ? null : text(task.model),
          inputs: task.inputs.map((input) => ({ ...input, name: text(input.name) })),
        },
        limits,
      ),
    apply: (taskId, event, fence) => store.apply(taskId, redactValue(event, redactor), fence),
    setInput: (taskId, index, input) =>
      store.setInput(taskId, index, { ...input, problem: input.problem === null ? null : text(input.problem) }),
    audit: (entry) => store.audit({ ...entry, detail: text(entry.detail) }),
    saveDelivery: (delivery) =>
      store.saveDelivery({ ...delivery, failure: delivery.failure === null ? null : text(delivery.failure) }),
  }
}
