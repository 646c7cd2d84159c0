/** The routes of REST v10 that our client uses, each with Discord's own answers when something is wrong. */
import { answerInteraction, byToken, editOriginal, followUp, putCommands } from './discord-server-interactions.ts'
import {
  addReaction,
  createMessage,
  createThread,
  editChannel,
  editMessage,
  removeReaction,
  type SentFile,
} from './discord-server-messages.ts'
import {
  apiFault,
  channelBody,
  channelOf,
  isThread,
  type Json,
  messageBody,
  messageOf,
  need,
  type State,
} from './discord-server-state.ts'
import { isJson } from './discord-server-validate.ts'

export interface RestRequest {
  method: string
  path: string
  query: URLSearchParams
  authorization: string
  /** Parsed JSON: payload_json of a multipart request. */
  body: unknown
  files: readonly SentFile[]
}

export interface RestAnswer {
  status: number
  body: unknown
}

export interface RestContext {
  state: State
  token: string
  gatewayUrl(): string
  sessionsLeft: number
}

type Handler = (context: RestContext, params: readonly string[], request: RestRequest) => RestAnswer

interface Route {
  method: string
  /** `:x` stands for one segment. */
  path: string
  isPublic?: boolean
  handle: Handler
}

const ok = (body: unknown): RestAnswer => ({ status: 200, body })
const done: RestAnswer = { status: 204, body: undefined }

const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/gateway/bot',
    handle: ({ gatewayUrl, sessionsLeft }) =>
      ok({
        url: gatewayUrl(),
        shards: 1,
        session_start_limit: { total: 1000, remaining: sessionsLeft, reset_after: 14_400_000, max_concurrency: 1 },
      }),
  },
  { method: 'GET', path: '/users/@me', handle: ({ state }) => ok(state.bot) },
  { method: 'GET', path: '/applications/@me', handle: ({ state }) => ok(state.app) },
  { method: 'GET', path: '/users/@me/guilds', handle: ({ state }) => ok([...state.guilds.values()]) },
  { method: 'GET', path: '/applications/:app/commands', handle: ({ state }) => ok(state.commands.get('global') ?? []) },
  {
    method: 'PUT',
    path: '/applications/:app/commands',
    handle: ({ state }, _params, { body }) => ok(putCommands(state, 'global', body)),
  },
  {
    method: 'GET',
    path: '/applications/:app/guilds/:guild/commands',
    handle: ({ state }, [, guild = '']) => ok(state.commands.get(guild) ?? []),
  },
  {
    method: 'PUT',
    path: '/applications/:app/guilds/:guild/commands',
    handle: ({ state }, [, guild = ''], { body }) => {
      if (!state.guilds.has(guild)) throw apiFault(403, 50001, 'Missing Access')
      return ok(putCommands(state, guild, body))
    },
  },
  {
    method: 'GET',
    path: '/channels/:id',
    handle: ({ state }, [id = '']) => {
      const channel = channelOf(state, id)
      need(state, channel, 'VIEW_CHANNEL')
      return ok(channelBody(channel))
    },
  },
  {
    method: 'PATCH',
    path: '/channels/:id',
    handle: ({ state }, [id = ''], { body }) => ok(editChannel(state, id, json(body))),
  },
  {
    method: 'POST',
    path: '/channels/:id/messages',
    handle: ({ state }, [id = ''], { body, files }) => ok(createMessage(state, id, json(body), files)),
  },
  { method: 'GET', path: '/channels/:id/messages', handle: listMessages },
  {
    method: 'GET',
    path: '/channels/:id/messages/:id',
    handle: ({ state }, [channel = '', id = '']) => {
      need(state, channelOf(state, channel), 'READ_MESSAGE_HISTORY')
      return ok(messageBody(state, messageOf(state, channel, id)))
    },
  },
  {
    method: 'PATCH',
    path: '/channels/:id/messages/:id',
    handle: ({ state }, [channel = '', id = ''], { body }) => ok(editMessage(state, channel, id, json(body))),
  },
  {
    method: 'POST',
    path: '/channels/:id/messages/:id/threads',
    handle: ({ state }, [channel = '', id = ''], { body }) => ({
      status: 201,
      body: createThread(state, channel, id, json(body), []),
    }),
  },
  {
    method: 'POST',
    path: '/channels/:id/threads',
    handle: ({ state }, [channel = ''], { body, files }) => ({
      status: 201,
      body: createThread(state, channel, null, json(body), files),
    }),
  },
  {
    method: 'GET',
    path: '/guilds/:id/threads/active',
    handle: ({ state }, [guild = '']) => {
      const threads = [...state.channels.values()].filter(
        (channel) => channel.guild_id === guild && isThread(channel) && channel.thread_metadata?.archived === false,
      )
      return ok({ threads: threads.map(channelBody), members: [] })
    },
  },
  {
    method: 'PUT',
    path: '/channels/:id/thread-members/:user',
    handle: ({ state }, [id = '', user = '']) => {
      if (!state.users.has(user)) throw apiFault(404, 10_013, 'Unknown User')
      state.threadMembers.get(channelOf(state, id).id)?.add(user)
      return done
    },
  },
  {
    method: 'PUT',
    path: '/channels/:id/messages/:id/reactions/:emoji/@me',
    handle: ({ state }, [channel = '', id = '', emoji = '']) => {
      addReaction(state, channel, id, decodeURIComponent(emoji))
      return done
    },
  },
  {
    method: 'DELETE',
    path: '/channels/:id/messages/:id/reactions/:emoji/@me',
    handle: ({ state }, [channel = '', id = '', emoji = '']) => {
      removeReaction(state, channel, id, decodeURIComponent(emoji))
      return done
    },
  },
  {
    method: 'POST',
    path: '/interactions/:id/:token/callback',
    isPublic: true,
    handle: ({ state }, [id = '', token = ''], { body, files }) => {
      answerInteraction(state, id, token, json(body), files)
      return done
    },
  },
  {
    method: 'PATCH',
    path: '/webhooks/:app/:token/messages/@original',
    isPublic: true,
    handle: ({ state }, [, token = ''], { body, files }) => ok(editOriginal(state, token, json(body), files)),
  },
  {
    method: 'DELETE',
    path: '/webhooks/:app/:token/messages/@original',
    isPublic: true,
    handle: ({ state }, [, token = '']) => {
      byToken(state, token).replies.shift()
      return done
    },
  },
  {
    method: 'POST',
    path: '/webhooks/:app/:token',
    isPublic: true,
    handle: ({ state }, [, token = ''], { body, files }) => ok(followUp(state, token, json(body), files)),
  },
]

function listMessages({ state }: RestContext, [id = '']: readonly string[], { query }: RestRequest): RestAnswer {
  const channel = channelOf(state, id)
  need(state, channel, 'READ_MESSAGE_HISTORY')
  const limit = Number(query.get('limit') ?? 50)
  if (!(limit >= 1 && limit <= 100)) throw apiFault(400, 50035, 'Invalid Form Body', {})
  const before = query.get('before')
  const found = [...state.messages.values()]
    .filter((message) => message.channel_id === id && (before === null || BigInt(message.id) < BigInt(before)))
    .sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1))
  return ok(found.slice(0, limit).map((message) => messageBody(state, message)))
}

/** The answer to one request; faults are turned into Discord's error bodies. */
export function answer(context: RestContext, request: RestRequest): RestAnswer {
  try {
    const found = findRoute(request)
    if (found === undefined) return { status: 404, body: { message: '404: Not Found', code: 0 } }
    if (!found.route.isPublic && request.authorization !== `Bot ${context.token}`) {
      return { status: 401, body: { message: '401: Unauthorized', code: 0 } }
    }
    return found.route.handle(context, found.params, request)
  } catch (error) {
    if (!(error instanceof Error) || !('status' in error) || !('code' in error)) throw error
    const errors = 'errors' in error ? { errors: error.errors } : {}
    return { status: Number(error.status), body: { message: error.message, code: error.code, ...errors } }
  }
}

function findRoute(request: RestRequest): { route: Route; params: string[] } | undefined {
  for (const route of ROUTES) {
    const pattern = new RegExp(`^${route.path.replace(/:[a-z]+/g, '([^/]+)')}$`)
    const match = route.method === request.method ? pattern.exec(request.path) : null
    if (match !== null) return { route, params: match.slice(1) }
  }
  return undefined
}

/** The route with its major parameter: what a rate limit counts by. */
export function bucketOf(request: Pick<RestRequest, 'method' | 'path'>): string {
  const [, kind = '', major = ''] = request.path.split('/')
  const rest = request.path
    .split('/')
    .slice(3)
    .map((part) => (/^\d{5,}$/.test(part) ? ':id' : part))
  return `${request.method} /${kind}/${major}/${rest.join('/')}`
}

function json(body: unknown): Json {
  return isJson(body) ? body : {}
}
