/** Forms that buttons and menus open. Pure. */
import { type APIModalInteractionResponseCallbackData, ComponentType, TextInputStyle } from 'discord.js'
import { type Control, encodeControl } from '../../src/core/controls.ts'
import { safeSlice, withEllipsis } from '../../src/core/text.ts'
import { DISCORD_LIMITS } from './limits.ts'

/** A form; the person's answers come as an interaction of their own. */
export interface Form {
  customId: string
  title: string
  fields: readonly Field[]
}

interface Field {
  label: string
  value: string
  isRequired: boolean
  placeholder: string
}

/** "Run as task": the words of a message, to be changed before they are a request. */
export function runForm(messageId: string, text: string): Form {
  const value = safeSlice(text, DISCORD_LIMITS.modalText)
  const field = { label: 'What to do', value, isRequired: true, placeholder: 'In plain words' }
  return { customId: `run:${messageId}`, title: 'Run as task', fields: [field] }
}

export function rejectForm(control: Control): Form {
  const field = { label: 'Why not? (optional)', value: '', isRequired: false, placeholder: 'The model is told' }
  return { customId: encodeControl(control), title: `Reject the plan of task #${control.taskId}`, fields: [field] }
}

/**
 * The commands of a plan: one to a line, or when one of them has several lines, one to a field.
 * Undefined when they do not fit into a form.
 */
export function editForm(control: Control, commands: readonly string[]): Form | undefined {
  const isPlain = commands.every((command) => !/[\r\n]/.test(command))
  // One more than there are where there is room: for a command to add, and because a single field is read as lines.
  const values = isPlain
    ? [commands.join('\n')]
    : [...commands, ...(commands.length < DISCORD_LIMITS.modalFields ? [''] : [])]
  const fits = values.every((value) => value.length <= DISCORD_LIMITS.modalText)
  if (!fits || values.length > DISCORD_LIMITS.modalFields) return undefined
  const fields = values.map((value, at) => ({
    label: isPlain ? 'Commands, one to a line' : at < commands.length ? `Command ${at + 1}` : 'One more command',
    value,
    isRequired: isPlain,
    placeholder: '',
  }))
  return { customId: encodeControl(control), title: `Edit the plan of task #${control.taskId}`, fields }
}

/** The commands in an answered edit form: a single field holds one to a line, several hold one each. */
export function commandsOf(fields: readonly string[]): string[] {
  const commands = fields.length === 1 ? (fields[0] ?? '').split(/\r?\n/) : [...fields]
  return commands.map((command) => command.trimEnd()).filter((command) => command.trim() !== '')
}

export function modalOf({ customId, title, fields }: Form): APIModalInteractionResponseCallbackData {
  return {
    custom_id: customId,
    title: withEllipsis(title, DISCORD_LIMITS.modalTitle),
    components: fields.map(({ label, value, isRequired, placeholder }, at) => ({
      type: ComponentType.Label,
      label: withEllipsis(label, DISCORD_LIMITS.modalLabel),
      component: {
        type: ComponentType.TextInput,
        custom_id: `field${at}`,
        style: TextInputStyle.Paragraph,
        required: isRequired,
        max_length: DISCORD_LIMITS.modalText,
        ...(value === '' ? {} : { value }),
        ...(placeholder === '' ? {} : { placeholder }),
      },
    })),
  }
}
