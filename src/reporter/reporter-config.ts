import type { Task } from '../core/task.ts'

export interface ReporterConfig {
  /** Platform user ids of those who are asked to decide on this task's plan. */
  approvers(task: Task): readonly string[]
  /** What the sandbox allows this task's commands, one line each. */
  terms(task: Task): readonly string[]
  /** A sentence while commands run with less protection than promised; null when all is well. */
  sandboxWarning(): string | null
  /** How many rounds a task may have; null when not known. */
  maxRounds: number | null
  /** IANA name, for times of day in the thread. */
  timeZone: string
  /** More outputs than this, or more bytes, come as one zip. The adapter's own limits hold as well. */
  maxUploadFiles: number
  maxUploadBytes: number
}
