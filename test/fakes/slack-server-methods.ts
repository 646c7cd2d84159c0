/** The Web API of the tests' Slack: each method checks what Slack checks, in Slack's order, and answers as Slack does. */
import { messageProblem, viewProblems } from './slack-server-limits.ts'
import {
  directMessage,
  findMessage,
  isJson,
  type Json,
  type SlackChannel,
  type SlackFile,
  type SlackMessage,
  type SlackWorld,
} from './slack-server-state.ts'

/** Thrown inside a method to answer `ok: false`. */
export class SlackRefusal extends Error {
  readonly answer: Json
  constructor(error: string, more: Json = {}) {
    super(error)
    this.answer = { ok: false, error, ...more }
  }
}

export type SlackMethod = (world: SlackWorld, args: Json, baseUrl: string) => Json

const SCOPES: Record<string, string> = {
  'chat.postMessage': 'chat:write',
  'chat.update': 'chat:write',
  'chat.delete': 'chat:write',
  'chat.postEphemeral': 'chat:write',
  'reactions.add': 'reactions:write',
  'reactions.remove': 'reactions:write',
  'users.info': 'users:read',
  'usergroups.users.list': 'usergroups:read',
  'files.getUploadURLExternal': 'files:write',
  'files.completeUploadExternal': 'files:write',
  'files.info': 'files:read',
  'conversations.join': 'channels:join',
  'conversations.open': 'im:write',
}

/** Answers one call; checks the token and its scopes first. */
export function callMethod(
  world: SlackWorld,
  call: { method: string; args: Json; token: string; baseUrl: string },
): Json {
  const { method, args, token } = call
  try {
    const run = METHODS[method]
    if (run === undefined) throw new SlackRefusal('unknown_method', { req_method: method })
    checkToken(world, method, token)
    const needed = SCOPES[method]
    if (needed !== undefined) needScope(world, needed)
    return { ok: true, ...run(world, args, call.baseUrl) }
  } catch (error) {
    if (error instanceof SlackRefusal) return error.answer
    throw error
  }
}

function checkToken(world: SlackWorld, method: string, token: string): void {
  if (token === '') throw new SlackRefusal('not_authed')
  if (method === 'apps.connections.open') {
    if (!token.startsWith('xapp-')) throw new SlackRefusal('not_allowed_token_type')
    if (token !== world.appToken) throw new SlackRefusal('invalid_auth')
    if (world.appTokenScopes.has('connections:write')) return
    throw new SlackRefusal('missing_scope', {
      needed: 'connections:write',
      provided: [...world.appTokenScopes].join(','),
    })
  }
  if (token !== world.bot.token) throw new SlackRefusal('invalid_auth')
  if (world.bot.revoked) throw new SlackRefusal('token_revoked')
}

function needScope(world: SlackWorld, needed: string): void {
  if (world.bot.scopes.has(needed)) return
  throw new SlackRefusal('missing_scope', { needed, provided: [...world.bot.scopes].join(',') })
}

const METHODS: Record<string, SlackMethod> = {
  'auth.test': (world, _args, baseUrl) => ({
    url: `${baseUrl}/`,
    team: 'Tests',
    user: 'assistant',
    team_id: world.teamId,
    user_id: world.bot.userId,
    bot_id: world.bot.botId,
    is_enterprise_install: false,
  }),
  'apps.connections.open': (world, _args, baseUrl) => ({
    url: `${baseUrl.replace('http:', 'ws:')}/link/?ticket=${world.nextId('ticket-')}&app_id=${world.appId}`,
  }),
  'chat.postMessage': (world, args) => {
    const channel = writableChannel(world, text(args.channel))
    const threadTs = optional(args.thread_ts)
    if (threadTs !== undefined && !threadExists(world, channel.id, threadTs)) throw new SlackRefusal('thread_not_found')
    checkMessage(args, false)
    const message = addMessage(world, {
      channel: channel.id,
      user: world.bot.userId,
      botId: world.bot.botId,
      threadTs,
      text: text(args.text),
      blocks: blocksOf(args),
      metadata: isJson(args.metadata) ? args.metadata : undefined,
      unfurl: args.unfurl_links !== 'false' || args.unfurl_media !== 'false',
    })
    return { channel: channel.id, ts: message.ts, message: wireMessage(world, message, true) }
  },
  'chat.update': (world, args) => {
    const channel = writableChannel(world, text(args.channel))
    const message = findMessage(world, channel.id, text(args.ts))
    if (message === undefined) throw new SlackRefusal('message_not_found')
    if (message.botId !== world.bot.botId) throw new SlackRefusal('cant_update_message')
    checkMessage(args, true)
    message.text = text(args.text)
    message.blocks = blocksOf(args)
    if (isJson(args.metadata)) message.metadata = args.metadata
    message.edits += 1
    return { channel: channel.id, ts: message.ts, text: message.text }
  },
  'chat.delete': (world, args) => {
    const message = findMessage(world, text(args.channel), text(args.ts))
    if (message === undefined) throw new SlackRefusal('message_not_found')
    world.messages.splice(world.messages.indexOf(message), 1)
    return {}
  },
  'chat.postEphemeral': (world, args) => {
    const channel = writableChannel(world, text(args.channel))
    const user = text(args.user)
    if (!channel.members.has(user)) throw new SlackRefusal('user_not_in_channel')
    checkMessage(args, false)
    const threadTs = optional(args.thread_ts)
    world.ephemerals.push({ channel: channel.id, user, text: text(args.text), blocks: blocksOf(args), threadTs })
    return { message_ts: world.nextTs() }
  },
  'chat.getPermalink': (world, args, baseUrl) => {
    const message = findMessage(world, text(args.channel), text(args.message_ts))
    if (message === undefined) throw new SlackRefusal('message_not_found')
    return { permalink: `${baseUrl}/archives/${message.channel}/p${message.ts.replace('.', '')}` }
  },
  'conversations.history': (world, args) => {
    const channel = readableChannel(world, text(args.channel))
    const messages = world.messages.filter(
      (message) => message.channel === channel.id && message.threadTs === undefined,
    )
    return page(world, args, messages.reverse())
  },
  'conversations.replies': (world, args) => {
    const channel = readableChannel(world, text(args.channel))
    const ts = text(args.ts)
    const messages = world.messages.filter(
      (message) => message.channel === channel.id && (message.ts === ts || message.threadTs === ts),
    )
    if (messages.length === 0) throw new SlackRefusal('thread_not_found')
    return page(world, args, messages)
  },
  'conversations.join': (world, args) => {
    const channel = world.channels.get(text(args.channel))
    if (channel === undefined || channel.kind === 'private') throw new SlackRefusal('channel_not_found')
    if (channel.kind === 'im') throw new SlackRefusal('method_not_supported_for_channel_type')
    if (channel.archived) throw new SlackRefusal('is_archived')
    channel.members.add(world.bot.userId)
    return { channel: { id: channel.id } }
  },
  'conversations.open': (world, args) => ({ channel: { id: directMessage(world, text(args.users)).id } }),
  'reactions.add': (world, args) => {
    const message = reactable(world, args)
    const name = text(args.name)
    const mine = message.reactions.some((each) => each.name === name && each.user === world.bot.userId)
    if (mine) throw new SlackRefusal('already_reacted')
    message.reactions.push({ name, user: world.bot.userId })
    return {}
  },
  'reactions.remove': (world, args) => {
    const message = reactable(world, args)
    const index = message.reactions.findIndex((each) => each.name === args.name && each.user === world.bot.userId)
    if (index < 0) throw new SlackRefusal('no_reaction')
    message.reactions.splice(index, 1)
    return {}
  },
  'users.info': (world, args) => {
    const user = world.users.get(text(args.user))
    if (user === undefined) throw new SlackRefusal('user_not_found')
    return {
      user: {
        id: user.id,
        team_id: user.teamId,
        name: user.name,
        real_name: user.name,
        deleted: false,
        is_bot: user.isBot,
        is_restricted: user.isRestricted,
        is_ultra_restricted: user.isUltraRestricted,
        profile: { display_name: user.name, real_name: user.name },
      },
    }
  },
  'usergroups.users.list': (world, args) => {
    const users = world.userGroups.get(text(args.usergroup))
    if (users === undefined) throw new SlackRefusal('no_such_subteam')
    return { users }
  },
  'files.info': (world, args) => {
    const file = world.files.get(text(args.file))
    if (file === undefined) throw new SlackRefusal('file_not_found')
    return { file: wireFile(file) }
  },
  'files.getUploadURLExternal': (world, args, baseUrl) => {
    const length = Number(args.length)
    if (text(args.filename) === '' || !Number.isInteger(length) || length <= 0)
      throw new SlackRefusal('invalid_arguments')
    const id = world.nextId('F')
    const urlPrivate = `${baseUrl}/files-pri/${world.teamId}-${id}/download/${encodeURIComponent(text(args.filename))}`
    world.files.set(id, {
      id,
      name: text(args.filename),
      title: text(args.filename),
      mimetype: 'application/octet-stream',
      bytes: Buffer.alloc(0),
      expectedBytes: length,
      uploaded: false,
      urlPrivate,
    })
    return { file_id: id, upload_url: `${baseUrl}/upload/v1/${id}` }
  },
  'files.completeUploadExternal': (world, args) => {
    const list = Array.isArray(args.files) ? args.files.filter(isJson) : []
    const files = list.map((each) => uploadedFile(world, each))
    const channelId = optional(args.channel_id)
    if (channelId !== undefined) {
      const channel = readableChannel(world, channelId)
      const threadTs = optional(args.thread_ts)
      if (threadTs !== undefined && !threadExists(world, channel.id, threadTs))
        throw new SlackRefusal('thread_not_found')
      const comment = optional(args.initial_comment)
      if (comment === undefined) checkMessage({ ...args, text: 'files' }, false)
      const message = addMessage(world, {
        channel: channel.id,
        user: world.bot.userId,
        botId: world.bot.botId,
        threadTs,
        text: comment ?? '',
        blocks: comment === undefined ? blocksOf(args) : [],
        metadata: undefined,
        unfurl: false,
      })
      message.files = files
    }
    return { files: files.map((file) => ({ id: file.id, title: file.title })) }
  },
  'views.open': (world, args) => {
    const trigger = world.triggers.get(text(args.trigger_id))
    if (trigger === undefined) throw new SlackRefusal('invalid_trigger_id')
    if (trigger.used) throw new SlackRefusal('exchanged_trigger_id')
    if (trigger.expiresAt < world.now()) throw new SlackRefusal('expired_trigger_id')
    trigger.used = true
    return { view: openView(world, '', args.view) }
  },
  'views.update': (world, args) => {
    const entry = world.views.get(text(args.view_id))
    if (entry?.open !== true) throw new SlackRefusal('not_found')
    if (optional(args.hash) !== undefined && args.hash !== entry.hash) throw new SlackRefusal('hash_conflict')
    entry.view = checkedView(args.view)
    entry.hash = world.nextId('hash')
    return { view: { ...entry.view, id: entry.id, hash: entry.hash } }
  },
  'views.publish': (world, args) => {
    const view = checkedView(args.view)
    if (view.type !== 'home') throw new SlackRefusal('invalid_arguments')
    world.homes.set(text(args.user_id), view)
    return { view: { ...view, id: `VHOME${text(args.user_id)}`, hash: world.nextId('hash') } }
  },
}

export function openView(world: SlackWorld, user: string, view: unknown): Json {
  const entry = { id: world.nextId('V'), hash: world.nextId('hash'), user, view: checkedView(view), open: true }
  world.views.set(entry.id, entry)
  return { ...entry.view, id: entry.id, hash: entry.hash }
}

function checkedView(value: unknown): Json {
  const view = isJson(value) ? value : {}
  const problems = viewProblems(view)
  if (problems.length > 0) {
    throw new SlackRefusal('invalid_arguments', {
      response_metadata: { messages: problems.map((line) => `[ERROR] ${line}`) },
    })
  }
  return view
}

function checkMessage(args: Json, isUpdate: boolean): void {
  const blocks = blocksOf(args)
  if (text(args.text) === '' && blocks.length === 0) throw new SlackRefusal('no_text')
  const metadata = args.metadata
  if (
    metadata !== undefined &&
    !(isJson(metadata) && typeof metadata.event_type === 'string' && isJson(metadata.event_payload))
  ) {
    throw new SlackRefusal('invalid_metadata_format')
  }
  const problem = messageProblem(text(args.text), blocks, isUpdate)
  if (problem === undefined) return
  throw new SlackRefusal(problem.error, {
    errors: [problem.detail],
    response_metadata: { messages: [`[ERROR] ${problem.detail}`] },
  })
}

type NewMessage = Omit<SlackMessage, 'ts' | 'files' | 'reactions' | 'edits'>

export function addMessage(world: SlackWorld, message: NewMessage): SlackMessage {
  const added: SlackMessage = { ...message, ts: world.nextTs(), files: [], reactions: [], edits: 0 }
  world.messages.push(added)
  return added
}

function writableChannel(world: SlackWorld, id: string): SlackChannel {
  const channel = id.startsWith('U') && world.users.has(id) ? directMessage(world, id) : readableChannel(world, id)
  if (channel.archived) throw new SlackRefusal('is_archived')
  return channel
}

/** A private channel that the bot is not in does not exist for it. */
function readableChannel(world: SlackWorld, id: string): SlackChannel {
  const channel = world.channels.get(id)
  if (channel === undefined) throw new SlackRefusal('channel_not_found')
  if (channel.members.has(world.bot.userId)) return channel
  throw new SlackRefusal(channel.kind === 'private' ? 'channel_not_found' : 'not_in_channel')
}

function threadExists(world: SlackWorld, channel: string, ts: string): boolean {
  return world.messages.some((message) => message.channel === channel && (message.ts === ts || message.threadTs === ts))
}

function reactable(world: SlackWorld, args: Json): SlackMessage {
  const channel = readableChannel(world, text(args.channel))
  const message = findMessage(world, channel.id, text(args.timestamp))
  if (message === undefined) throw new SlackRefusal('message_not_found')
  return message
}

function uploadedFile(world: SlackWorld, each: Json): SlackFile {
  const file = world.files.get(text(each.id))
  if (file === undefined || !file.uploaded) throw new SlackRefusal('file_not_found')
  if (typeof each.title === 'string') file.title = each.title
  return file
}

const HISTORY_SCOPES: Record<SlackChannel['kind'], string> = {
  public: 'channels:history',
  private: 'groups:history',
  im: 'im:history',
}

function page(world: SlackWorld, args: Json, messages: readonly SlackMessage[]): Json {
  const kind = world.channels.get(text(args.channel))?.kind ?? 'public'
  needScope(world, HISTORY_SCOPES[kind])
  const limit = Math.min(Number(args.limit ?? 100), 999)
  const start = Number(optional(args.cursor)?.replace('next:', '') ?? 0)
  const slice = messages.slice(start, start + limit)
  const next = start + limit < messages.length ? `next:${start + limit}` : ''
  const withMetadata = args.include_all_metadata === 'true'
  return {
    messages: slice.map((message) => wireMessage(world, message, withMetadata)),
    has_more: next !== '',
    response_metadata: { next_cursor: next },
  }
}

export function wireMessage(world: SlackWorld, message: SlackMessage, withMetadata: boolean): Json {
  return {
    type: 'message',
    user: message.user,
    team: world.teamId,
    ts: message.ts,
    text: message.text,
    ...(message.botId === undefined ? {} : { bot_id: message.botId, app_id: world.appId }),
    ...(message.threadTs === undefined ? {} : { thread_ts: message.threadTs }),
    ...(message.blocks.length === 0 ? {} : { blocks: message.blocks }),
    ...(message.files.length === 0 ? {} : { files: message.files.map(wireFile) }),
    ...(withMetadata && message.metadata !== undefined ? { metadata: message.metadata } : {}),
  }
}

export function wireFile(file: SlackFile): Json {
  return {
    id: file.id,
    name: file.name,
    title: file.title,
    mimetype: file.mimetype,
    size: file.bytes.length,
    mode: 'hosted',
    url_private: file.urlPrivate,
    url_private_download: file.urlPrivate,
  }
}

function blocksOf(args: Json): Json[] {
  return Array.isArray(args.blocks) ? args.blocks.filter(isJson) : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function optional(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
