import type { Task } from '../../src/core/task.ts'
import type { LogLine } from '../../src/ports/workspace.ts'

/** Where a followed task is drawn. Everything may be called at any time until `close`. */
export interface TaskView {
  task(task: Task): void
  line(line: LogLine): void
  /** A sentence of ours: "Stopping…" */
  say(text: string): void
  /** Takes away what is not there to stay, for a question; nothing is drawn until `resume`, and nothing is lost. */
  pause(): void
  resume(): void
  /** Nothing is drawn afterwards. May be called twice. */
  close(): void
}
