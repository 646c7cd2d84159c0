/** What people write: mentions and direct messages begin tasks, replies in a task's thread go on with them. */
import { MessageFlags, SnowflakeUtil } from 'discord.js'
import { parseThreadWords, type Verb } from '../../src/core/controls.ts'
import { errorLine } from '../../src/core/errors.ts'
import type { Place } from '../../src/core/task.ts'
import type { MessageView } from '../../src/core/view.ts'
import type { ReplyOutcome, SubmitOutcome } from '../../src/ports/inbox.ts'
import { actorOf } from './actor.ts'
import type { ChannelFacts } from './channels.ts'
import { type Context, HELP, placeFor, placeIn } from './context.ts'
import { SEEN } from './deliver.ts'
import { escapeWithin } from './markdown.ts'
import { parseMessageCreate, type SaidMessage } from './parse.ts'
import { type MessageBody, nonceOf, renderMessage } from './render.ts'

const NOTED = '📝'
const DONE = '👍'
const REFUSED = '🚫'

/** Takes one MESSAGE_CREATE. Never throws: what goes wrong is told to the person where they wrote. */
export async function converse(payload: unknown, context: Context): Promise<void> {
  const said = parseMessageCreate(payload, context.botId)
  if (said === undefined) return
  try {
    const facts = await context.channels.get(said.channelId)
    await takeMessage(said, { ...facts, guildId: said.guildId }, context)
  } catch (error) {
    context.logger.error({ error: errorLine(error) }, 'a message could not be taken')
    if (said.isAddressed)
      await speak(said, 'Something went wrong and this was not taken. Try again in a minute.', context)
  }
}

async function takeMessage(said: SaidMessage, facts: ChannelFacts, context: Context): Promise<void> {
  const place = placeIn(facts)
  if (facts.kind === 'direct') return takeDirect(said, facts, context)
  if (place !== null) return takeInThread(said, facts, place, context)
  const answered = said.replyToUs === null ? 'no' : await takeReply(said, facts, said.replyToUs, context)
  if (answered === 'no' && said.isAddressed) await submit(said, facts, null, context)
}

/** A direct message is one long place: words of control go to its latest task, everything else is a new one. */
async function takeDirect(said: SaidMessage, facts: ChannelFacts, context: Context): Promise<void> {
  const place = placeFor({ kind: 'channel', channelId: facts.id }, facts)
  const isReply = said.replyToUs !== null || isControlWord(said.text)
  const outcome = isReply ? await reply(said, facts, place, context) : undefined
  if (outcome === undefined || outcome.kind === 'not_found') return submit(said, facts, place, context)
  await showOutcome(said, place, outcome, context)
}

async function takeInThread(said: SaidMessage, facts: ChannelFacts, place: Place, context: Context): Promise<void> {
  if (said.isBlank && !said.isAddressed) return explainBlank(said, facts, context)
  const outcome = await reply(said, facts, place, context)
  // Somebody calls us in a thread that is not a task's: the new task is told of right there.
  if (outcome.kind === 'not_found' && said.isAddressed) return submit(said, facts, place, context)
  await showOutcome(said, place, outcome, context)
}

/** A reply in a channel to a message of ours: where no threads may be started, that is the task's thread. */
async function takeReply(
  said: SaidMessage,
  facts: ChannelFacts,
  { messageId, rootId }: { messageId: string; rootId: string | null },
  context: Context,
): Promise<'yes' | 'no'> {
  const places = [
    placeFor({ kind: 'replies', channelId: facts.id, messageId: rootId ?? messageId }, facts),
    // The root of a thread has the thread's id.
    placeFor({ kind: 'channel', channelId: messageId }, facts),
  ]
  for (const place of places) {
    const outcome = await reply(said, facts, place, context)
    if (outcome.kind === 'not_found') continue
    await showOutcome(said, place, outcome, context)
    return 'yes'
  }
  return 'no'
}

function reply(said: SaidMessage, facts: ChannelFacts, place: Place, { inbox }: Context): Promise<ReplyOutcome> {
  return inbox.reply({
    actor: actorOf(said.who, facts),
    place,
    text: said.text,
    attachments: said.attachments,
    dedupeKey: `discord:${said.id}`,
    addressed: said.isAddressed || said.replyToUs !== null,
    at: SnowflakeUtil.timestampFrom(said.id),
  })
}

async function submit(said: SaidMessage, facts: ChannelFacts, here: Place | null, context: Context): Promise<void> {
  if (said.text === '' && said.attachments.length === 0) {
    await speakMarkdown(said, HELP, context)
    return
  }
  const words = parseThreadWords(said.text)
  if (said.attachments.length === 0 && words.kind === 'control') return explainWord(said, words.verb, context)
  const place = here ?? placeFor({ kind: 'message', channelId: facts.id, messageId: said.id }, facts)
  const outcome = await context.inbox.submit({
    actor: actorOf(said.who, facts),
    text: said.text === '' ? 'Look at the attached files and say what they are.' : said.text,
    place,
    attachments: said.attachments,
    dedupeKey: `discord:${said.id}`,
    model: null,
  })
  await showSubmitted(said, outcome, context)
}

async function showSubmitted(said: SaidMessage, outcome: SubmitOutcome, context: Context): Promise<void> {
  if (outcome.kind === 'duplicate') return
  if (outcome.kind === 'created') return react(said, SEEN, context)
  await speak(said, outcome.sentence, context)
}

async function showOutcome(said: SaidMessage, place: Place, outcome: ReplyOutcome, context: Context): Promise<void> {
  const isAddressed = said.isAddressed || said.replyToUs !== null
  switch (outcome.kind) {
    case 'ignored':
      return
    case 'queued':
      return react(said, NOTED, context)
    case 'done':
      return react(said, outcome.task.kind === 'refine' ? NOTED : DONE, context)
    case 'show':
      return show(said, place, outcome, context)
    case 'not_found':
      return isAddressed ? speak(said, outcome.sentence, context) : undefined
    case 'forbidden':
      // Somebody who only talks in the thread is not to be lectured.
      return isAddressed ? speak(said, outcome.sentence, context) : react(said, REFUSED, context)
    default:
      return speak(said, outcome.sentence, context)
  }
}

async function show(
  said: SaidMessage,
  place: Place,
  { what, task }: Extract<ReplyOutcome, { kind: 'show' }>,
  context: Context,
): Promise<void> {
  const { presenter } = context
  switch (what) {
    case 'help':
      return speakMarkdown(said, HELP, context)
    case 'log':
      return speak(said, await presenter.showLog(task.id, place), context)
    case 'files':
      return speak(said, await presenter.showFiles(task.id, place), context)
    case 'status': {
      const card = await presenter.card(task.id)
      return card === undefined ? undefined : postView(said, { ...card, controls: [] }, context)
    }
  }
}

/** Without the intent we see that somebody wrote, and not what. Said once for each thread of ours. */
async function explainBlank(said: SaidMessage, facts: ChannelFacts, context: Context): Promise<void> {
  if (context.readsContent() || facts.ownerId !== context.botId) return
  const key = `discord:blank:${facts.id}`
  if ((await context.notes.get(key)) !== undefined) return
  // Before it is said: the next message may be here before we hear that this one has arrived.
  await context.notes.set(key, 'said')
  await speakMarkdown(
    said,
    "I can't read replies here: mention me, use the buttons, or `/task retry`, `/task refine` and `/task cancel`.",
    context,
  )
}

function isControlWord(text: string): boolean {
  return parseThreadWords(text).kind === 'control'
}

/** Where there is no task that it could mean, it is still no request. */
function explainWord(said: SaidMessage, verb: Verb, context: Context): Promise<void> {
  if (verb === 'help') return speakMarkdown(said, HELP, context)
  return speak(said, 'There is no task here. Say that in the thread of the task that you mean, or use /task.', context)
}

function speak(said: SaidMessage, sentence: string, context: Context): Promise<void> {
  return sentence === '' ? Promise.resolve() : speakMarkdown(said, escapeWithin(sentence, 1900), context)
}

function speakMarkdown(said: SaidMessage, content: string, context: Context): Promise<void> {
  return send(said, { content, allowed_mentions: { parse: [] }, flags: MessageFlags.SuppressEmbeds }, context)
}

function postView(said: SaidMessage, view: MessageView, context: Context): Promise<void> {
  return send(said, renderMessage(view, null), context)
}

/** One answer at most to one message, also when it is delivered to us twice. */
async function send(said: SaidMessage, body: MessageBody, { api, logger }: Context): Promise<void> {
  try {
    await api.createMessage(
      said.channelId,
      {
        ...body,
        flags: (body.flags ?? 0) | MessageFlags.SuppressNotifications,
        message_reference: { message_id: said.id, fail_if_not_exists: false },
        nonce: nonceOf(`answer:${said.id}`),
        enforce_nonce: true,
      },
      { doing: 'post' },
    )
  } catch (error) {
    logger.warn({ error: errorLine(error) }, 'an answer could not be posted')
  }
}

async function react(said: SaidMessage, emoji: string, { api, logger }: Context): Promise<void> {
  try {
    await api.react(said.channelId, said.id, emoji)
  } catch (error) {
    // The reaction is a courtesy; the task is there.
    logger.debug({ error: errorLine(error) }, 'a reaction could not be set')
  }
}
