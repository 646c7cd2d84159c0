/** What the stand-in for Discord knows. Shapes are those of REST v10, as far as our client reads them. */
import { randomBytes } from 'node:crypto'

export type Json = Record<string, unknown>

export interface FakeUser {
  id: string
  username: string
  global_name: string | null
  bot?: boolean
  discriminator: string
  avatar: null
}

export interface FakeChannel {
  id: string
  /** 0 text, 1 direct message, 5 announcements, 11 public thread, 12 private thread, 15 forum. */
  type: number
  guild_id?: string
  name: string
  parent_id?: string | null
  owner_id?: string
  applied_tags?: string[]
  thread_metadata?: { archived: boolean; locked: boolean; auto_archive_duration: number; archive_timestamp: string }
  recipients?: FakeUser[]
}

export interface FakeAttachment {
  id: string
  filename: string
  size: number
  url: string
  proxy_url: string
  content_type?: string
  description?: string
  /** Of the stand-in, not sent. */
  bytes: Buffer
}

export interface FakeMessage {
  id: string
  channel_id: string
  guild_id?: string
  author: FakeUser
  content: string
  timestamp: string
  edited_timestamp: string | null
  flags: number
  type: number
  tts: boolean
  pinned: boolean
  mention_everyone: boolean
  mentions: FakeUser[]
  mention_roles: string[]
  attachments: FakeAttachment[]
  embeds: Json[]
  components: Json[]
  webhook_id?: string
  message_reference?: { channel_id: string; message_id: string; guild_id?: string }
  nonce?: string
  /** Of the stand-in: whom it pinged, whether it notified, what it was before each edit, and who reacted. */
  pinged: string[]
  silent: boolean
  frames: Json[][]
  createdAt: number
  reactions: Map<string, Set<string>>
}

export interface FakeInteraction {
  id: string
  token: string
  createdAt: number
  channelId: string
  ephemeral: boolean
  /** The first answer: its type and data; null until it came. */
  callback: { type: number; data: Json } | null
  /** What the person sees in answer: the original response and follow-ups, in order. */
  replies: FakeMessage[]
  payload: Json
}

export interface ApiFault extends Error {
  status: number
  code: number
  errors?: Json
}

/** An answer of Discord's that says no. */
export function apiFault(status: number, code: number, message: string, errors?: Json): ApiFault {
  return Object.assign(new Error(message), { status, code, ...(errors === undefined ? {} : { errors }) })
}

export interface State {
  now(): number
  readonly app: { id: string; flags: number; name: string }
  readonly bot: FakeUser
  readonly guilds: Map<string, { id: string; name: string }>
  readonly users: Map<string, FakeUser>
  readonly channels: Map<string, FakeChannel>
  readonly messages: Map<string, FakeMessage>
  readonly threadMembers: Map<string, Set<string>>
  readonly interactions: Map<string, FakeInteraction>
  /** Commands by scope: 'global' or the guild's id. */
  readonly commands: Map<string, Json[]>
  /** Permissions taken away, by channel: names as in the documentation. */
  readonly denied: Map<string, Set<string>>
  /** Ephemeral files of slash commands and signed addresses. */
  readonly files: Map<string, FakeAttachment>
  /** After this many edits of messages older than an hour, 30046. */
  oldEditsAllowed: number
  /** Bytes that one file may have here. */
  maxFileBytes: number
  baseUrl: string
  newId(): string
  emit(event: string, data: unknown): void
}

/** Ids grow, as Discord's do, so that `after` and newest-first lists work. */
export function createState(now: () => number, emit: (event: string, data: unknown) => void): State {
  let serial = 0
  const newId = () => String((BigInt(Math.max(0, now() - 1_420_070_400_000)) << 22n) + BigInt(++serial))
  const app = { id: newId(), flags: (1 << 18) | (1 << 14), name: 'Assistant' }
  const bot: FakeUser = {
    id: app.id,
    username: 'assistant',
    global_name: null,
    bot: true,
    discriminator: '0001',
    avatar: null,
  }
  return {
    now,
    app,
    bot,
    guilds: new Map(),
    users: new Map([[bot.id, bot]]),
    channels: new Map(),
    messages: new Map(),
    threadMembers: new Map(),
    interactions: new Map(),
    commands: new Map(),
    denied: new Map(),
    files: new Map(),
    oldEditsAllowed: 3,
    maxFileBytes: 10 * 1024 * 1024,
    baseUrl: '',
    newId,
    emit,
  }
}

export function newToken(): string {
  return randomBytes(24).toString('base64url')
}

/** Signed until an hour from now; the signature is the expiry itself, which is enough for a stand-in. */
export function signedUrl(state: State, attachment: { id: string; filename: string }): string {
  const expires = Math.floor((state.now() + 3_600_000) / 1000).toString(16)
  return `${state.baseUrl}/cdn/attachments/${attachment.id}/${encodeURIComponent(attachment.filename)}?ex=${expires}`
}

/** A message as the API sends it; addresses of attachments are signed afresh, as Discord does when a message is fetched. */
export function messageBody(state: State, message: FakeMessage, withReference = true): Json {
  const { pinged, silent, frames, createdAt, reactions, nonce, attachments, ...rest } = message
  const body: Json = { ...rest, attachments: attachments.map((attachment) => attachmentBody(state, attachment)) }
  const reference = message.message_reference
  if (reference !== undefined && withReference) {
    const target = state.messages.get(reference.message_id)
    body.referenced_message = target === undefined ? null : messageBody(state, target, false)
  }
  const thread = state.channels.get(message.id)
  if (thread !== undefined) body.thread = channelBody(thread)
  return body
}

export function attachmentBody(state: State, attachment: FakeAttachment): Json {
  const { bytes, ...rest } = attachment
  const url = signedUrl(state, attachment)
  return { ...rest, url, proxy_url: url }
}

export function channelBody(channel: FakeChannel): Json {
  return { ...channel, permission_overwrites: [], position: 0, nsfw: false, flags: 0 }
}

export function need(state: State, channel: FakeChannel, permission: string): void {
  const places = [channel.id, ...(channel.parent_id ? [channel.parent_id] : [])]
  const isDenied = (name: string) => places.some((place) => state.denied.get(place)?.has(name) === true)
  if (isDenied('VIEW_CHANNEL')) throw apiFault(403, 50001, 'Missing Access')
  if (isDenied(permission)) throw apiFault(403, 50013, 'Missing Permissions')
}

export function channelOf(state: State, id: string): FakeChannel {
  const channel = state.channels.get(id)
  if (channel === undefined) throw apiFault(404, 10003, 'Unknown Channel')
  return channel
}

export function messageOf(state: State, channelId: string, id: string): FakeMessage {
  const message = state.messages.get(id)
  if (message === undefined || message.channel_id !== channelId) throw apiFault(404, 10008, 'Unknown Message')
  return message
}

export function isThread(channel: FakeChannel): boolean {
  return channel.type >= 10 && channel.type <= 12
}
