/** Slack's payloads to intents. Pure; anything that is not exactly what we expect is undefined, never an exception. */
import { z } from 'zod'
import type { Attachment } from '../../src/ports/inbox.ts'
import { formatFileRef } from './files.ts'
import { plainText } from './words.ts'

const MAX_FILES = 50

/** Who we are in Slack. */
export interface Self {
  teamId: string
  botUserId: string
  botId: string
  botName: string
  /** "https://acme.slack.com/" */
  url: string
}

export interface MessageIntent {
  channelId: string
  isDirect: boolean
  userId: string
  /** Of the person; null when the payload does not say. */
  teamId: string | null
  ts: string
  threadTs: string | null
  text: string
  /** The assistant was mentioned. */
  mentioned: boolean
  attachments: readonly Attachment[]
}

const slackId = z.string().regex(/^[A-Z][A-Z0-9]{1,30}$/)
const timestamp = z.string().regex(/^[0-9]{1,12}\.[0-9]{1,10}$/)

const file = z.object({
  id: slackId,
  name: z.string().nullish(),
  title: z.string().nullish(),
  mimetype: z.string().nullish(),
  size: z.number().nullish(),
  mode: z.string().nullish(),
  url_private: z.string().nullish(),
  url_private_download: z.string().nullish(),
})
const files = z
  .array(file.catch({ id: '' }))
  .max(1000)
  .catch([])

const messageEvent = z.object({
  team_id: z.string().optional(),
  event: z.object({
    type: z.enum(['message', 'app_mention']),
    subtype: z.enum(['file_share', 'thread_broadcast']).optional(),
    channel: slackId,
    channel_type: z.string().optional(),
    user: slackId,
    bot_id: z.null().optional(),
    app_id: z.string().nullish(),
    team: z.string().nullish(),
    user_team: z.string().nullish(),
    text: z.string().max(100_000).catch(''),
    ts: timestamp,
    thread_ts: timestamp.optional(),
    edited: z.undefined().optional(),
    hidden: z.undefined().optional(),
    files: files.optional(),
  }),
})

/** A person's message; undefined for bots, edits, deletions, joins and whatever else is none. */
export function parseMessage(body: unknown, self: Self): MessageIntent | undefined {
  const parsed = messageEvent.safeParse(body)
  if (!parsed.success) return undefined
  const { event } = parsed.data
  if (event.user === self.botUserId) return undefined
  return {
    channelId: event.channel,
    isDirect: event.channel_type === 'im' || event.channel.startsWith('D'),
    userId: event.user,
    teamId: event.user_team ?? event.team ?? null,
    ts: event.ts,
    threadTs: event.thread_ts === undefined || event.thread_ts === event.ts ? null : event.thread_ts,
    text: plainText(event.text, self.botUserId),
    mentioned: event.type === 'app_mention' || event.text.includes(`<@${self.botUserId}>`),
    attachments: attachmentsOf(event.files ?? []),
  }
}

type SlackFile = z.infer<typeof file>

export function attachmentsOf(list: readonly SlackFile[]): Attachment[] {
  return list
    .filter((each) => each.id !== '' && each.mode !== 'tombstone' && each.mode !== 'hidden_by_limit')
    .slice(0, MAX_FILES)
    .map((each) => ({
      name: each.name ?? each.title ?? each.id,
      sizeBytes: each.size ?? null,
      mimeType: each.mimetype ?? null,
      source: {
        kind: 'chat',
        platform: 'slack',
        ref: formatFileRef(each.id, each.url_private_download ?? each.url_private ?? undefined),
      },
    }))
}

export interface CommandIntent {
  channelId: string
  userId: string
  teamId: string | null
  text: string
  responseUrl: string
  /** One for each use of the command. */
  triggerId: string
}

const command = z.object({
  team_id: z.string().nullish(),
  channel_id: slackId,
  user_id: slackId,
  text: z.string().max(100_000).catch(''),
  response_url: z.url(),
  trigger_id: z.string().min(1).max(500),
})

export function parseCommand(body: unknown, self: Self): CommandIntent | undefined {
  const parsed = command.safeParse(body)
  if (!parsed.success) return undefined
  const { data } = parsed
  return {
    channelId: data.channel_id,
    userId: data.user_id,
    teamId: data.team_id ?? null,
    text: plainText(data.text, self.botUserId),
    responseUrl: data.response_url,
    triggerId: data.trigger_id,
  }
}

export interface ActionIntent {
  actionId: string
  /** The picked option of a menu. */
  option: string | null
  userId: string
  teamId: string | null
  /** '' on App Home. */
  channelId: string
  messageTs: string | null
  threadTs: string | null
  isEphemeral: boolean
  blocks: readonly Record<string, unknown>[]
  responseUrl: string | null
  triggerId: string
  /** The same in a redelivery. */
  actionTs: string
}

const person = z.object({ id: slackId, team_id: z.string().nullish() })
const action = z.object({
  user: person,
  trigger_id: z.string().min(1).max(500),
  response_url: z.url().nullish(),
  channel: z.object({ id: slackId }).nullish(),
  container: z
    .object({ thread_ts: timestamp.nullish(), message_ts: timestamp.nullish(), is_ephemeral: z.boolean().nullish() })
    .nullish(),
  message: z.object({ blocks: z.array(z.record(z.string(), z.unknown())).optional() }).nullish(),
  actions: z
    .array(
      z.object({
        action_id: z.string().min(1).max(255),
        action_ts: z.string().max(100).catch(''),
        selected_option: z.object({ value: z.string().max(200) }).nullish(),
      }),
    )
    .min(1),
})

export function parseAction(body: unknown): ActionIntent | undefined {
  const parsed = action.safeParse(body)
  const pressed = parsed.data?.actions[0]
  if (!parsed.success || pressed === undefined) return undefined
  const { data } = parsed
  return {
    actionId: pressed.action_id,
    option: pressed.selected_option?.value ?? null,
    userId: data.user.id,
    teamId: data.user.team_id ?? null,
    channelId: data.channel?.id ?? '',
    messageTs: data.container?.message_ts ?? null,
    threadTs: data.container?.thread_ts ?? null,
    isEphemeral: data.container?.is_ephemeral === true,
    blocks: data.message?.blocks ?? [],
    responseUrl: data.response_url ?? null,
    triggerId: data.trigger_id,
    actionTs: pressed.action_ts,
  }
}

export interface ShortcutIntent {
  userId: string
  teamId: string | null
  channelId: string
  ts: string
  threadTs: string | null
  text: string
  fileIds: readonly string[]
  triggerId: string
}

const shortcut = z.object({
  user: person,
  trigger_id: z.string().min(1).max(500),
  channel: z.object({ id: slackId }),
  message: z.object({
    ts: timestamp,
    thread_ts: timestamp.nullish(),
    text: z.string().max(100_000).catch(''),
    files: files.optional(),
  }),
})

/** "Run as task" in a message's menu. */
export function parseShortcut(body: unknown, self: Self): ShortcutIntent | undefined {
  const parsed = shortcut.safeParse(body)
  if (!parsed.success) return undefined
  const { user, trigger_id: triggerId, channel, message } = parsed.data
  return {
    userId: user.id,
    teamId: user.team_id ?? null,
    channelId: channel.id,
    ts: message.ts,
    threadTs: message.thread_ts ?? null,
    text: plainText(message.text, self.botUserId),
    fileIds: attachmentsOf(message.files ?? []).map((each) =>
      each.source.kind === 'chat' ? (each.source.ref.split(' ')[0] ?? '') : '',
    ),
    triggerId,
  }
}

export interface SubmissionIntent {
  callbackId: string
  viewId: string
  userId: string
  teamId: string | null
  privateMetadata: string
  /** What was typed, by block id; '' for an empty field. */
  values: Readonly<Record<string, string>>
}

const submission = z.object({
  user: person,
  view: z.object({
    id: z.string().min(1).max(100),
    callback_id: z.string().max(255),
    private_metadata: z.string().max(3000).catch(''),
    state: z.object({
      values: z.record(z.string(), z.record(z.string(), z.object({ value: z.string().max(20_000).nullish() }))),
    }),
  }),
})

export function parseSubmission(body: unknown): SubmissionIntent | undefined {
  const parsed = submission.safeParse(body)
  if (!parsed.success) return undefined
  const { user, view } = parsed.data
  const values = Object.entries(view.state.values).map(([block, fields]) => [
    block,
    Object.values(fields)[0]?.value ?? '',
  ])
  return {
    callbackId: view.callback_id,
    viewId: view.id,
    userId: user.id,
    teamId: user.team_id ?? null,
    privateMetadata: view.private_metadata,
    values: Object.fromEntries(values),
  }
}

const homeOpened = z.object({ event: z.object({ user: slackId, tab: z.literal('home') }) })

export function parseHomeOpened(body: unknown): { userId: string } | undefined {
  const parsed = homeOpened.safeParse(body)
  return parsed.success ? { userId: parsed.data.event.user } : undefined
}
