import type { Actor } from '../../src/core/actor.ts'
import type { Task } from '../../src/core/task.ts'
import { isFinal } from '../../src/core/task.ts'
import type { Attachment } from '../../src/ports/inbox.ts'
import type { ServerOptions } from './options.ts'

export interface BodyInput {
  name: string
  content_base64: string
}

/**
 * Writes the inputs of a body to the spool, lets `submit` make a task with them, and removes them once the task has them
 * all, or at once when there is no new task.
 */
export async function takeInputs<Outcome extends { kind: string }>(
  options: Pick<ServerOptions, 'inbox' | 'spool' | 'signal'>,
  actor: Actor,
  inputs: readonly BodyInput[] | undefined,
  submit: (attachments: readonly Attachment[]) => Promise<Outcome>,
): Promise<Outcome> {
  const attachments: Attachment[] = []
  let taken = false
  try {
    for (const { name, content_base64 } of inputs ?? []) {
      attachments.push(await options.spool.add(name, Buffer.from(content_base64, 'base64')))
    }
    const outcome = await submit(attachments)
    const task = newTaskOf(outcome)
    taken = task !== undefined && attachments.length > 0
    if (task !== undefined && taken) void removeWhenTaken(options, actor, task, attachments)
    return outcome
  } finally {
    if (!taken) await options.spool.remove(attachments)
  }
}

function newTaskOf(outcome: { kind: string; task?: Task }): Task | undefined {
  return outcome.kind === 'created' || outcome.kind === 'done' ? outcome.task : undefined
}

/** What is still there when the server stops is fetched after the next start, and swept a day later. */
async function removeWhenTaken(
  { inbox, spool, signal }: Pick<ServerOptions, 'inbox' | 'spool' | 'signal'>,
  actor: Actor,
  task: Task,
  attachments: readonly Attachment[],
): Promise<void> {
  try {
    for await (const now of inbox.watch(actor, task.id, signal)) {
      if (isFinal(now.status) || now.inputs.every((input) => input.state !== 'waiting')) {
        return await spool.remove(attachments)
      }
    }
  } catch {
    // The store has gone or the server stops; the sweep of a later start removes the files.
  }
}

/** Keys of different callers and ways in never meet. */
export function dedupeKeyOf(actor: Actor, key: string | undefined): string | null {
  return key === undefined ? null : `api:${actor.userId}:${key}`
}
