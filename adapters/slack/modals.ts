/** The three forms: edit a plan, reject it, run a message as a task. Pure: forms out, answers in. */
import type { types } from '@slack/bolt'
import { z } from 'zod'
import { formatCount } from '../../src/core/format.ts'
import { safeSlice, withEllipsis } from '../../src/core/text.ts'
import { escapeText, escapeWithin, section } from './blocks.ts'
import { LIMITS } from './limits.ts'
import type { ShortcutIntent } from './parse.ts'

type Modal = types.ModalView

/** Where the button was, so that the answer finds its way back. */
const origin = z.object({ channelId: z.string().max(40), threadTs: z.string().max(40).nullable() })
export type Origin = z.infer<typeof origin>

const decision = origin.extend({ taskId: z.number().int().positive(), hash: z.string().max(64).nullable() })
export type Decision = z.infer<typeof decision>

const run = origin.extend({ fileIds: z.array(z.string().max(40)).max(60) })
export type RunOrigin = z.infer<typeof run>

export const EDIT_FORM = 'edit-plan'
export const REJECT_FORM = 'reject-plan'
export const RUN_FORM = 'run-as-task'
export const SHORTCUT = 'run_as_task'
export const TEXT_FIELD = 'text'

const MAX_FIELDS = 40

/**
 * One field for each command, so that commands of several lines stay what they are; an emptied field drops its command, and the last
 * field adds one. Commands that a field cannot hold whole are shown only, and stay as they are.
 */
export function editForm(plan: Decision, commands: readonly string[]): Modal {
  const fields = commands.slice(0, MAX_FIELDS).map((command, index) => {
    return isEditable(command) ? commandField(index, command) : fixedCommand(index, command)
  })
  const rest = commands.length - fields.length
  const note = rest > 0 ? [section(`… and ${rest} more commands, which stay as they are.`)] : []
  return {
    type: 'modal',
    callback_id: EDIT_FORM,
    private_metadata: JSON.stringify(plan),
    title: title(`Plan of task #${plan.taskId}`),
    submit: title('Save plan'),
    close: title('Not now'),
    blocks: [
      section('What you save is checked again, and then waits for approval. An emptied field removes its command.'),
      ...fields,
      ...note,
      { ...commandField(commands.length, ''), label: { type: 'plain_text', text: 'One more command' } },
    ],
  }
}

function commandField(index: number, command: string): types.InputBlock {
  return {
    type: 'input',
    block_id: fieldOf(index),
    optional: true,
    label: { type: 'plain_text', text: `Command ${index + 1}` },
    element: {
      type: 'plain_text_input',
      action_id: 'value',
      multiline: true,
      ...(command === '' ? {} : { initial_value: command }),
    },
  }
}

function fixedCommand(index: number, command: string): types.SectionBlock {
  const shown = escapeWithin(withEllipsis(command, 300), 2000)
  const text = `*Command ${index + 1}* is too long for a form (${command.length} characters) and stays as it is:\n${shown}`
  return { type: 'section', text: { type: 'mrkdwn', text, verbatim: true } }
}

function isEditable(command: string): boolean {
  return command.length <= LIMITS.inputText
}

function fieldOf(index: number): string {
  return `command-${index}`
}

/** The commands as they are to be after the form. `before`: what the form was made of, in full. */
export function editedCommands(before: readonly string[], values: Readonly<Record<string, string>>): string[] {
  const kept = before.map((command, index) => {
    const value = values[fieldOf(index)]
    // A field that was not touched gives the command byte for byte: Slack may trim, or change line ends.
    return value === undefined || isSameText(value, command) ? command : value
  })
  const added = values[fieldOf(before.length)] ?? ''
  return [...kept, added].filter((command) => command.trim() !== '')
}

function isSameText(a: string, b: string): boolean {
  const normal = (text: string) => text.replaceAll('\r\n', '\n').trim()
  return normal(a) === normal(b)
}

export function rejectForm(plan: Decision): Modal {
  return {
    type: 'modal',
    callback_id: REJECT_FORM,
    private_metadata: JSON.stringify(plan),
    title: title(`Reject task #${plan.taskId}`),
    submit: title('Reject'),
    close: title('Not now'),
    blocks: [textField('Why? (the model reads it)', '', true)],
  }
}

export function runForm(intent: ShortcutIntent): Modal {
  const metadata: RunOrigin = {
    channelId: intent.channelId,
    threadTs: intent.threadTs ?? intent.ts,
    fileIds: [...intent.fileIds].slice(0, 60),
  }
  const isCut = intent.text.length > LIMITS.inputText
  const notes = [
    ...(isCut ? ['The message is longer than a form can hold; this is its beginning.'] : []),
    ...(intent.fileIds.length === 0 ? [] : [`Comes along: ${formatCount(intent.fileIds.length, 'file')}.`]),
  ]
  return {
    type: 'modal',
    callback_id: RUN_FORM,
    private_metadata: JSON.stringify(metadata),
    title: title('Run as task'),
    submit: title('Run'),
    close: title('Not now'),
    blocks: [
      textField('What do you want done?', safeSlice(intent.text, LIMITS.inputText), false),
      ...notes.map((note) => section(escapeText(note))),
    ],
  }
}

function textField(label: string, initial: string, optional: boolean): types.InputBlock {
  return {
    type: 'input',
    block_id: TEXT_FIELD,
    optional,
    label: { type: 'plain_text', text: label },
    element: {
      type: 'plain_text_input',
      action_id: 'value',
      multiline: true,
      ...(initial.trim() === '' ? {} : { initial_value: initial }),
    },
  }
}

export function parseDecision(privateMetadata: string): Decision | undefined {
  return parseWith(decision, privateMetadata)
}

export function parseRun(privateMetadata: string): RunOrigin | undefined {
  return parseWith(run, privateMetadata)
}

function parseWith<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    // Not JSON, so not a form of ours.
    return undefined
  }
}

function title(text: string): { type: 'plain_text'; text: string } {
  return { type: 'plain_text', text: withEllipsis(text, LIMITS.modalTitle) }
}
