/** The sub-commands of /task, and "Run as task". Answers are private. */
import { assertNever, errorLine } from '../../src/core/errors.ts'
import type { Place, TaskSummary } from '../../src/core/task.ts'
import { oneLine, withEllipsis } from '../../src/core/text.ts'
import { iconOf } from '../../src/core/views/status-view.ts'
import type { ActOutcome, Attachment, SubmitOutcome } from '../../src/ports/inbox.ts'
import { messageAttachments } from './attachments.ts'
import type { Subcommand } from './commands.ts'
import { HELP, placeFor, placeIn } from './context.ts'
import { act, showFiles } from './controls.ts'
import { DISCORD_LIMITS, FIRST_ANSWER_BUDGET_MS } from './limits.ts'
import { escapeWithin, fence } from './markdown.ts'
import type { SlashOptions } from './parse.ts'
import { parseSpot } from './place.ts'
import { renderMessage } from './render.ts'
import type { Turn } from './turn.ts'

/** After the answer has been deferred. */
export async function slash(turn: Turn, sub: Subcommand, options: SlashOptions): Promise<void> {
  if (sub === 'run') return run(turn, options)
  if (sub === 'list') return list(turn)
  if (sub === 'help') return turn.answer.sayMarkdown(HELP)
  const taskId = options.id ?? (await taskHere(turn))
  if (taskId === undefined) {
    return turn.answer.say('Say which task: use the option "id". It can be left out only in the thread of a task.')
  }
  switch (sub) {
    case 'show':
      return show(turn, taskId)
    case 'logs':
      return logs(turn, taskId, options.lines ?? 20)
    case 'files':
      return showFiles(turn, taskId)
    case 'refine':
      return refine(turn, taskId, options)
    case 'cancel':
    case 'retry':
      return act(turn, { verb: sub, taskId, hash: null })
    case 'approve':
    case 'reject':
      return act(turn, { verb: sub, taskId, hash: null }, options.text === '' ? {} : { note: options.text })
    default:
      return assertNever(sub)
  }
}

/** The newest task of the thread that this was said in. */
async function taskHere({ facts, actor, context }: Turn): Promise<number | undefined> {
  const place = placeIn(facts)
  if (place === null) return undefined
  const found = await context.inbox.list(actor, { place, limit: 1 })
  return found.kind === 'page' ? found.tasks[0]?.id : undefined
}

async function run(turn: Turn, { text, model, attachments }: SlashOptions): Promise<void> {
  await submit(turn, { text, model, attachments })
}

/** The form of "Run as task": the files are those of the message, so it is read again. */
export async function runFromMessage(turn: Turn, want: { messageId: string; text: string }): Promise<void> {
  const { channelId } = turn.interaction
  const message = await turn.context.api.getMessage(channelId, want.messageId)
  const attachments = messageAttachments({ channelId, messageId: want.messageId }, message.attachments)
  await submit(turn, { text: want.text, model: null, attachments })
}

async function submit(
  turn: Turn,
  request: { text: string; model: string | null; attachments: readonly Attachment[] },
): Promise<void> {
  const { interaction, facts, actor, answer, context } = turn
  const spot = { kind: 'new', channelId: facts.id, userId: actor.userId, interactionId: interaction.id } as const
  const place = placeIn(facts) ?? placeFor(spot, facts)
  const dedupeKey = `discord:${interaction.id}`
  if (!place.thread) context.openAnswers.begin(interaction.id, answer)
  const outcome = await context.inbox.submit({ ...request, actor, place, dedupeKey })
  const words = submittedWords(outcome, place)
  await (place.thread ? answer.sayMarkdown(words) : context.openAnswers.say(interaction.id, words))
}

function submittedWords(outcome: SubmitOutcome, place: Place): string {
  if (outcome.kind !== 'created' && outcome.kind !== 'duplicate') return escapeWithin(outcome.sentence, 1900)
  const created = `Task #${outcome.task.id} created.`
  return place.thread ? `${created} Follow it below.` : `${created} Its thread opens in a moment.`
}

async function list({ actor, answer, context }: Turn): Promise<void> {
  const requester = { platform: actor.platform, userId: actor.userId }
  const found = await context.inbox.list(actor, { requester, limit: 10 })
  if (found.kind !== 'page') return answer.say(found.sentence)
  if (found.tasks.length === 0) return answer.sayMarkdown('You have no tasks yet. Start one with `/task run`.')
  await answer.sayMarkdown(found.tasks.map(listLine).join('\n'))
}

function listLine(task: TaskSummary): string {
  const where = task.place === null ? '' : linkTo(task.place)
  return `${iconOf(task.status)} **#${task.id}** ${escapeWithin(oneLine(task.description, 80), 120)}${where}`
}

function linkTo(place: Place): string {
  if (place.platform !== 'discord') return ''
  const spot = parseSpot(place.key)
  return spot.kind === 'channel' ? ` <#${spot.channelId}>` : ''
}

async function show({ actor, answer, context }: Turn, taskId: number): Promise<void> {
  const found = await context.inbox.get(actor, taskId)
  if (found.kind !== 'found') return answer.say(found.sentence)
  const card = await context.presenter.card(taskId)
  if (card === undefined) return answer.say(`There is no task #${taskId}.`)
  await answer.show(renderMessage(card, null).components)
}

async function logs({ actor, answer, context }: Turn, taskId: number, lines: number): Promise<void> {
  const found = await context.inbox.tail(actor, taskId, lines)
  if (found.kind !== 'tail') return answer.say(found.sentence)
  const shown = found.tail.lines.map((line) => line.text)
  if (shown.length === 0) return answer.say(`Task #${taskId} has printed nothing yet.`)
  await answer.sayMarkdown(`The end of the log of task #${taskId}:\n${fence(shown, DISCORD_LIMITS.content - 200)}`)
}

async function refine(
  { interaction, actor, answer, context }: Turn,
  taskId: number,
  options: SlashOptions,
): Promise<void> {
  const { text, attachments } = options
  const dedupeKey = `discord:${interaction.id}`
  const outcome: ActOutcome = await context.inbox.refine({ actor, taskId, text, attachments, dedupeKey })
  await answer.say(outcome.sentence)
}

/** The caller's latest tasks, by number or words. Empty when they cannot be had in time: a late answer is worth nothing. */
export async function suggest({ actor, answer, context }: Turn, typed: string): Promise<void> {
  const { inbox, clock, logger } = context
  const requester = { platform: actor.platform, userId: actor.userId }
  const asked = inbox.list(actor, { requester, limit: 50 }).catch((error: unknown) => {
    logger.warn({ error: errorLine(error) }, 'tasks could not be listed for autocomplete')
  })
  const found = await Promise.race([asked, passed(clock, FIRST_ANSWER_BUDGET_MS)])
  const tasks = found?.kind === 'page' ? found.tasks : []
  const wanted = typed.trim().toLowerCase().replace(/^#/, '')
  const matching = tasks.filter((task) => `${task.id} ${task.description}`.toLowerCase().includes(wanted))
  await answer.choices(
    matching.map(({ id, status, description }) => ({ name: choiceName(id, iconOf(status), description), value: id })),
  )
}

function choiceName(id: number, icon: string, description: string): string {
  return withEllipsis(`${icon} #${id} ${oneLine(description, DISCORD_LIMITS.choiceName)}`, DISCORD_LIMITS.choiceName)
}

function passed(clock: Turn['context']['clock'], ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    clock.after(ms, () => resolve(undefined))
  })
}
