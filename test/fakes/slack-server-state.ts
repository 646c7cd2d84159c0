/** What the Slack server of the tests knows: one workspace, its people, channels, messages and files. */

export type Json = Record<string, unknown>

export type EnvelopeType = 'events_api' | 'slash_commands' | 'interactive'

/** One envelope on its way to the app; the same one can be delivered again. */
export interface Delivery {
  readonly payload: Json
  /** What the app acknowledged it with; settles at the first acknowledgement. */
  readonly acked: Promise<Json>
  readonly isAcked: boolean
  redeliver(reason?: string, attempt?: number): void
}

export interface SlackUser {
  id: string
  name: string
  teamId: string
  isBot: boolean
  isRestricted: boolean
  isUltraRestricted: boolean
}

export interface SlackChannel {
  id: string
  name: string
  kind: 'public' | 'private' | 'im'
  members: Set<string>
  archived: boolean
}

export interface SlackMessage {
  ts: string
  channel: string
  user: string
  botId: string | undefined
  threadTs: string | undefined
  text: string
  blocks: Json[]
  metadata: Json | undefined
  files: SlackFile[]
  /** Names by who added them. */
  reactions: { name: string; user: string }[]
  edits: number
  unfurl: boolean
}

export interface SlackFile {
  id: string
  name: string
  title: string
  mimetype: string
  bytes: Buffer
  expectedBytes: number
  uploaded: boolean
  urlPrivate: string
}

export interface Ephemeral {
  channel: string
  user: string
  text: string
  blocks: Json[]
  threadTs: string | undefined
}

export interface SlackView {
  id: string
  hash: string
  user: string
  view: Json
  /** The one that pushed or opened it; null for a first modal or a Home. */
  open: boolean
}

/** One way to respond later: 5 uses within 30 minutes. */
export interface ResponseUrl {
  url: string
  channel: string
  user: string
  expiresAt: number
  uses: Json[]
}

export interface ApiCall {
  method: string
  args: Json
  token: string
}

export interface SlackWorld {
  teamId: string
  appId: string
  bot: { userId: string; botId: string; token: string; scopes: Set<string>; revoked: boolean }
  appToken: string
  appTokenScopes: Set<string>
  signingSecret: string
  users: Map<string, SlackUser>
  channels: Map<string, SlackChannel>
  messages: SlackMessage[]
  ephemerals: Ephemeral[]
  files: Map<string, SlackFile>
  views: Map<string, SlackView>
  homes: Map<string, Json>
  userGroups: Map<string, string[]>
  triggers: Map<string, { expiresAt: number; used: boolean }>
  responseUrls: Map<string, ResponseUrl>
  calls: ApiCall[]
  now(): number
  nextTs(): string
  nextId(prefix: string): string
}

export const BOT_SCOPES = [
  'app_mentions:read',
  'channels:history',
  'channels:join',
  'chat:write',
  'commands',
  'files:read',
  'files:write',
  'groups:history',
  'im:history',
  'im:write',
  'reactions:write',
  'users:read',
]

/** A workspace with Ana (U0ANA), Ben (U0BEN), #builds (C0BUILDS, the bot is in it), #random (it is not), and a private one. */
export function createWorld(now: () => number): SlackWorld {
  let counter = 0
  const world: SlackWorld = {
    teamId: 'T0TEAM',
    appId: 'A0APP',
    bot: { userId: 'U0BOT', botId: 'B0BOT', token: 'xoxb-good', scopes: new Set(BOT_SCOPES), revoked: false },
    appToken: 'xapp-good',
    appTokenScopes: new Set(['connections:write']),
    signingSecret: 'shhh-signing',
    users: new Map(),
    channels: new Map(),
    messages: [],
    ephemerals: [],
    files: new Map(),
    views: new Map(),
    homes: new Map(),
    userGroups: new Map(),
    triggers: new Map(),
    responseUrls: new Map(),
    calls: [],
    now,
    nextTs: () => {
      counter += 1
      return `${Math.floor(now() / 1000)}.${String(counter).padStart(6, '0')}`
    },
    nextId: (prefix) => {
      counter += 1
      return `${prefix}${String(counter).padStart(6, '0')}`
    },
  }
  addUser(world, 'U0ANA', 'ana')
  addUser(world, 'U0BEN', 'ben')
  addUser(world, 'U0BOT', 'assistant').isBot = true
  addChannel(world, 'C0BUILDS', 'builds', 'public', ['U0ANA', 'U0BEN', 'U0BOT'])
  addChannel(world, 'C0RANDOM', 'random', 'public', ['U0ANA', 'U0BEN'])
  addChannel(world, 'G0SECRET', 'secret', 'private', ['U0ANA'])
  return world
}

export function addUser(world: SlackWorld, id: string, name: string): SlackUser {
  const user = { id, name, teamId: world.teamId, isBot: false, isRestricted: false, isUltraRestricted: false }
  world.users.set(id, user)
  return user
}

export function addChannel(
  world: SlackWorld,
  id: string,
  name: string,
  kind: SlackChannel['kind'],
  members: readonly string[],
): SlackChannel {
  const channel = { id, name, kind, members: new Set(members), archived: false }
  world.channels.set(id, channel)
  return channel
}

/** The direct message between a user and the bot; made when first asked for. */
export function directMessage(world: SlackWorld, userId: string): SlackChannel {
  const id = `D${userId.slice(1)}`
  return world.channels.get(id) ?? addChannel(world, id, '', 'im', [userId, world.bot.userId])
}

export function findMessage(world: SlackWorld, channel: string, ts: string): SlackMessage | undefined {
  return world.messages.find((message) => message.channel === channel && message.ts === ts)
}

/** Everything a person reads in a message, a modal or a Home: the text of all its blocks, one line each. */
export function visibleText(blocks: unknown): string {
  const lines: string[] = []
  collectText(blocks, lines)
  return lines.join('\n')
}

function collectText(value: unknown, lines: string[]): void {
  if (Array.isArray(value)) {
    for (const item of value) collectText(item, lines)
  } else if (isJson(value)) {
    if (typeof value.text === 'string') lines.push(value.text)
    for (const [key, item] of Object.entries(value)) if (key !== 'value') collectText(item, lines)
  }
}

/** All elements that a person can press, anywhere in the blocks. */
export function buttonsOf(blocks: unknown): { actionId: string; label: string; element: Json; blockId: string }[] {
  const found: { actionId: string; label: string; element: Json; blockId: string }[] = []
  const walk = (value: unknown, blockId: string): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, blockId)
    if (!isJson(value)) return
    const id = typeof value.block_id === 'string' ? value.block_id : blockId
    if (typeof value.action_id === 'string') {
      const text = isJson(value.text) ? value.text.text : ''
      found.push({ actionId: value.action_id, label: String(text), element: value, blockId: id })
    }
    for (const item of Object.values(value)) walk(item, id)
  }
  walk(blocks, '')
  return found
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
