/** Messages and threads of the stand-in: how they come to be, change, and what Discord says when they may not. */
import {
  apiFault,
  channelBody,
  channelOf,
  type FakeAttachment,
  type FakeChannel,
  type FakeMessage,
  type FakeUser,
  isThread,
  type Json,
  messageBody,
  messageOf,
  need,
  type State,
} from './discord-server-state.ts'
import { checkMessage, FLAG_COMPONENTS_V2, FLAG_SILENT, isJson, list, text } from './discord-server-validate.ts'

export interface SentFile {
  /** 0 for files[0]. */
  index: number
  name: string
  bytes: Buffer
}

const NONCE_LIFETIME_MS = 5 * 60_000

/** POST /channels/:id/messages by the bot. */
export function createMessage(state: State, channelId: string, body: Json, files: readonly SentFile[]): Json {
  const channel = channelOf(state, channelId)
  if (channel.type === 15) throw apiFault(400, 50008, 'Cannot send messages in a non-text channel')
  need(state, channel, isThread(channel) ? 'SEND_MESSAGES_IN_THREADS' : 'SEND_MESSAGES')
  if (files.length > 0) need(state, channel, 'ATTACH_FILES')
  if (channel.thread_metadata?.locked === true) throw apiFault(400, 160_005, 'Thread is locked')
  const known = knownNonce(state, channelId, body)
  if (known !== undefined) return messageBody(state, known)
  const message = buildMessage(state, { channel, author: state.bot, body, files })
  if (channel.thread_metadata !== undefined) channel.thread_metadata.archived = false
  publish(state, message)
  return { ...messageBody(state, message), ...(message.nonce === undefined ? {} : { nonce: message.nonce }) }
}

/** With enforce_nonce the same nonce answers the message that is there, for some minutes. */
function knownNonce(state: State, channelId: string, body: Json): FakeMessage | undefined {
  if (body.enforce_nonce !== true || body.nonce === undefined) return undefined
  return [...state.messages.values()].find(
    (message) =>
      message.channel_id === channelId &&
      message.author.id === state.bot.id &&
      message.nonce === String(body.nonce) &&
      state.now() - message.createdAt < NONCE_LIFETIME_MS,
  )
}

export interface MessageParts {
  channel: FakeChannel
  author: FakeUser
  body: Json
  files: readonly SentFile[]
  /** Flags that the body may not set itself. */
  extraFlags?: number
}

/** Checks and stores; does not tell anybody. */
export function buildMessage(
  state: State,
  { channel, author, body, files, extraFlags = 0 }: MessageParts,
): FakeMessage {
  const flags = Number(body.flags ?? 0) | extraFlags
  const attachments = buildAttachments(state, body, files)
  checkMessage(
    body,
    attachments.map((attachment) => attachment.filename),
    flags,
  )
  const content = text(body.content)
  const reference = isJson(body.message_reference) ? body.message_reference : undefined
  if (
    reference !== undefined &&
    !state.messages.has(text(reference.message_id)) &&
    reference.fail_if_not_exists !== false
  ) {
    throw apiFault(400, 50035, 'Invalid Form Body', {
      message_reference: { _errors: [{ code: 'REPLIES_UNKNOWN_MESSAGE', message: 'Unknown message' }] },
    })
  }
  const pinged = pings(body, [content, ...textsOf(list(body.components))].join('\n'))
  const message: FakeMessage = {
    id: state.newId(),
    channel_id: channel.id,
    ...(channel.guild_id === undefined ? {} : { guild_id: channel.guild_id }),
    author,
    content,
    timestamp: new Date(state.now()).toISOString(),
    edited_timestamp: null,
    flags,
    type: reference === undefined ? 0 : 19,
    tts: false,
    pinned: false,
    mention_everyone: false,
    mentions: pinged.flatMap((id) => state.users.get(id) ?? []),
    mention_roles: [],
    attachments,
    embeds: list(body.embeds),
    components: list(body.components),
    ...(reference === undefined
      ? {}
      : { message_reference: { channel_id: channel.id, message_id: text(reference.message_id) } }),
    ...(body.nonce === undefined ? {} : { nonce: String(body.nonce) }),
    pinged,
    silent: (flags & FLAG_SILENT) !== 0,
    frames: [],
    createdAt: state.now(),
    reactions: new Map(),
  }
  state.messages.set(message.id, message)
  return message
}

function buildAttachments(state: State, body: Json, files: readonly SentFile[]): FakeAttachment[] {
  const total = files.reduce((sum, file) => sum + file.bytes.length, 0)
  if (total > 25 * 1024 * 1024 || files.some((file) => file.bytes.length > state.maxFileBytes)) {
    throw apiFault(413, 40_005, 'Request entity too large')
  }
  const described = list(body.attachments)
  return files.map((file) => {
    const meta = described.find((item) => Number(item.id) === file.index) ?? {}
    const attachment: FakeAttachment = {
      id: state.newId(),
      // Discord keeps letters, digits, dots, dashes and underscores of a file name.
      filename: (text(meta.filename) || file.name).replace(/[^A-Za-z0-9._-]+/g, '_'),
      size: file.bytes.length,
      url: '',
      proxy_url: '',
      ...(meta.description === undefined ? {} : { description: text(meta.description) }),
      bytes: file.bytes,
    }
    state.files.set(attachment.id, attachment)
    return attachment
  })
}

/** Users that this body may ping: what `allowed_mentions` lets through of what the text names. */
function pings(body: Json, shown: string): string[] {
  const named = [...shown.matchAll(/<@!?(\d+)>/g)].flatMap((match) => match[1] ?? [])
  const allowed = isJson(body.allowed_mentions) ? body.allowed_mentions : undefined
  if (allowed === undefined) return [...new Set([...named, ...(/@(everyone|here)/.test(shown) ? ['everyone'] : [])])]
  const parse = Array.isArray(allowed.parse) ? allowed.parse : []
  const users = Array.isArray(allowed.users) ? allowed.users.map(String) : []
  if (parse.includes('users') && users.length > 0) {
    throw apiFault(400, 50035, 'Invalid Form Body', {
      allowed_mentions: {
        _errors: [
          {
            code: 'MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE',
            message: 'parse:["users"] and users: [ids...] are mutually exclusive.',
          },
        ],
      },
    })
  }
  return [...new Set(named.filter((id) => parse.includes('users') || users.includes(id)))]
}

/** All text that the components show. */
export function textsOf(components: readonly Json[]): string[] {
  return components.flatMap((component) => [
    ...(component.type === 10 ? [text(component.content)] : []),
    ...textsOf(list(component.components)),
  ])
}

export function publish(state: State, message: FakeMessage): void {
  state.emit('MESSAGE_CREATE', {
    ...messageBody(state, message),
    ...(message.nonce === undefined ? {} : { nonce: message.nonce }),
    ...(message.guild_id === undefined ? {} : { member: { roles: [], flags: 0 } }),
  })
}

/** PATCH of a message of the bot. */
export function editMessage(state: State, channelId: string, messageId: string, body: Json): Json {
  const channel = channelOf(state, channelId)
  const message = messageOf(state, channelId, messageId)
  if (message.author.id !== state.bot.id) throw apiFault(403, 50_005, 'Cannot edit a message authored by another user')
  if (channel.thread_metadata?.archived === true) throw apiFault(400, 50_083, 'Thread is archived')
  need(state, channel, 'VIEW_CHANNEL')
  const edits = message.frames.length
  if (state.now() - message.createdAt > 3_600_000 && edits >= state.oldEditsAllowed) {
    throw apiFault(429, 30_046, 'Maximum number of edits to messages older than 1 hour reached. Try again later')
  }
  return applyEdit(state, message, body)
}

export function applyEdit(state: State, message: FakeMessage, body: Json): Json {
  const flags = message.flags | Number(body.flags ?? 0)
  const isV2 = (flags & FLAG_COMPONENTS_V2) !== 0
  // What the message has already counts too: content or embeds stay in the way of components until they are taken off.
  const whole = isV2
    ? {
        ...body,
        content: body.content ?? message.content,
        embeds: body.embeds ?? message.embeds,
        components: body.components ?? message.components,
      }
    : body
  const names = message.attachments.map((attachment) => attachment.filename)
  checkMessage(whole, names, flags)
  message.frames.push(message.components)
  message.flags = flags
  if (body.content !== undefined) message.content = text(body.content)
  if (body.components !== undefined) message.components = list(body.components)
  if (body.embeds !== undefined) message.embeds = list(body.embeds)
  message.edited_timestamp = new Date(state.now()).toISOString()
  state.emit('MESSAGE_UPDATE', messageBody(state, message))
  return messageBody(state, message)
}

/** POST /channels/:id/messages/:id/threads and /channels/:id/threads. */
export function createThread(
  state: State,
  parentId: string,
  messageId: string | null,
  body: Json,
  files: readonly SentFile[],
): Json {
  const parent = channelOf(state, parentId)
  need(state, parent, parent.type === 15 ? 'SEND_MESSAGES' : 'CREATE_PUBLIC_THREADS')
  checkThreadBody(parent, body)
  if (messageId !== null) {
    messageOf(state, parentId, messageId)
    if (state.channels.has(messageId))
      throw apiFault(400, 160_004, 'A thread has already been created for this message')
  }
  const id = messageId ?? state.newId()
  const thread: FakeChannel = {
    id,
    type: 11,
    ...(parent.guild_id === undefined ? {} : { guild_id: parent.guild_id }),
    name: text(body.name),
    parent_id: parentId,
    owner_id: state.bot.id,
    thread_metadata: {
      archived: false,
      locked: false,
      auto_archive_duration: Number(body.auto_archive_duration ?? 1440),
      archive_timestamp: new Date(state.now()).toISOString(),
    },
  }
  state.channels.set(id, thread)
  state.threadMembers.set(id, new Set([state.bot.id]))
  state.emit('THREAD_CREATE', { ...channelBody(thread), newly_created: true })
  if (parent.type !== 15) return channelBody(thread)
  const first = buildMessage(state, {
    channel: thread,
    author: state.bot,
    body: isJson(body.message) ? body.message : {},
    files,
  })
  // A post's first message has the post's id.
  state.messages.delete(first.id)
  first.id = id
  state.messages.set(id, first)
  publish(state, first)
  return { ...channelBody(thread), message: messageBody(state, first) }
}

function checkThreadBody(parent: FakeChannel, body: Json): void {
  const name = text(body.name)
  if (name.length < 1 || name.length > 100) {
    throw apiFault(400, 50035, 'Invalid Form Body', {
      name: { _errors: [{ code: 'BASE_TYPE_BAD_LENGTH', message: 'Must be between 1 and 100 in length.' }] },
    })
  }
  const duration = body.auto_archive_duration
  if (duration !== undefined && ![60, 1440, 4320, 10_080].includes(Number(duration))) {
    throw apiFault(400, 50035, 'Invalid Form Body', {
      auto_archive_duration: {
        _errors: [{ code: 'BASE_TYPE_CHOICES', message: 'Value must be one of {60, 1440, 4320, 10080}.' }],
      },
    })
  }
  if (isThread(parent) || parent.type === 1) throw apiFault(400, 50_024, 'Cannot execute action on this channel type')
}

/** PATCH /channels/:id, as far as threads need it. */
export function editChannel(state: State, channelId: string, body: Json): Json {
  const channel = channelOf(state, channelId)
  const { thread_metadata: meta } = channel
  if (meta === undefined) throw apiFault(403, 50013, 'Missing Permissions')
  if (meta.locked) throw apiFault(400, 160_005, 'Thread is locked')
  need(state, channel, 'SEND_MESSAGES_IN_THREADS')
  if (typeof body.archived === 'boolean') meta.archived = body.archived
  if (body.name !== undefined) channel.name = text(body.name)
  state.emit('THREAD_UPDATE', channelBody(channel))
  return channelBody(channel)
}

export function addReaction(state: State, channelId: string, messageId: string, emoji: string): void {
  const channel = channelOf(state, channelId)
  const message = messageOf(state, channelId, messageId)
  need(state, channel, 'ADD_REACTIONS')
  if (channel.thread_metadata?.archived === true) throw apiFault(400, 50_083, 'Thread is archived')
  if (!/\p{Extended_Pictographic}/u.test(emoji)) throw apiFault(400, 10_014, 'Unknown Emoji')
  const users = message.reactions.get(emoji) ?? new Set()
  users.add(state.bot.id)
  message.reactions.set(emoji, users)
}

export function removeReaction(state: State, channelId: string, messageId: string, emoji: string): void {
  const message = messageOf(state, channelId, messageId)
  const users = message.reactions.get(emoji)
  users?.delete(state.bot.id)
  if (users?.size === 0) message.reactions.delete(emoji)
}
