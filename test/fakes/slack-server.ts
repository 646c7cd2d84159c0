/**
 * Slack on loopback, as far as an app can tell: the Web API with its errors and limits, Socket Mode, signed HTTP delivery,
 * response URLs, uploads and private downloads. Tests look at `world`, act as people through `user`, and break things through `faults`.
 * Nothing here waits for time to pass: redelivery, expiry and recovery happen when a test says so.
 */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { messageProblem } from './slack-server-limits.ts'
import { callMethod } from './slack-server-methods.ts'
import { createSlackUser, type SlackPeople } from './slack-server-people.ts'
import {
  createWorld,
  type Delivery,
  type EnvelopeType,
  isJson,
  type Json,
  type SlackWorld,
} from './slack-server-state.ts'

export type Fault =
  /** `ok: false` on HTTP 200. */
  | { kind: 'error'; error: string; more?: Json }
  | { kind: 'status'; status: number }
  | { kind: 'rate_limited'; retryAfterS: number }
  /** The connection breaks before anything has happened. */
  | { kind: 'dropped' }
  /** It takes effect, and the answer is lost. */
  | { kind: 'lost_answer' }
  /** It takes effect once the gate opens; the answer follows. */
  | { kind: 'gate'; gate: Promise<void> }

export interface SlackServer extends AsyncDisposable {
  /** Give this to the client as the API's address. */
  readonly apiUrl: string
  /** What the real program needs to be connected, and everybody may use it. */
  readonly environment: Readonly<Record<string, string>>
  readonly baseUrl: string
  readonly world: SlackWorld
  readonly user: SlackPeople
  readonly faults: {
    /** The next calls of a method fail like this, one each, in order. `upload`, `download` and `response_url` are names too. */
    next(method: string, ...faults: Fault[]): void
    /** Nobody answers: connections break, sockets close, until `up`. */
    down(): void
    up(): void
    /** Sockets stay open and say nothing more: no pongs, no acknowledged events. */
    freezeSockets(): void
    /** New sockets are accepted, and no hello is sent. */
    withholdHello(): void
  }
  /** Open sockets that have been greeted. */
  readonly sockets: number
  /** Tells all sockets to reconnect, as Slack does now and then. */
  refreshSockets(reason?: 'refresh_requested' | 'warning' | 'link_disabled'): void
  /** Closes all sockets without a word. */
  breakSockets(): void
  /** Sends raw text to all sockets. */
  sendRaw(text: string): void
  /** Where signed HTTP goes instead of the socket: the app's events address. */
  eventsUrl: string | undefined
  deliver(type: EnvelopeType, payload: Json): Delivery
  /** Signed as Slack signs; `overrides` spoil it. */
  postSigned(
    payload: Json,
    type: EnvelopeType,
    overrides?: { timestampS?: number; signature?: string },
  ): Promise<Response>
  calls(method: string): Json[]
}

export interface SlackServerOptions {
  now?: () => number
  /** An envelope goes out on a socket, an acknowledgement comes in. */
  onTraffic?: (what: 'envelope' | 'acknowledgement') => void
}

export async function startSlackServer(options: SlackServerOptions = {}): Promise<SlackServer> {
  const world = createWorld(options.now ?? Date.now)
  const faults = new Map<string, Fault[]>()
  const mode = { down: false, frozen: false, silent: false }
  const sockets = new Set<WebSocket>()
  const waiting = new Map<string, (payload: Json) => void>()
  const http = createServer((request, response) => {
    if (mode.down) return void request.socket.destroy()
    handle(request, response).catch((error: unknown) => {
      response.destroy()
      throw error
    })
  })
  const wss = new WebSocketServer({ noServer: true })

  http.on('upgrade', (request, socket, head) => {
    if (mode.down || !(request.url ?? '').startsWith('/link/')) return void socket.destroy()
    wss.handleUpgrade(request, socket, head, (ws) => greet(ws))
  })

  function greet(ws: WebSocket): void {
    ws.on('error', () => ws.terminate())
    ws.on('close', () => sockets.delete(ws))
    ws.on('message', (data) => onSocketMessage(data))
    if (mode.silent) return
    sockets.add(ws)
    const hello = { type: 'hello', num_connections: sockets.size, connection_info: { app_id: world.appId } }
    ws.send(JSON.stringify(hello))
    for (const send of backlog.splice(0)) send()
  }

  function onSocketMessage(data: RawData): void {
    const parsed: unknown = JSON.parse(String(data))
    if (!isJson(parsed) || typeof parsed.envelope_id !== 'string') return
    waiting.get(parsed.envelope_id)?.(isJson(parsed.payload) ? parsed.payload : {})
    options.onTraffic?.('acknowledgement')
  }

  const backlog: (() => void)[] = []

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', baseUrl)
    const body = await readBody(request)
    if (url.pathname.startsWith('/api/')) return answerApi(url.pathname.slice('/api/'.length), request, body, response)
    if (url.pathname.startsWith('/upload/v1/'))
      return answerUpload(url.pathname.split('/').at(-1) ?? '', body, response)
    if (url.pathname.startsWith('/files-pri/')) return answerDownload(url.pathname, request, response)
    if (url.pathname.startsWith('/response/')) return answerResponseUrl(url.href, body, response)
    if (url.pathname === '/login')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in')
    response.writeHead(404).end()
  }

  /** Plays the next fault of this name; answers false when the request was swallowed by it. */
  async function playFault(name: string, response: ServerResponse, effect: () => void): Promise<boolean> {
    const fault = faults.get(name)?.shift()
    if (fault === undefined) return true
    switch (fault.kind) {
      case 'error':
        respondJson(response, { ok: false, error: fault.error, ...fault.more })
        return false
      case 'status':
        response.writeHead(fault.status).end('upstream trouble')
        return false
      case 'rate_limited':
        response.writeHead(429, { 'retry-after': String(fault.retryAfterS), 'content-type': 'application/json' })
        response.end(JSON.stringify({ ok: false, error: 'ratelimited' }))
        return false
      case 'dropped':
        response.destroy()
        return false
      case 'lost_answer':
        effect()
        response.destroy()
        return false
      case 'gate':
        await fault.gate
        return true
    }
  }

  async function answerApi(
    method: string,
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
  ): Promise<void> {
    const args = parseArgs(body)
    const token = String(request.headers.authorization ?? '').replace(/^Bearer /, '')
    world.calls.push({ method, args, token })
    const run = (): Json => callMethod(world, { method, args, token, baseUrl })
    if (!(await playFault(method, response, run))) return
    response.setHeader('x-oauth-scopes', [...world.bot.scopes].join(','))
    respondJson(response, run())
  }

  async function answerUpload(id: string, body: Buffer, response: ServerResponse): Promise<void> {
    const file = world.files.get(id)
    const store = (): void => {
      if (file === undefined) return
      file.bytes = body
      file.uploaded = body.length === file.expectedBytes
    }
    if (!(await playFault('upload', response, store))) return
    if (file === undefined) return void response.writeHead(404).end()
    store()
    if (file.uploaded) response.writeHead(200).end(`OK - ${body.length}`)
    else response.writeHead(400).end('length does not match')
  }

  async function answerDownload(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!(await playFault('download', response, () => undefined))) return
    const file = [...world.files.values()].find((each) => new URL(each.urlPrivate).pathname === path)
    const isAuthorized =
      request.headers.authorization === `Bearer ${world.bot.token}` && world.bot.scopes.has('files:read')
    // Slack answers a browser's sign-in page, not an error, to whoever may not read the file.
    if (!isAuthorized) return void response.writeHead(302, { location: `${baseUrl}/login` }).end()
    if (file === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': file.mimetype, 'content-length': file.bytes.length }).end(file.bytes)
  }

  async function answerResponseUrl(href: string, body: Buffer, response: ServerResponse): Promise<void> {
    if (!(await playFault('response_url', response, () => undefined))) return
    const entry = world.responseUrls.get(href)
    if (entry === undefined) return void response.writeHead(404).end('no such response URL')
    if (entry.expiresAt < world.now()) return void response.writeHead(404).end('expired_url')
    if (entry.uses.length >= 5) return void response.writeHead(404).end('used_url')
    const message: unknown = JSON.parse(body.toString('utf8'))
    if (!isJson(message)) return void response.writeHead(400).end('invalid_payload')
    const blocks = Array.isArray(message.blocks) ? message.blocks.filter(isJson) : []
    const problem = messageProblem(String(message.text ?? ''), blocks, false)
    if (problem !== undefined) return void response.writeHead(500).end(problem.error)
    entry.uses.push(message)
    response.writeHead(200).end('ok')
  }

  function deliver(type: EnvelopeType, payload: Json): Delivery {
    const delivery = newDelivery(payload, (attempt, reason, onAck) => {
      if (server.eventsUrl !== undefined) return void postAndAck(type, payload, onAck)
      const envelopeId = world.nextId('envelope-')
      waiting.set(envelopeId, onAck)
      const envelope = {
        envelope_id: envelopeId,
        type,
        payload,
        accepts_response_payload: type !== 'events_api',
        retry_attempt: attempt,
        retry_reason: reason,
      }
      const send = (): void => {
        ;[...sockets].at(-1)?.send(JSON.stringify(envelope))
        options.onTraffic?.('envelope')
      }
      if (sockets.size === 0) backlog.push(send)
      else if (!mode.frozen) send()
    })
    return delivery
  }

  async function postAndAck(type: EnvelopeType, payload: Json, onAck: (payload: Json) => void): Promise<void> {
    const response = await server.postSigned(payload, type)
    if (!response.ok) return
    const answer = await response.text()
    onAck(answer.startsWith('{') ? JSON.parse(answer) : { text: answer })
  }

  function postSigned(payload: Json, type: EnvelopeType, overrides: { timestampS?: number; signature?: string } = {}) {
    const isJsonBody = type === 'events_api'
    const body = isJsonBody ? JSON.stringify(payload) : formBody(payload, type)
    const timestamp = String(overrides.timestampS ?? Math.floor(Date.now() / 1000))
    const hash = createHmac('sha256', world.signingSecret).update(`v0:${timestamp}:${body}`).digest('hex')
    return fetch(server.eventsUrl ?? baseUrl, {
      method: 'POST',
      body,
      headers: {
        'content-type': isJsonBody ? 'application/json' : 'application/x-www-form-urlencoded',
        'x-slack-request-timestamp': timestamp,
        'x-slack-signature': overrides.signature ?? `v0=${hash}`,
      },
    })
  }

  const baseUrl = await listen(http)
  const server: SlackServer = {
    apiUrl: `${baseUrl}/api/`,
    get environment() {
      return {
        SLACK_API_URL: `${baseUrl}/api/`,
        SLACK_BOT_TOKEN: world.bot.token,
        SLACK_APP_TOKEN: world.appToken,
        SLACK_ALLOWED_USERS: '*',
      }
    },
    baseUrl,
    world,
    user: createSlackUser(world, deliver, baseUrl),
    faults: {
      next: (method, ...list) => void faults.set(method, [...(faults.get(method) ?? []), ...list]),
      down: () => {
        mode.down = true
        sockets.clear()
        for (const ws of wss.clients) ws.terminate()
        http.closeAllConnections()
      },
      up: () => {
        mode.down = false
      },
      freezeSockets: () => {
        mode.frozen = true
        for (const ws of wss.clients) ws.pause()
      },
      withholdHello: () => {
        mode.silent = true
      },
    },
    get sockets() {
      return sockets.size
    },
    refreshSockets: (reason = 'refresh_requested') => {
      for (const ws of sockets) ws.send(JSON.stringify({ type: 'disconnect', reason, debug_info: {} }))
    },
    breakSockets: () => {
      sockets.clear()
      for (const ws of wss.clients) ws.terminate()
    },
    sendRaw: (text) => {
      for (const ws of sockets) ws.send(text)
    },
    eventsUrl: undefined,
    deliver,
    postSigned,
    calls: (method) => world.calls.filter((call) => call.method === method).map((call) => call.args),
    async [Symbol.asyncDispose]() {
      for (const ws of wss.clients) ws.terminate()
      wss.close()
      http.closeAllConnections()
      await new Promise<void>((resolve) => http.close(() => resolve()))
    },
  }
  return server
}

function newDelivery(
  payload: Json,
  send: (attempt: number, reason: string, onAck: (payload: Json) => void) => void,
): Delivery {
  const { promise, resolve } = Promise.withResolvers<Json>()
  let isAcked = false
  let attempt = 0
  const onAck = (answer: Json): void => {
    isAcked = true
    resolve(answer)
  }
  send(attempt, '', onAck)
  return {
    payload,
    acked: promise,
    get isAcked() {
      return isAcked
    },
    redeliver: (reason = 'timeout', as = attempt + 1) => {
      attempt = as
      send(attempt, reason, onAck)
    },
  }
}

function formBody(payload: Json, type: EnvelopeType): string {
  const form = new URLSearchParams()
  if (type === 'interactive') form.set('payload', JSON.stringify(payload))
  else for (const [key, value] of Object.entries(payload)) form.set(key, String(value))
  return form.toString()
}

/** Form fields as Slack reads them: strings, with blocks, files, metadata and views as JSON inside. */
function parseArgs(body: Buffer): Json {
  const args: Json = {}
  for (const [key, value] of new URLSearchParams(body.toString('utf8'))) {
    args[key] = /^[[{]/.test(value) && key !== 'text' ? parseOr(value) : value
  }
  return args
}

function parseOr(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    // Text that only looks like JSON stays text.
    return value
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function respondJson(response: ServerResponse, answer: Json): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(answer))
}

async function listen(http: Server): Promise<string> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const address: AddressInfo | string | null = http.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return `http://127.0.0.1:${address.port}`
}
