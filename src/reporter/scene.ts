/** What one telling knows: the task as it is, its thread's rows, and the tools. */
import type { Task } from '../core/task.ts'
import type { ChatAdapter } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'
import type { EditBudget } from './edit-budget.ts'
import type { Memory } from './memory.ts'
import type { Messages, Telling } from './messages.ts'
import type { ReporterConfig } from './reporter-config.ts'
import type { Screen } from './screen.ts'

export interface TellOptions {
  store: Store
  workspace: Workspace
  clock: Clock
  config: ReporterConfig
  memory: Memory
  messages: Messages
  screen: Screen
  adapterOf(platform: string): ChatAdapter | undefined
  budgetOf(adapter: ChatAdapter): EditBudget
  /** Has another task looked at once more. */
  wake(taskId: number): Promise<void>
  /** Goes on while the thread is told other things; what goes wrong with it is logged. */
  beside(taskId: number, work: Promise<void>): void
}

export interface Scene extends Telling {
  task: Task
}

/** Milliseconds until there is something to do again; null when nothing is to be done before the task changes. */
export type Wait = number | null

/** Undefined when there is nothing to tell: no thread, its chat is off, or it cannot be told until a person acts. */
export async function openScene(options: TellOptions, taskId: number): Promise<Scene | undefined> {
  const { store } = options
  const found = await store.delivery(taskId)
  const adapter = found === undefined ? undefined : options.adapterOf(found.place.platform)
  if (found === undefined || adapter === undefined || found.failure !== null) return undefined
  const memory = options.memory.of(taskId, adapter.name)
  // Events before the task: then the task is at least as new as the cursor, and nothing that it does not show counts as told.
  const afterId = Math.max(found.cursor, memory.seenEvent)
  memory.seenEvent = (await store.events({ taskId, afterId, limit: 1000 })).at(-1)?.id ?? afterId
  const task = await store.get(taskId)
  if (task === undefined) return undefined
  memory.status = task.status
  const { live, queued } = options.memory.cards(adapter.name)
  return {
    adapter,
    budget: options.budgetOf(adapter),
    delivery: { ...found, cursor: memory.seenEvent },
    messages: new Map(found.messages.map((message) => [message.role, message])),
    memory,
    cards: task.status === 'pending' ? live + queued : live,
    spoke: false,
    foundOld: false,
    task,
  }
}
