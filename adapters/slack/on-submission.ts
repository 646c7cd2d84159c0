/** Forms sent. Mistakes are shown in the form; whatever takes longer than Slack waits closes the form and is answered privately. */
import { z } from 'zod'
import type { Actor } from '../../src/core/actor.ts'
import { currentRound } from '../../src/core/task.ts'
import type { Attachment, Refusal } from '../../src/ports/inbox.ts'
import { attend, type Desk, sentence, tell } from './desk.ts'
import {
  EDIT_FORM,
  editedCommands,
  type Origin,
  parseDecision,
  parseRun,
  REJECT_FORM,
  RUN_FORM,
  TEXT_FIELD,
} from './modals.ts'
import { attachmentsOf, type SubmissionIntent } from './parse.ts'
import { toPlace } from './place.ts'
import type { Receipt } from './receipt.ts'

export async function onSubmission(desk: Desk, intent: SubmissionIntent, receipt: Receipt): Promise<void> {
  const origin = originOf(intent)
  const to = { userId: intent.userId, channelId: origin.channelId, threadTs: origin.threadTs, responseUrl: null }
  await attend(desk, { what: 'form', to, receipt }, async () => {
    const result = await take(desk, intent)
    if (result.kind !== 'mistake') await receipt.acknowledge()
    else if (!(await receipt.acknowledge({ response_action: 'errors', errors: result.errors })))
      await tell(desk, to, sentence(Object.values(result.errors).join(' ')))
    if (result.kind === 'refused') await tell(desk, to, sentence(result.sentence))
  })
}

type Taken =
  | { kind: 'fine' }
  | { kind: 'mistake'; errors: Record<string, string> }
  | { kind: 'refused'; sentence: string }

async function take(desk: Desk, intent: SubmissionIntent): Promise<Taken> {
  const { channelId } = originOf(intent)
  const actor = await desk.people.actor({
    ...intent,
    channelId,
    isDirect: channelId === '' || channelId.startsWith('D'),
  })
  switch (intent.callbackId) {
    case EDIT_FORM:
      return edit(desk, intent, actor)
    case REJECT_FORM:
      return reject(desk, intent, actor)
    case RUN_FORM:
      return run(desk, intent, actor)
    default:
      return { kind: 'fine' }
  }
}

function originOf({ privateMetadata }: SubmissionIntent): Origin {
  return parseDecision(privateMetadata) ?? parseRun(privateMetadata) ?? { channelId: '', threadTs: null }
}

async function edit(desk: Desk, intent: SubmissionIntent, actor: Actor): Promise<Taken> {
  const plan = parseDecision(intent.privateMetadata)
  if (plan === undefined) return { kind: 'fine' }
  const found = await desk.inbox.get(actor, plan.taskId)
  if (found.kind !== 'found') return { kind: 'refused', sentence: found.sentence }
  const before = currentRound(found.task)?.plan.commands ?? []
  const commands = editedCommands(before, intent.values)
  if (commands.length === 0) return mistake(intent, 'Leave at least one command, or reject the plan.')
  const control = { verb: 'edit', taskId: plan.taskId, hash: plan.hash } as const
  return outcomeOf(intent, await desk.inbox.act(actor, control, { commands, dedupeKey: keyOf(desk, intent) }))
}

async function reject(desk: Desk, intent: SubmissionIntent, actor: Actor): Promise<Taken> {
  const plan = parseDecision(intent.privateMetadata)
  if (plan === undefined) return { kind: 'fine' }
  const control = { verb: 'reject', taskId: plan.taskId, hash: plan.hash } as const
  const note = (intent.values[TEXT_FIELD] ?? '').trim()
  return outcomeOf(intent, await desk.inbox.act(actor, control, { note, dedupeKey: keyOf(desk, intent) }))
}

async function run(desk: Desk, intent: SubmissionIntent, actor: Actor): Promise<Taken> {
  const origin = parseRun(intent.privateMetadata)
  if (origin === undefined) return { kind: 'fine' }
  const text = (intent.values[TEXT_FIELD] ?? '').trim()
  if (text === '') return mistake(intent, 'Say what you want done, in a sentence.')
  const attachments = await filesOf(desk, origin.fileIds)
  const { channelId, threadTs } = origin
  const place = toPlace({ teamId: desk.self.teamId, channelId, threadTs, fallbackUserId: intent.userId })
  const outcome = await desk.inbox.submit({
    actor,
    text,
    place,
    attachments,
    dedupeKey: keyOf(desk, intent),
    model: null,
  })
  if ('sentence' in outcome) return outcomeOf(intent, outcome)
  if (outcome.kind === 'created') desk.memory.created(outcome.task.id)
  return { kind: 'fine' }
}

const fileInfo = z.object({ file: z.record(z.string(), z.unknown()) })

/** Names and sizes of the message's files; a form has no room for them. */
async function filesOf(desk: Desk, ids: readonly string[]): Promise<Attachment[]> {
  const all = await Promise.all(
    ids.map(async (id) => {
      // A file that cannot be asked about is still an input: fetching it says what is wrong with it.
      const answer = await desk.wire.call('files.info', { file: id }).catch(() => ({ file: { id } }))
      return attachmentsOf([{ ...fileInfo.parse(answer).file, id }])
    }),
  )
  return all.flat()
}

/** One form is one act, however often it arrives. */
function keyOf(desk: Desk, intent: SubmissionIntent): string {
  return `slack:${desk.self.teamId}:form:${intent.viewId}`
}

function outcomeOf(intent: SubmissionIntent, outcome: { kind: 'done' } | Refusal): Taken {
  if (outcome.kind === 'done') return { kind: 'fine' }
  return outcome.kind === 'conflict'
    ? { kind: 'refused', sentence: outcome.sentence }
    : mistake(intent, outcome.sentence)
}

/** Slack shows errors below fields: the first one there is. */
function mistake(intent: SubmissionIntent, text: string): Taken {
  const field = Object.keys(intent.values)[0]
  return field === undefined
    ? { kind: 'refused', sentence: text }
    : { kind: 'mistake', errors: { [field]: text.slice(0, 500) } }
}
