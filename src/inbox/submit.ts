import { MAX_DESCRIPTION_BYTES } from '../core/plan.ts'
import type { InputFile, Task } from '../core/task.ts'
import { verbatimFault } from '../core/verbatim.ts'
import type { Attachment, Refusal, SubmitRequest } from '../ports/inbox.ts'
import type { NewTask, QueueLimits, Store } from '../ports/store.ts'
import type { Breaker } from './breaker.ts'
import type { InputFetcher } from './inputs.ts'
import { requesterOf } from './people.ts'

const FULL_SENTENCES: Record<keyof QueueLimits, (allowed: number) => string> = {
  perRequester: (allowed) =>
    `You have ${allowed} tasks that have not ended, as many as one person may. Wait, or cancel one.`,
  perPlace: (allowed) =>
    `This channel has ${allowed} tasks that have not ended, as many as it may. Wait, or cancel one.`,
  total: (allowed) => `The queue is full (${allowed} tasks wait). Try again later.`,
}

/** The task that a request asks for, or why it cannot be one. */
export function newTaskFrom(request: SubmitRequest): NewTask | Refusal {
  const description = request.text.trim()
  const refused = checkText(description)
  if (refused !== undefined) return refused
  return {
    description,
    kind: 'request',
    parentId: null,
    afterId: null,
    requester: requesterOf(request.actor),
    place: request.place,
    model: request.model,
    inputs: inputsFrom(request.attachments),
    dedupeKey: request.dedupeKey,
  }
}

/** Why a person's words cannot be taken; undefined when they can. */
export function checkText(text: string): Refusal | undefined {
  if (text.trim() === '') return { kind: 'invalid', sentence: 'Say what you want done, in a sentence.' }
  if (text.includes('\0'))
    return { kind: 'invalid', sentence: 'The request has a NUL character; send it as plain text.' }
  const fault = verbatimFault(text)
  if (fault !== undefined) return { kind: 'invalid', sentence: fault }
  if (Buffer.byteLength(text) <= MAX_DESCRIPTION_BYTES) return undefined
  return {
    kind: 'invalid',
    sentence: 'The request is longer than 16 KiB; put the long part into a file and attach it.',
  }
}

export function inputsFrom(attachments: readonly Attachment[]): InputFile[] {
  return attachments.map((attachment) => ({ ...attachment, state: 'waiting', problem: null }))
}

/** Stores the task and begins to fetch its files; also for children, whose files come from their parents. */
export async function admit(
  { store, fetcher, limits, breaker }: { store: Store; fetcher: InputFetcher; limits: QueueLimits; breaker: Breaker },
  task: NewTask,
): Promise<{ kind: 'created' | 'duplicate'; task: Task } | Refusal> {
  const stopped = await breaker.check(task)
  if (stopped !== undefined) return stopped
  const result = await store.submit(task, limits)
  if (result.kind === 'full') return { kind: 'full', sentence: FULL_SENTENCES[result.limit](result.allowed) }
  if (result.kind === 'created' && task.inputs.length > 0) fetcher.fetch(result.task)
  return result
}
