/**
 * A server on loopback that behaves as Discord does: REST v10 and the gateway, with its errors, limits and rules of time.
 * The real client talks to it. People are played by `people`, trouble by `faults`, `down()` and the gateway's methods.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createFaults, createRateLimits, type FaultList, type RateLimits } from './discord-server-faults.ts'
import { createGateway, type FakeGateway } from './discord-server-gateway.ts'
import type { SentFile } from './discord-server-messages.ts'
import { createPeople, type People } from './discord-server-people.ts'
import { answer, bucketOf, type RestAnswer, type RestContext, type RestRequest } from './discord-server-rest.ts'
import {
  channelBody,
  createState,
  type FakeChannel,
  type FakeMessage,
  isThread,
  type Json,
  type State,
} from './discord-server-state.ts'
import { isJson, list } from './discord-server-validate.ts'

export interface DiscordServer extends AsyncDisposable {
  /** For `DISCORD_API_URL`. */
  readonly apiUrl: string
  /** What the real program needs to be connected, and everybody may use it. */
  readonly environment: Readonly<Record<string, string>>
  readonly token: string
  readonly state: State
  readonly people: People
  readonly gateway: FakeGateway
  readonly faults: FaultList
  readonly limits: RateLimits
  /** Every request that arrived, in order: "POST /channels/1/messages". */
  readonly requests: readonly (RestRequest & { line: string })[]
  /** The switch for Message Content in the developer portal. */
  setContentIntent(allowed: boolean): void
  /** Identify attempts that the account has left today. */
  setSessionsLeft(count: number): void
  addChannel(channel: Partial<FakeChannel> & { type: number }): FakeChannel
  /** Messages of a channel, oldest first. */
  messagesIn(channelId: string): FakeMessage[]
  threads(): FakeChannel[]
  /** Nothing answers any more, connections are cut; `up` listens on the same port again. */
  down(): Promise<void>
  up(): Promise<void>
}

export interface DiscordServerOptions {
  now?: () => number
  heartbeatMs?: number
  /** A request has arrived ("POST /channels/1/messages") and is about to take effect. */
  onRequest?: (line: string) => void
}

export async function createDiscordServer({
  now = Date.now,
  heartbeatMs = 40_000,
  onRequest,
}: DiscordServerOptions = {}): Promise<DiscordServer> {
  const token = 'MTA0.loopback.token-for-tests'
  const faults = createFaults()
  const limits = createRateLimits()
  const requests: (RestRequest & { line: string })[] = []
  const sockets = new Set<Socket>()
  let port = 0
  let isContentAllowed = true
  const state = createState(now, (event, data) => gateway.dispatch(event, data))
  const gateway = createGateway({
    state,
    token,
    url: () => `ws://127.0.0.1:${port}/gateway`,
    contentAllowed: () => isContentAllowed,
    heartbeatMs,
    guildCreate: (id) => guildBody(state, id),
    hideContent: (data) => hideContent(state, data),
  })
  const context: RestContext = { state, token, gatewayUrl: () => `ws://127.0.0.1:${port}/gateway`, sessionsLeft: 1000 }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await readRequest(incoming)
    if (request.path.startsWith('/cdn/')) return serveFile(state, request, response)
    const line = `${request.method} ${request.path}`
    requests.push({ ...request, line })
    onRequest?.(line)
    const fault = faults.take(request)
    if (fault?.kind === 'gate') await fault.gate
    if (fault?.kind === 'answer') return reply(response, { status: fault.status, body: fault.body }, fault.headers)
    const { headers, refused } = limits.count(bucketOf(request), Date.now())
    const result = refused ?? answer(context, request)
    if (fault?.kind === 'lost') return void incoming.socket.destroy()
    reply(response, result, headers)
  }

  const http = createServer((incoming, response) => {
    handle(incoming, response).catch((error: unknown) => {
      // The program died while it was sending.
      if (incoming.destroyed && !incoming.complete) return
      // A bug of the stand-in must be seen, not be taken for an outage.
      console.error(error)
      reply(response, { status: 500, body: { message: String(error), code: 0 } })
    })
  })
  http.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  http.on('upgrade', (request, socket, head) => gateway.upgrade(request, socket, head))

  const listen = () => new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      http.close(() => resolve())
      gateway.terminateAll()
      for (const socket of sockets) socket.destroy()
    })
  await listen()
  const address = http.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
  state.baseUrl = `http://127.0.0.1:${port}`

  return {
    apiUrl: `${state.baseUrl}/api`,
    environment: { DISCORD_API_URL: `${state.baseUrl}/api`, DISCORD_TOKEN: token, DISCORD_ALLOWED_USERS: '*' },
    token,
    state,
    people: createPeople(state),
    gateway,
    faults,
    limits,
    requests,
    setContentIntent(allowed) {
      isContentAllowed = allowed
      const bits = (1 << 18) | (1 << 19)
      Object.assign(state.app, { flags: allowed ? state.app.flags | (1 << 19) : state.app.flags & ~bits })
    },
    setSessionsLeft(count) {
      context.sessionsLeft = count
    },
    addChannel(channel) {
      const made: FakeChannel = { id: state.newId(), name: 'channel', ...channel }
      if (made.type !== 1) made.guild_id ??= [...state.guilds.keys()][0] ?? ''
      state.channels.set(made.id, made)
      return made
    },
    messagesIn: (channelId) =>
      [...state.messages.values()]
        .filter((message) => message.channel_id === channelId)
        .sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1)),
    threads: () => [...state.channels.values()].filter(isThread),
    down: close,
    up: listen,
    [Symbol.asyncDispose]: () => (http.listening ? close() : Promise.resolve()),
  }
}

function guildBody(state: State, id: string): Json {
  const guild = state.guilds.get(id)
  const channels = [...state.channels.values()].filter((channel) => channel.guild_id === id)
  return {
    id,
    name: guild?.name ?? '',
    owner_id: '1',
    roles: [
      {
        id,
        name: '@everyone',
        permissions: '0',
        position: 0,
        color: 0,
        hoist: false,
        managed: false,
        mentionable: false,
      },
    ],
    emojis: [],
    features: [],
    channels: channels.filter((channel) => !isThread(channel)).map(channelBody),
    threads: channels.filter((channel) => isThread(channel) && !channel.thread_metadata?.archived).map(channelBody),
    members: [],
    presences: [],
    voice_states: [],
    stage_instances: [],
    guild_scheduled_events: [],
    member_count: 3,
    large: false,
    unavailable: false,
    joined_at: new Date(0).toISOString(),
    preferred_locale: 'en-US',
    premium_tier: 0,
  }
}

/** Without the privileged intent: empty, unless it is ours, a direct message, or mentions us. */
function hideContent(state: State, data: Json): Json {
  const author = isJson(data.author) ? data.author : {}
  const mentionsUs = list(data.mentions).some((user) => user.id === state.bot.id)
  if (data.guild_id === undefined || author.id === state.bot.id || mentionsUs) return data
  return { ...data, content: '', embeds: [], attachments: [], components: [] }
}

async function readRequest(incoming: IncomingMessage): Promise<RestRequest> {
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1')
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)))
  const bytes = Buffer.concat(chunks)
  const type = incoming.headers['content-type'] ?? ''
  const { body, files } = type.startsWith('multipart/')
    ? await readMultipart(bytes, type)
    : { body: parseJson(bytes), files: [] }
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname.replace(/^\/api\/v10/, ''),
    query: url.searchParams,
    authorization: incoming.headers.authorization ?? '',
    body,
    files,
  }
}

function parseJson(bytes: Buffer): unknown {
  return bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8'))
}

async function readMultipart(bytes: Buffer, type: string): Promise<{ body: unknown; files: SentFile[] }> {
  const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData()
  const files: SentFile[] = []
  let body: unknown
  for (const [name, value] of form) {
    const index = /^files\[(\d+)\]$/.exec(name)?.[1]
    if (name === 'payload_json' && typeof value === 'string') body = JSON.parse(value)
    else if (index !== undefined && typeof value !== 'string') {
      files.push({ index: Number(index), name: value.name, bytes: Buffer.from(await value.arrayBuffer()) })
    }
  }
  return { body, files }
}

/** GET /cdn/attachments/:id/:name?ex=…: as long as the signature holds. */
function serveFile(state: State, request: RestRequest, response: ServerResponse): void {
  const [, , , id = ''] = request.path.split('/')
  const file = state.files.get(id)
  const expiresAt = Number.parseInt(request.query.get('ex') ?? '0', 16) * 1000
  if (file === undefined || expiresAt < state.now()) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('This content is no longer available.')
    return
  }
  response.writeHead(200, { 'content-type': file.content_type ?? 'application/octet-stream' }).end(file.bytes)
}

function reply(response: ServerResponse, { status, body }: RestAnswer, headers: Record<string, string> = {}): void {
  if (response.destroyed || response.headersSent) return
  if (body === undefined) {
    response.writeHead(status, headers).end()
    return
  }
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
