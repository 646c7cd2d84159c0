/** Buttons and menus. Nothing is kept in memory for them: what they mean is in their ids, so they work after a restart. */
import type { Actor } from '../../src/core/actor.ts'
import { COMMAND } from '../../src/core/command.ts'
import { type Control, parseControl, type Verb } from '../../src/core/controls.ts'
import type { Place } from '../../src/core/task.ts'
import { currentRound } from '../../src/core/task.ts'
import type { Refusal } from '../../src/ports/inbox.ts'
import { context } from './blocks.ts'
import { attend, type Desk, sentence, tell, type Whereto } from './desk.ts'
import { publishHome } from './home.ts'
import { type Decision, editForm, rejectForm } from './modals.ts'
import { JOIN_ACTION } from './on-command.ts'
import type { ActionIntent } from './parse.ts'
import { toPlace } from './place.ts'
import type { Receipt } from './receipt.ts'
import type { Recent } from './recent.ts'
import { parseFilesAction, show } from './show.ts'

interface Pressing {
  actor: Actor
  intent: ActionIntent
  to: Whereto
  /** The thread the button is in; null on App Home. */
  place: Place | null
  receipt: Receipt
}

interface Pressed {
  intent: ActionIntent
  receipt: Receipt
}

export async function onAction(desk: Desk, recent: Recent, { intent, receipt }: Pressed): Promise<void> {
  const { userId, channelId, responseUrl } = intent
  const threadTs = intent.threadTs ?? null
  const to = { userId, channelId, threadTs, responseUrl }
  // A nervous second press is the first one.
  if (!recent.claim(`press:${userId}:${channelId}:${intent.messageTs ?? ''}:${intent.actionId}:${intent.option ?? ''}`))
    return void (await receipt.acknowledge())
  if (!hasEffect(intent)) await receipt.acknowledge()
  await attend(desk, { what: 'button', to, receipt }, async () => {
    const actor = await desk.people.actor({ ...intent, isDirect: channelId === '' || channelId.startsWith('D') })
    await press(desk, { actor, intent, to, place: placeOf(desk, intent), receipt })
    if (channelId === '') await publishHome(desk, userId)
  })
}

/** Of this, something is to be stored. All else shows or opens something, and may take a while. */
function hasEffect({ actionId }: ActionIntent): boolean {
  const verb = parseControl(actionId)?.verb
  return verb !== undefined && !WITHOUT_EFFECT.has(verb)
}

const WITHOUT_EFFECT: ReadonlySet<Verb> = new Set(['log', 'files', 'status', 'help', 'upload', 'edit', 'reject'])

function placeOf(desk: Desk, { channelId, threadTs, messageTs, isEphemeral }: ActionIntent): Place | null {
  // A private answer has no thread of its own: nothing can be posted below it.
  const thread = threadTs ?? (isEphemeral ? null : messageTs)
  if (channelId === '' || thread === null) return null
  return toPlace({ teamId: desk.self.teamId, channelId, threadTs: thread, fallbackUserId: null })
}

async function press(desk: Desk, pressing: Pressing): Promise<void> {
  const { intent, to, actor } = pressing
  if (intent.actionId === JOIN_ACTION) return join(desk, to)
  const files = parseFilesAction(intent.actionId)
  if (files !== undefined) return postFiles(desk, pressing, files)
  const control = parseControl(intent.actionId)
  if (control === undefined) return
  const { verb, taskId } = control
  switch (verb) {
    case 'log':
    case 'files':
    case 'status':
    case 'help':
      return tell(desk, to, await show(desk, verb, { actor, taskId, place: pressing.place }))
    case 'upload':
      return retryUpload(desk, pressing, taskId)
    case 'edit':
    case 'reject':
      return openForm(desk, pressing, control)
    default:
      return act(desk, pressing, control)
  }
}

async function act(desk: Desk, { actor, intent, to, place, receipt }: Pressing, control: Control): Promise<void> {
  const dedupeKey = `slack:${desk.self.teamId}:press:${intent.actionTs}:${intent.userId}:${intent.actionId}`
  const outcome = await desk.inbox.act(actor, control, { dedupeKey, ...(place === null ? {} : { place }) })
  await receipt.acknowledge()
  if (outcome.kind === 'conflict') await retire(desk, intent, outcome)
  // What was done shows in the thread; a sentence is for what was not, or for where no thread is in sight.
  if (outcome.kind !== 'done' || place === null) await tell(desk, to, sentence(outcome.sentence))
}

const DECIDED: ReadonlySet<string> = new Set(['approve', 'reject', 'edit', 'cancel'])

/** A button that is out of date: takes the buttons off that message and says there what has happened since. */
async function retire(
  desk: Desk,
  intent: ActionIntent,
  refusal: Extract<Refusal, { kind: 'conflict' }>,
): Promise<void> {
  const verb = parseControl(intent.actionId)?.verb ?? ''
  const { channelId, messageTs, isEphemeral, blocks } = intent
  if (!DECIDED.has(verb) || channelId === '' || messageTs === null || isEphemeral || blocks.length === 0) return
  const kept = blocks.filter((block) => block.type !== 'actions')
  const message = {
    channel: channelId,
    ts: messageTs,
    text: refusal.sentence.slice(0, 300),
    blocks: [...kept, ...context([refusal.sentence])],
  }
  // The reporter draws the message as it is anyway; this only closes the gap.
  await desk.wire.call('chat.update', message).catch(() => undefined)
}

async function openForm(desk: Desk, { actor, intent, to }: Pressing, control: Control): Promise<void> {
  const found = await desk.inbox.get(actor, control.taskId)
  if (found.kind !== 'found') return tell(desk, to, sentence(found.sentence))
  const action = control.verb === 'edit' ? 'edit_plan' : 'reject'
  if (!(await desk.inbox.may(actor, action, control.taskId))) {
    // The refusal comes from the one place that words it, and is audited there.
    const refused = await desk.inbox.act(actor, control, control.verb === 'edit' ? { commands: [] } : {})
    return tell(desk, to, sentence(refused.sentence))
  }
  const { channelId, threadTs, messageTs } = intent
  const plan: Decision = { taskId: control.taskId, hash: control.hash, channelId, threadTs: threadTs ?? messageTs }
  const commands = currentRound(found.task)?.plan.commands ?? []
  const view = control.verb === 'edit' ? editForm(plan, commands) : rejectForm(plan)
  await desk.wire.call('views.open', { trigger_id: intent.triggerId, view })
}

async function postFiles(desk: Desk, { actor, intent, to, place }: Pressing, files: { all: boolean; taskId: number }) {
  const found = await desk.inbox.get(actor, files.taskId)
  if (found.kind !== 'found') return tell(desk, to, sentence(found.sentence))
  const target = place ?? found.task.place
  if (target === null || target.platform !== 'slack') {
    return tell(desk, to, sentence(`\`${COMMAND} outputs ${files.taskId}\` lists the files.`))
  }
  const path = intent.option
  if (!files.all && path === null) return
  const said =
    files.all || path === null
      ? await desk.presenter.showFiles(files.taskId, target)
      : await desk.presenter.showFile(files.taskId, path, target)
  await tell(desk, to, sentence(said))
}

async function retryUpload(desk: Desk, { actor, to }: Pressing, taskId: number): Promise<void> {
  const found = await desk.inbox.get(actor, taskId)
  await tell(desk, to, sentence(found.kind === 'found' ? await desk.presenter.retryUpload(taskId) : found.sentence))
}

/** Public channels can be joined; into a private one somebody has to invite. */
async function join(desk: Desk, to: Whereto): Promise<void> {
  try {
    await desk.wire.call('conversations.join', { channel: to.channelId })
    await tell(desk, to, sentence('Done: from the next task on, threads are in this channel.'))
  } catch {
    // Whatever the reason, the way that always works is the same.
    await tell(desk, to, sentence(`I cannot join by myself. Type /invite @${desk.self.botName} in this channel.`))
  }
}
