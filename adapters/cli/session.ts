/** What every command on tasks begins with: an open client, a printer, and numbers read from words. */
import { COMMAND } from '../../src/core/command.ts'
import type { Task } from '../../src/core/task.ts'
import type { CliClient, CliDeps } from './deps.ts'
import { refusalError, usageError } from './exit.ts'
import { createPrinter, type Printer } from './printer.ts'

export interface Session {
  deps: CliDeps
  client: CliClient
  printer: Printer
}

/** Opens the store for as long as `action` lasts. */
export async function withClient<Result>(
  deps: CliDeps,
  options: { create: boolean },
  action: (session: Session) => Promise<Result>,
): Promise<Result> {
  await using client = await deps.openClient(options)
  return await action({ deps, client, printer: createPrinter(deps) })
}

/** "42" or "#42". */
export function parseTaskId(word: string): number {
  const digits = /^#?([1-9]\d{0,14})$/.exec(word)?.[1]
  if (digits === undefined) throw usageError(`"${word}" is not the number of a task; ${COMMAND} list shows them.`)
  return Number(digits)
}

export function parseCount(word: string, max: number, name: string): number {
  const count = /^\d{1,9}$/.test(word) ? Number(word) : 0
  if (count < 1 || count > max) throw usageError(`${name} is a number from 1 to ${max}, not "${word}".`)
  return count
}

export async function getTask({ client }: Session, taskId: number): Promise<Task> {
  const outcome = await client.inbox.get(client.actor, taskId)
  if (outcome.kind !== 'found') throw refusalError(outcome)
  return outcome.task
}
