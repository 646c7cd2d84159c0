/** Mentions, direct messages and replies in threads. Slack's event is acknowledged when this is done. */
import type { Actor } from '../../src/core/actor.ts'
import { parseThreadWords } from '../../src/core/controls.ts'
import type { Place } from '../../src/core/task.ts'
import type { ReplyOutcome } from '../../src/ports/inbox.ts'
import { controlRow } from './blocks.ts'
import { attend, type Desk, sentence, tell, type Whereto } from './desk.ts'
import { runAsk } from './on-command.ts'
import type { MessageIntent } from './parse.ts'
import { messageKey, toPlace } from './place.ts'
import type { Receipt } from './receipt.ts'
import type { Recent } from './recent.ts'
import type { SlackMessage } from './render.ts'
import { show } from './show.ts'
import { parseAsk } from './words.ts'

export interface Messages {
  done: Recent
  /** False: it could not be done. Never rejects. */
  underway: Map<string, Promise<boolean>>
}

interface Arrived {
  intent: MessageIntent
  receipt: Receipt
}

export async function onMessage(desk: Desk, messages: Messages, { intent, receipt }: Arrived): Promise<void> {
  const isAddressed = intent.mentioned || intent.isDirect
  if (!isAddressed && intent.threadTs === null) return
  // A mention arrives as `app_mention` and as `message`; both have the message's identity, and the first one does.
  const key = messageKey(desk.self.teamId, intent.channelId, intent.ts)
  const first = messages.underway.get(key)
  if (first !== undefined) return sameEnd(desk, first, receipt)
  if (!messages.done.claim(key)) return
  const to = { userId: intent.userId, channelId: intent.channelId, threadTs: intent.threadTs, responseUrl: null }
  const end = Promise.withResolvers<boolean>()
  messages.underway.set(key, end.promise)
  const stored = async (): Promise<void> => {
    end.resolve(true)
    await receipt.acknowledge()
  }
  await attend(desk, { what: 'message', to: isAddressed ? to : undefined, receipt }, async () => {
    try {
      await take(desk, intent, { key, to, isAddressed, stored })
      end.resolve(true)
    } catch (error) {
      messages.done.release(key)
      throw error
    } finally {
      end.resolve(false)
      messages.underway.delete(key)
    }
  })
}

/** The other event of a message: acknowledged, or left to come again, with the first. */
async function sameEnd(desk: Desk, first: Promise<boolean>, receipt: Receipt): Promise<void> {
  await attend(desk, { what: 'message', to: undefined, receipt }, async () => {
    if (!(await first)) receipt.giveBack()
  })
}

interface Taking {
  key: string
  to: Whereto
  isAddressed: boolean
  /** What comes after it is courtesy. */
  stored(): Promise<void>
}

async function take(desk: Desk, intent: MessageIntent, taking: Taking): Promise<void> {
  const actor = await desk.people.actor(intent)
  if (actor.isBot) return
  if (intent.threadTs !== null) {
    const place = threadPlace(desk, intent, intent.threadTs)
    const outcome = await desk.inbox.reply({
      actor,
      place,
      text: intent.text,
      attachments: intent.attachments,
      dedupeKey: taking.key,
      addressed: taking.isAddressed,
      at: Math.floor(Number(intent.ts) * 1000),
    })
    const isUnknownThread = outcome.kind === 'not_found'
    if (!isUnknownThread) {
      await taking.stored()
      return answerReply(desk, intent, { actor, place, outcome, to: taking.to })
    }
    if (!taking.isAddressed) return
  }
  await startTask(desk, intent, actor, taking)
}

/** The thread of the task is that of the person's message. */
async function startTask(desk: Desk, intent: MessageIntent, actor: Actor, { key, to, stored }: Taking): Promise<void> {
  const ask = parseAsk(intent.text)
  if (ask.kind !== 'submit' && intent.attachments.length === 0) {
    return tell(desk, to, await runAsk(desk, ask, { actor, place: null, dedupeKey: key }))
  }
  const text = ask.kind === 'submit' ? ask.text : intent.text
  const place = threadPlace(desk, intent, intent.threadTs ?? intent.ts)
  const { attachments } = intent
  const outcome = await desk.inbox.submit({ actor, text, place, attachments, dedupeKey: key, model: null })
  // Before anything is waited for: the reporter may begin the thread at any moment.
  if (outcome.kind === 'created') desk.memory.created(outcome.task.id)
  await stored()
  if ('sentence' in outcome) await tell(desk, to, sentence(outcome.sentence))
}

function threadPlace(desk: Desk, { channelId }: MessageIntent, threadTs: string): Place {
  return toPlace({ teamId: desk.self.teamId, channelId, threadTs, fallbackUserId: null })
}

interface Answering {
  actor: Actor
  place: Place
  outcome: ReplyOutcome
  to: Whereto
}

/** A reaction says that it was taken; everything else is said privately. */
async function answerReply(desk: Desk, intent: MessageIntent, { actor, place, outcome, to }: Answering): Promise<void> {
  switch (outcome.kind) {
    case 'ignored':
      return
    case 'done': {
      const isRefinement = parseThreadWords(intent.text).kind === 'refinement'
      return react(desk, intent, isRefinement || intent.attachments.length > 0 ? 'memo' : 'ok_hand')
    }
    case 'queued': {
      await react(desk, intent, 'memo')
      const apply = { verb: 'apply', taskId: outcome.task.id, hash: null } as const
      const row = controlRow([{ control: apply, label: 'Apply now (cancels)', style: 'plain', confirm: null }])
      return tell(desk, to, sentence(outcome.sentence, ...row))
    }
    case 'show':
      return tell(desk, to, await show(desk, outcome.what, { actor, taskId: outcome.task.id, place }))
    default:
      return tell(desk, to, refusalMessage(outcome.sentence))
  }
}

function refusalMessage(text: string): SlackMessage {
  return sentence(text)
}

/** Never throws: the reaction is a courtesy. */
async function react(desk: Desk, { channelId, ts }: MessageIntent, name: string): Promise<void> {
  await desk.wire.call('reactions.add', { channel: channelId, timestamp: ts, name }).catch(() => undefined)
}
