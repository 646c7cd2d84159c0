/** Payload -> what a person wants. Pure: nothing is looked up, nothing is trusted that a person could have typed. */
import type { Control, Verb } from '../../src/core/controls.ts'
import { parseControl } from '../../src/core/controls.ts'
import type { Attachment } from '../../src/ports/inbox.ts'
import { commandAttachments, messageAttachments } from './attachments.ts'
import { MENU_COMMAND, SUBCOMMANDS, type Subcommand, TASK_COMMAND } from './commands.ts'
import {
  commandData,
  componentData,
  type InteractionPayload,
  interactionSchema,
  type MemberPayload,
  type MessagePayload,
  messageSchema,
  modalData,
  type UserPayload,
} from './payloads.ts'

export interface Who {
  user: UserPayload
  member: MemberPayload | undefined
  isWebhook: boolean
}

export interface SaidMessage {
  id: string
  channelId: string
  guildId: string | null
  who: Who
  /** Without our own mention. */
  text: string
  /** Our mention is in the text, or it is a direct message. */
  isAddressed: boolean
  /** A reply to a message of ours; `rootId`: what that one replied to. */
  replyToUs: { messageId: string; rootId: string | null } | null
  /** Nothing to read: no text, file, sticker or poll. Without the intent for message content every message is so. */
  isBlank: boolean
  attachments: readonly Attachment[]
}

/** Undefined for what is not a person's plain message, and for anything malformed. */
export function parseMessageCreate(payload: unknown, botId: string): SaidMessage | undefined {
  const parsed = messageSchema.safeParse(payload)
  if (!parsed.success) return undefined
  const message = parsed.data
  const isPlain = message.type === 0 || message.type === 19
  const isPerson = message.author.bot !== true && message.webhook_id === undefined && message.author.id !== botId
  if (!isPlain || !isPerson) return undefined
  const ids = { channelId: message.channel_id, messageId: message.id }
  const text = readableText(message, botId)
  return {
    id: message.id,
    channelId: message.channel_id,
    guildId: message.guild_id ?? null,
    who: { user: message.author, member: message.member, isWebhook: false },
    text,
    isAddressed: message.guild_id === undefined || mentionOf(botId).test(message.content),
    replyToUs: replyToUs(message, botId),
    isBlank: message.content === '' && message.attachments.length === 0 && !message.sticker_items && !message.poll,
    attachments: messageAttachments(ids, message.attachments),
  }
}

function mentionOf(userId: string): RegExp {
  return new RegExp(`<@!?${userId}>`, 'g')
}

/** Our mention is taken out; other people's become their names, so that a model can read them. */
function readableText({ content, mentions }: MessagePayload, botId: string): string {
  const named = mentions.reduce(
    (text, user) =>
      user.id === botId ? text : text.replace(mentionOf(user.id), () => `@${user.global_name ?? user.username}`),
    content.replace(mentionOf(botId), ''),
  )
  return named.trim()
}

function replyToUs({ referenced_message }: MessagePayload, botId: string): SaidMessage['replyToUs'] {
  if (referenced_message === null || referenced_message === undefined || referenced_message.author.id !== botId)
    return null
  return { messageId: referenced_message.id, rootId: referenced_message.message_reference?.message_id ?? null }
}

export interface Interaction {
  id: string
  token: string
  channelId: string
  channel: InteractionPayload['channel']
  guildId: string | null
  who: Who
  /** The message with the button or menu. */
  messageId: string | null
  want: Want
}

export type Want =
  | { kind: 'slash'; sub: Subcommand; options: SlashOptions }
  | { kind: 'autocomplete'; typed: string }
  | { kind: 'run_message'; messageId: string; text: string }
  | { kind: 'button'; control: Control }
  | { kind: 'choose_file'; taskId: number; choice: string }
  | { kind: 'redeliver'; taskId: number }
  | { kind: 'run_form'; messageId: string; text: string }
  | { kind: 'control_form'; control: Control; fields: readonly string[] }
  | { kind: 'unknown' }

export interface SlashOptions {
  id: number | null
  text: string
  model: string | null
  lines: number | null
  attachments: readonly Attachment[]
}

const COMMAND = 2
const COMPONENT = 3
const AUTOCOMPLETE = 4
const MODAL = 5

/** Undefined only when there is nothing that could be answered: no id, token, person or channel. */
export function parseInteraction(payload: unknown): Interaction | undefined {
  const parsed = interactionSchema.safeParse(payload)
  if (!parsed.success) return undefined
  const { id, token, type, data, channel_id, channel, guild_id, member, message } = parsed.data
  const user = member?.user ?? parsed.data.user
  const channelId = channel_id ?? channel?.id
  if (user === undefined || channelId === undefined) return undefined
  return {
    id,
    token,
    channelId,
    channel: channel === undefined ? undefined : { ...channel, guild_id: guild_id ?? channel.guild_id },
    guildId: guild_id ?? null,
    who: { user, member, isWebhook: false },
    messageId: message?.id ?? null,
    want: wantOf(type, data),
  }
}

function wantOf(type: number, data: unknown): Want {
  switch (type) {
    case COMMAND:
      return commandWant(data)
    case AUTOCOMPLETE:
      return autocompleteWant(data)
    case COMPONENT:
      return componentWant(data)
    case MODAL:
      return modalWant(data)
    default:
      return { kind: 'unknown' }
  }
}

function commandWant(data: unknown): Want {
  const parsed = commandData.safeParse(data)
  if (!parsed.success) return { kind: 'unknown' }
  const { name, target_id, options, resolved } = parsed.data
  if (name === MENU_COMMAND) {
    const message = target_id === undefined ? undefined : resolved?.messages?.[target_id]
    return message === undefined
      ? { kind: 'unknown' }
      : { kind: 'run_message', messageId: message.id, text: message.content }
  }
  const [sub] = options
  if (name !== TASK_COMMAND || sub === undefined || !isSubcommand(sub.name)) return { kind: 'unknown' }
  const value = (key: string) => sub.options?.find((option) => option.name === key)?.value
  const file = resolved?.attachments?.[String(value('file') ?? '')]
  return {
    kind: 'slash',
    sub: sub.name,
    options: {
      id: positive(value('id')),
      text: String(value('prompt') ?? value('text') ?? value('reason') ?? '').trim(),
      model: value('model') === undefined ? null : String(value('model')),
      lines: positive(value('lines')),
      attachments: file === undefined ? [] : commandAttachments([file]),
    },
  }
}

function autocompleteWant(data: unknown): Want {
  const parsed = commandData.safeParse(data)
  const focused = parsed.data?.options[0]?.options?.find((option) => option.focused === true)
  return focused?.name === 'id' ? { kind: 'autocomplete', typed: String(focused.value ?? '') } : { kind: 'unknown' }
}

/** A button of the private answer that says why a task could not be told of. */
const REDELIVER = /^redeliver:([1-9][0-9]{0,14})$/
const CHOOSE_FILE = /^choose:([1-9][0-9]{0,14})$/

function componentWant(data: unknown): Want {
  const parsed = componentData.safeParse(data)
  if (!parsed.success) return { kind: 'unknown' }
  const [choice] = parsed.data.values
  const chosen = CHOOSE_FILE.exec(parsed.data.custom_id)
  if (chosen !== null && choice !== undefined) return { kind: 'choose_file', taskId: Number(chosen[1]), choice }
  const again = REDELIVER.exec(parsed.data.custom_id)
  if (again !== null) return { kind: 'redeliver', taskId: Number(again[1]) }
  const control = parseControl(parsed.data.custom_id)
  return control === undefined ? { kind: 'unknown' } : { kind: 'button', control }
}

const RUN_FORM = /^run:(\d{1,20})$/
const FORM_VERBS: ReadonlySet<Verb> = new Set<Verb>(['reject', 'edit'])

function modalWant(data: unknown): Want {
  const parsed = modalData.safeParse(data)
  if (!parsed.success) return { kind: 'unknown' }
  const inputs = parsed.data.components.flatMap(({ component, components }) => [
    ...(component === undefined ? [] : [component]),
    ...(components ?? []),
  ])
  const fields = inputs.map((input) => input.value)
  const run = RUN_FORM.exec(parsed.data.custom_id)
  if (run !== null) return { kind: 'run_form', messageId: run[1] ?? '', text: (fields[0] ?? '').trim() }
  const control = parseControl(parsed.data.custom_id)
  return control !== undefined && FORM_VERBS.has(control.verb)
    ? { kind: 'control_form', control, fields }
    : { kind: 'unknown' }
}

function positive(value: unknown): number | null {
  const number = typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN
  return Number.isSafeInteger(number) && number > 0 ? number : null
}

function isSubcommand(name: string): name is Subcommand {
  return SUBCOMMANDS.some((sub) => sub === name)
}
