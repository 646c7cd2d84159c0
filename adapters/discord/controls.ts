/** Buttons, the forms they open, and the menu of files. */
import { createHash } from 'node:crypto'
import { ComponentType } from 'discord.js'
import type { Control } from '../../src/core/controls.ts'
import { assertNever, errorLine } from '../../src/core/errors.ts'
import { formatBytes } from '../../src/core/format.ts'
import { currentRound, type Place } from '../../src/core/task.ts'
import { withEllipsis } from '../../src/core/text.ts'
import type { FileView } from '../../src/core/view.ts'
import type { ActDetails } from '../../src/ports/inbox.ts'
import type { ChannelFacts } from './channels.ts'
import { type Context, HELP, placeIn } from './context.ts'
import { commandsOf, editForm, rejectForm } from './forms.ts'
import { DISCORD_LIMITS, FIRST_ANSWER_BUDGET_MS } from './limits.ts'
import { parseSpot } from './place.ts'
import { showPrivately, type Wanted } from './private-files.ts'
import { renderMessage } from './render.ts'
import { deferred, type Turn } from './turn.ts'

/** A button. Forms open at once; what only shows answers privately; what acts shows its effect on the card. */
export async function press(turn: Turn, control: Control): Promise<void> {
  const { answer, context, actor } = turn
  const { verb, taskId } = control
  switch (verb) {
    case 'reject':
      await answer.form(rejectForm(control))
      return
    case 'edit':
      return openEditForm(turn, control)
    case 'log':
      return deferred(turn, () => showIt(turn, taskId, { kind: 'log' }))
    case 'files':
      return deferred(turn, () => showFiles(turn, taskId))
    case 'upload':
      return deferred(turn, () => ifMay(turn, taskId, () => context.presenter.retryUpload(taskId)))
    case 'help':
      return deferred(turn, () => answer.sayMarkdown(HELP))
    case 'status':
      return deferred(turn, async () => {
        const found = await context.inbox.get(actor, taskId)
        await answer.say(found.kind === 'found' ? `Task #${taskId} is ${found.task.status}.` : found.sentence)
      })
    default:
      if (await answer.deferQuietly()) await actQuietly(turn, control)
  }
}

/** Prefilled with the commands, so it has to look at the task first: in two seconds or not at all. */
async function openEditForm({ answer, actor, context }: Turn, control: Control): Promise<void> {
  const { inbox, clock, logger } = context
  const asked = inbox.get(actor, control.taskId).catch((error: unknown) => {
    logger.warn({ error: errorLine(error) }, 'a task could not be read for its form')
  })
  const late = new Promise<undefined>((resolve) => clock.after(FIRST_ANSWER_BUDGET_MS, () => resolve(undefined)))
  const found = await Promise.race([asked, late])
  if (found === undefined) return void (await answer.sayNow('That took too long. Press the button again.'))
  if (found.kind !== 'found') return void (await answer.sayNow(found.sentence))
  const form = editForm(control, currentRound(found.task)?.plan.commands ?? [])
  const tooLong = 'This plan does not fit into a form. Reject it and say what should be different.'
  await (form === undefined ? answer.sayNow(tooLong) : answer.form(form))
}

/** The form of reject or edit, filled in. */
export async function submitControlForm(
  turn: Turn,
  { control, fields }: { control: Control; fields: readonly string[] },
): Promise<void> {
  const details = control.verb === 'edit' ? { commands: commandsOf(fields) } : { note: (fields[0] ?? '').trim() }
  await act(turn, control, details)
}

/** Does it and answers with the sentence, privately. */
export async function act(turn: Turn, control: Control, details: ActDetails = {}): Promise<void> {
  const outcome = await perform(turn, control, details)
  await turn.answer.say(outcome.sentence)
}

/** Only a refusal is said; what was done shows on the card. */
async function actQuietly(turn: Turn, control: Control): Promise<void> {
  const outcome = await perform(turn, control, {})
  if (outcome.kind === 'done') return
  await turn.answer.say(outcome.sentence)
  if (outcome.kind === 'conflict') await refreshCard(turn, control)
}

function perform({ interaction, actor, facts, context }: Turn, control: Control, details: ActDetails) {
  const place = placeIn(facts)
  return context.inbox.act(actor, control, {
    ...details,
    ...(place === null ? {} : { place }),
    dedupeKey: `discord:${interaction.id}`,
  })
}

/** A button that says what is no longer so was on an old card. Decisions are on a message of their own, which the reporter keeps. */
async function refreshCard({ interaction, context }: Turn, { taskId, hash }: Control): Promise<void> {
  if (interaction.messageId === null || hash !== null) return
  const card = await context.presenter.card(taskId)
  if (card === undefined) return
  try {
    const message = await context.api.getMessage(interaction.channelId, interaction.messageId)
    const isCard = message.components?.[0]?.type === ComponentType.Container
    if (isCard) await context.api.editMessage(interaction.channelId, message.id, renderMessage(card, null))
  } catch (error) {
    // The next change of the task draws it anew.
    context.logger.debug({ error: errorLine(error) }, 'a card could not be refreshed')
  }
}

/** In the task's own thread for all to see; elsewhere for this person alone. */
async function showIt(turn: Turn, taskId: number, wanted: Wanted): Promise<void> {
  const { context, actor, answer, facts } = turn
  const found = await context.inbox.get(actor, taskId)
  if (found.kind !== 'found') return answer.say(found.sentence)
  const { place } = found.task
  if (place === null || !isHere(place, facts)) return showPrivately(turn, taskId, wanted)
  await answer.say(await present(context, taskId, wanted, place))
}

function isHere(place: Place, facts: ChannelFacts): boolean {
  return place.platform === 'discord' && place.thread && parseSpot(place.key).channelId === facts.id
}

function present({ presenter }: Context, taskId: number, wanted: Wanted, place: Place): Promise<string> {
  switch (wanted.kind) {
    case 'log':
      return presenter.showLog(taskId, place)
    case 'all':
      return presenter.showFiles(taskId, place)
    case 'file':
      return presenter.showFile(taskId, wanted.path, place)
    default:
      return assertNever(wanted)
  }
}

/** For what works on the delivery of a task whoever may see the task. */
async function ifMay(turn: Turn, taskId: number, act: () => Promise<string>): Promise<void> {
  const found = await turn.context.inbox.get(turn.actor, taskId)
  await turn.answer.say(found.kind === 'found' ? await act() : found.sentence)
}

/** After somebody has given the bot the right that it lacked. */
export function redeliver(turn: Turn, taskId: number): Promise<void> {
  return ifMay(turn, taskId, () => turn.context.presenter.redeliver(taskId))
}

const ALL_FILES = 'all'

/** A private menu of the task's files. */
export async function showFiles(turn: Turn, taskId: number): Promise<void> {
  const { answer, actor, context } = turn
  const found = await context.inbox.get(actor, taskId)
  if (found.kind !== 'found') return answer.say(found.sentence)
  const { files, total } = await context.presenter.files(taskId, DISCORD_LIMITS.selectOptions - 1)
  if (files.length === 0) return answer.say(`Task #${taskId} has made no files.`)
  const more = total > files.length ? ` The first ${files.length} of ${total} are in the menu.` : ''
  await answer.show([
    { type: ComponentType.TextDisplay, content: `Files of task #${taskId}: choose one.${more}` },
    {
      type: ComponentType.ActionRow,
      components: [
        {
          type: ComponentType.StringSelect,
          custom_id: `choose:${taskId}`,
          placeholder: 'Choose a file',
          options: [{ label: `All (${total})`, value: ALL_FILES }, ...files.map(fileOption)],
        },
      ],
    },
  ])
}

function fileOption({ path, sizeBytes }: FileView) {
  // The end of a long path says more than its beginning.
  const label = path.length <= DISCORD_LIMITS.selectLabel ? path : `…${path.slice(1 - DISCORD_LIMITS.selectLabel)}`
  return { label: label.toWellFormed(), value: choiceOf(path), description: withEllipsis(formatBytes(sizeBytes), 100) }
}

/** Paths can be longer than a value may be. */
function choiceOf(path: string): string {
  return createHash('sha256').update(path).digest('base64url')
}

export async function chooseFile(turn: Turn, { taskId, choice }: { taskId: number; choice: string }): Promise<void> {
  if (choice === ALL_FILES) return showIt(turn, taskId, { kind: 'all' })
  const found = await turn.context.inbox.get(turn.actor, taskId)
  if (found.kind !== 'found') return turn.answer.say(found.sentence)
  const { files } = await turn.context.presenter.files(taskId, DISCORD_LIMITS.selectOptions - 1)
  const file = files.find(({ path }) => choiceOf(path) === choice)
  if (file === undefined) return turn.answer.say('This file is no longer there.')
  await showIt(turn, taskId, { kind: 'file', path: file.path })
}
