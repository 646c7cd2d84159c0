/** The gateway of the stand-in: hello, identify, heartbeats, dispatches with sequence numbers, resume with replay. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Json, State } from './discord-server-state.ts'
import { newToken } from './discord-server-state.ts'
import { isJson } from './discord-server-validate.ts'

const MESSAGE_CONTENT = 1 << 15

interface Session {
  id: string
  intents: number
  sequence: number
  /** Every dispatch of the session, for replay. */
  sent: Json[]
  socket: WebSocket | null
}

export interface FakeGateway {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** To every session; kept for replay when it is not connected. */
  dispatch(event: string, data: unknown): void
  /** Asks the client to reconnect and resume (op 7). */
  askReconnect(): void
  /** Op 9; `resumable` as Discord tells it. */
  invalidateSession(resumable: boolean): void
  /** Closes all connections with this code, as Discord would. */
  closeAll(code: number): void
  /** Drops all connections without a word. */
  terminateAll(): void
  /** Forgets all sessions: the next resume is refused. */
  forgetSessions(): void
  readonly connections: number
  /** Those that have said who they are: an event reaches somebody. */
  readonly sessions: number
  readonly identifies: readonly Json[]
  readonly resumes: readonly Json[]
  readonly heartbeats: number
}

export interface GatewayOptions {
  state: State
  token: string
  url(): string
  /** Whether the switch for Message Content is on in the developer portal. */
  contentAllowed(): boolean
  heartbeatMs: number
  guildCreate(guildId: string): Json
  /** The message as somebody without the intent gets it. */
  hideContent(data: Json): Json
}

export function createGateway(options: GatewayOptions): FakeGateway {
  const server = new WebSocketServer({ noServer: true })
  const sockets = new Set<WebSocket>()
  const sessions = new Map<string, Session>()
  const identifies: Json[] = []
  const resumes: Json[] = []
  let heartbeats = 0

  function send(socket: WebSocket, payload: Json): void {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(payload))
  }

  function dispatchTo(session: Session, event: string, data: unknown): void {
    const isHidden = event.startsWith('MESSAGE_') && (session.intents & MESSAGE_CONTENT) === 0
    const d = isHidden && isJson(data) ? options.hideContent(data) : data
    const payload = { op: 0, s: ++session.sequence, t: event, d }
    session.sent.push(payload)
    if (session.socket !== null) send(session.socket, payload)
  }

  function refusalOf(data: Json, intents: number): number | undefined {
    if (data.token !== options.token) return 4004
    return (intents & MESSAGE_CONTENT) !== 0 && !options.contentAllowed() ? 4014 : undefined
  }

  function identify(socket: WebSocket, data: Json): void {
    identifies.push(data)
    const intents = Number(data.intents)
    const refusal = refusalOf(data, intents)
    if (refusal !== undefined) {
      socket.close(refusal)
      return
    }
    const session: Session = { id: newToken(), intents, sequence: 0, sent: [], socket }
    sessions.set(session.id, session)
    const guilds = [...options.state.guilds.keys()]
    dispatchTo(session, 'READY', {
      v: 10,
      user: options.state.bot,
      guilds: guilds.map((id) => ({ id, unavailable: true })),
      session_id: session.id,
      resume_gateway_url: options.url(),
      application: { id: options.state.app.id, flags: options.state.app.flags },
      shard: [0, 1],
      private_channels: [],
    })
    for (const id of guilds) dispatchTo(session, 'GUILD_CREATE', options.guildCreate(id))
  }

  function resume(socket: WebSocket, data: Json): void {
    resumes.push(data)
    const session = sessions.get(String(data.session_id))
    if (session === undefined || data.token !== options.token) {
      send(socket, { op: 9, d: false })
      return
    }
    session.socket = socket
    for (const payload of session.sent) if (Number(payload.s) > Number(data.seq)) send(socket, payload)
    dispatchTo(session, 'RESUMED', {})
  }

  function receive(socket: WebSocket, text: string): void {
    const payload: unknown = JSON.parse(text)
    if (!isJson(payload)) return
    const data = isJson(payload.d) ? payload.d : {}
    if (payload.op === 1) {
      heartbeats += 1
      send(socket, { op: 11 })
    } else if (payload.op === 2) identify(socket, data)
    else if (payload.op === 6) resume(socket, data)
  }

  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('message', (data) => receive(socket, data.toString()))
    socket.on('close', () => {
      sockets.delete(socket)
      for (const session of sessions.values()) if (session.socket === socket) session.socket = null
    })
    send(socket, { op: 10, d: { heartbeat_interval: options.heartbeatMs } })
  })

  return {
    upgrade: (request, socket, head) =>
      server.handleUpgrade(request, socket, head, (open) => server.emit('connection', open, request)),
    dispatch(event, data) {
      for (const session of sessions.values()) dispatchTo(session, event, data)
    },
    askReconnect() {
      for (const socket of sockets) send(socket, { op: 7, d: null })
    },
    invalidateSession(resumable) {
      for (const socket of sockets) send(socket, { op: 9, d: resumable })
    },
    closeAll(code) {
      for (const socket of sockets) socket.close(code)
    },
    terminateAll() {
      for (const socket of sockets) socket.terminate()
    },
    forgetSessions: () => sessions.clear(),
    get connections() {
      return sockets.size
    },
    get sessions() {
      return [...sessions.values()].filter(({ socket }) => socket !== null).length
    },
    identifies,
    resumes,
    get heartbeats() {
      return heartbeats
    },
  }
}
