/** The slash command, and the same words after a mention or in a direct message. Answers are private. */
import type { Actor } from '../../src/core/actor.ts'
import { assertNever } from '../../src/core/errors.ts'
import type { Place, Task } from '../../src/core/task.ts'
import { oneLine } from '../../src/core/text.ts'
import { button, escapeText, section } from './blocks.ts'
import { attend, type Desk, sentence, tell, type Whereto } from './desk.ts'
import { helpMessage } from './help.ts'
import type { CommandIntent } from './parse.ts'
import { fromPlace, toPlace } from './place.ts'
import type { Receipt } from './receipt.ts'
import type { SlackMessage } from './render.ts'
import { show, showList } from './show.ts'
import { type Ask, parseAsk, type TaskVerb } from './words.ts'

export async function onCommand(desk: Desk, intent: CommandIntent, receipt: Receipt): Promise<void> {
  const { userId, channelId, responseUrl } = intent
  const to = { userId, channelId, threadTs: null, responseUrl }
  const ask = parseAsk(intent.text)
  if (!hasEffect(ask)) await receipt.acknowledge()
  await attend(desk, { what: 'command', to, receipt }, async () => {
    const actor = await desk.people.actor({ ...intent, isDirect: channelId.startsWith('D') })
    const dedupeKey = `slack:${desk.self.teamId}:command:${intent.triggerId}`
    if (ask.kind === 'submit') return submit(desk, ask.text, { actor, to, dedupeKey, receipt })
    const answer = await runAsk(desk, ask, { actor, place: null, dedupeKey })
    await receipt.acknowledge()
    await tell(desk, to, answer)
  })
}

function hasEffect(ask: Ask): boolean {
  return ask.kind === 'submit' || (ask.kind === 'task' && !isShown(ask.verb))
}

interface Asking {
  actor: Actor
  place: Place | null
  dedupeKey: string
}

/** Everything but a new task. */
export async function runAsk(desk: Desk, ask: Exclude<Ask, { kind: 'submit' }>, asking: Asking): Promise<SlackMessage> {
  switch (ask.kind) {
    case 'help':
      return helpMessage(desk.command, desk.self.botUserId)
    case 'list':
      return showList(desk, asking.actor)
    case 'incomplete':
      return sentence(`Say which task: ${desk.command} ${ask.verb} 42. ${desk.command} list shows yours.`)
    case 'task':
      return onTask(desk, ask, asking)
    default:
      return assertNever(ask)
  }
}

async function onTask(
  desk: Desk,
  { verb, taskId, note }: { verb: TaskVerb; taskId: number; note: string },
  { actor, place, dedupeKey }: Asking,
): Promise<SlackMessage> {
  if (isShown(verb)) return show(desk, verb, { actor, taskId, place })
  const outcome = await desk.inbox.act(actor, { verb, taskId, hash: null }, { note, dedupeKey })
  return sentence(outcome.sentence)
}

function isShown(verb: TaskVerb): verb is 'status' | 'log' | 'files' {
  return verb === 'status' || verb === 'log' || verb === 'files'
}

async function submit(
  desk: Desk,
  text: string,
  asking: { actor: Actor; to: Whereto; dedupeKey: string; receipt: Receipt },
): Promise<void> {
  const { actor, to, dedupeKey, receipt } = asking
  const { teamId } = desk.self
  const place = toPlace({ teamId, channelId: to.channelId, threadTs: null, fallbackUserId: to.userId })
  const outcome = await desk.inbox.submit({ actor, text, place, attachments: [], dedupeKey, model: null })
  if ('sentence' in outcome) {
    await receipt.acknowledge()
    return tell(desk, to, sentence(outcome.sentence))
  }
  // Before anything is waited for: the reporter may begin the thread at any moment.
  if (outcome.kind === 'created') desk.memory.created(outcome.task.id)
  const announced = Promise.withResolvers<Place>()
  const thread = outcome.task.place
  const isBegun = thread?.thread === true
  if (!isBegun) desk.memory.whenAnnounced(outcome.task.id, announced.resolve)
  await receipt.acknowledge()
  // A repeated delivery may find its thread there already; otherwise the link follows when the reporter has begun it.
  await tell(desk, to, confirmation(desk, to, outcome.task, isBegun ? thread : null))
  announced.promise.then((where) => confirm(desk, to, outcome.task, where))
}

/** Replaces "Task #42 created" by the same with a link, once there is something to link to. */
async function confirm(desk: Desk, to: Whereto, task: Task, place: Place): Promise<void> {
  if (to.responseUrl === null) return
  const { text, blocks } = confirmation(desk, to, task, place)
  const body = { response_type: 'ephemeral', replace_original: true, text, blocks }
  await desk.wire.respond(to.responseUrl, body).catch(() => undefined)
}

function confirmation(desk: Desk, to: Whereto, task: Task, place: Place | null): SlackMessage {
  const title = `🕒 *Task #${task.id}* created: ${escapeText(oneLine(task.description, 150))}`
  const thread = place === null ? undefined : fromPlace(place)
  if (thread === undefined || thread.threadTs === null)
    return { text: `Task #${task.id} created`, blocks: [section(title)] }
  const link = `${desk.self.url}archives/${thread.channelId}/p${thread.threadTs.replace('.', '')}`
  const linked = section(`${title}\n<${link}|Open the thread>`)
  const isElsewhere = thread.channelId !== to.channelId
  if (!isElsewhere) return { text: `Task #${task.id} created`, blocks: [linked] }
  return {
    text: `Task #${task.id} created; it goes on in our direct messages`,
    blocks: [
      linked,
      section(
        `I am not in this channel, so it goes on in our direct messages. To have threads here, type \`/invite @${escapeText(desk.self.botName)}\`, or:`,
      ),
      { type: 'actions', elements: [button(JOIN_ACTION, 'Add me to this channel')] },
    ],
  }
}

export const JOIN_ACTION = 'join-channel'
