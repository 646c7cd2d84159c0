import { AppError } from '../../src/core/errors.ts'
import type { TaskStatus } from '../../src/core/task.ts'
import type { Refusal } from '../../src/ports/inbox.ts'

/** What the shell sees. `assistant --help` lists them. */
export const EXIT = { done: 0, failed: 1, usage: 2, cancelled: 130, terminated: 143 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_HELP = `
Exit codes:
  0    done
  1    failed: the task, or the program
  2    wrong usage, unknown id, not possible in the task's state, no store, or a fault of the set-up
  130  cancelled, with Ctrl-C or otherwise`

/** Ends the command with one line on stderr. */
export class CliError extends AppError {
  readonly exitCode: ExitCode
  constructor(exitCode: ExitCode, message: string) {
    super('cli', message)
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CliError {
  return new CliError(EXIT.usage, message)
}

/** A full queue may have room in a minute; the others are the caller's to change. */
export function refusalError(refusal: Refusal): CliError {
  return new CliError(refusal.kind === 'full' ? EXIT.failed : EXIT.usage, refusal.sentence)
}

export function exitOf(status: TaskStatus): ExitCode {
  if (status === 'done') return EXIT.done
  return status === 'cancelled' ? EXIT.cancelled : EXIT.failed
}
