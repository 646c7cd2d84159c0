/** Buttons, the forms they open, and the menu of files. */
import { createHash } from 'node:crypto'
import { ComponentType } from 'discord.js'
import type { Control } from '../../src/core/controls.ts'
import { errorLine } from '../../src/core/errors.ts'
import { formatBytes } from '../../src/core/format.ts'
import { currentRound, type Place } from '../../src/core/task.ts'
import { withEllipsis } from '../../src/core/text.ts'
import type { FileView } from '../../src/core/view.ts'
import type { ActDetails } from '../../src/ports/inbox.ts'
import { HELP, placeFor, placeIn } from './context.ts'
import { commandsOf, editForm, rejectForm } from './forms.ts'
import { DISCORD_LIMITS, FIRST_ANSWER_BUDGET_MS } from './limits.ts'
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
      return deferred(turn, () => ifMay(turn, taskId, (place) => context.presenter.showLog(taskId, place)))
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

/** Where things are uploaded to: the thread or direct message, or below the message that has the button. */
function placeHere({ facts, interaction }: Turn): Place {
  const { messageId } = interaction
  const spot =
    messageId === null
      ? ({ kind: 'channel', channelId: facts.id } as const)
      : ({ kind: 'replies', channelId: facts.id, messageId } as const)
  return placeIn(facts) ?? placeFor(spot, facts)
}

async function ifMay(turn: Turn, taskId: number, showIt: (place: Place) => Promise<string>): Promise<void> {
  const found = await turn.context.inbox.get(turn.actor, taskId)
  if (found.kind !== 'found') return turn.answer.say(found.sentence)
  await turn.answer.say((await showIt(placeHere(turn))) || 'Done.')
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
    { type: ComponentType.TextDisplay, content: `Files of task #${taskId}: choose what to post here.${more}` },
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
  const { presenter } = turn.context
  await ifMay(turn, taskId, async (place) => {
    if (choice === ALL_FILES) return presenter.showFiles(taskId, place)
    const { files } = await presenter.files(taskId, DISCORD_LIMITS.selectOptions - 1)
    const file = files.find(({ path }) => choiceOf(path) === choice)
    return file === undefined ? 'This file is no longer there.' : presenter.showFile(taskId, file.path, place)
  })
}
