import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeModel {
  name: string
  /** In memory already; a cold model is loaded by the first chat. */
  loaded?: boolean
}

export interface ChatBody {
  model: string
  messages: { role: string; content: string }[]
  format?: object
  stream?: boolean
  options?: Record<string, unknown>
}

/** How one chat request is answered. A string is a whole reply that ends normally. */
export type FakeReply = string | FakeAnswer | ((body: ChatBody) => string | FakeAnswer)

export interface FakeAnswer {
  content?: string
  thinking?: string
  /** Characters in each line of the stream. */
  chunkLength?: number
  doneReason?: string
  /** Held before the headers, as a server that loads a model does. */
  beforeHeaders?: Promise<unknown>
  /** Held after the first line of the stream. */
  afterFirstLine?: Promise<unknown>
  /** The connection is cut after this many lines. */
  cutAfterLines?: number
  /** The stream ends cleanly, but without its last line. */
  withoutDone?: boolean
  /** A line `{"error": …}` after the content, in place of the last line. */
  errorLine?: string
  /** Answers with this status and body instead of a stream. */
  status?: number
  body?: string
  contentType?: string
}

export interface RecordedRequest {
  method: string
  path: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface FakeOllamaServer extends AsyncDisposable {
  /** For createPlanner's `host` and OLLAMA_HOST. */
  readonly host: string
  /** Everything that was asked, in order. */
  readonly requests: readonly RecordedRequest[]
  /** Bodies of the chat requests, parsed. */
  readonly chats: readonly ChatBody[]
  /** Chat connections that the client closed before the reply had ended. */
  readonly hungUp: number
  /** Adds replies behind those that are left. */
  reply(...replies: FakeReply[]): void
  /** Requests of this path are answered when `until` has settled. */
  hold(path: string, until: Promise<unknown>): void
  /** Ends the server and cuts what is open. May be called twice. */
  close(): Promise<void>
}

/**
 * An Ollama on loopback: /api/chat as a stream of JSON lines, /api/tags, /api/ps, /api/version. Chats are answered by the
 * scripted replies in turn; a chat without a reply left gets status 500, so that a test sees it. No timers: tests hold gates.
 */
export async function startOllamaServer(options: {
  models?: readonly FakeModel[]
  replies?: readonly FakeReply[]
}): Promise<FakeOllamaServer> {
  const models = (options.models ?? [{ name: 'test:latest', loaded: true }]).map((model) => ({
    loaded: false,
    ...model,
  }))
  const replies = [...(options.replies ?? [])]
  const requests: RecordedRequest[] = []
  const chats: ChatBody[] = []
  const held = new Map<string, Promise<unknown>>()
  let hungUp = 0

  function findModel(name: string) {
    const full = name.includes(':') ? name : `${name}:latest`
    return models.find((model) => model.name === full || model.name === name)
  }

  async function chat(body: ChatBody, response: ServerResponse): Promise<void> {
    const model = findModel(body.model)
    if (model === undefined) return sendJson(response, 404, { error: `model '${body.model}' not found` })
    const next = replies.shift()
    if (next === undefined) return sendJson(response, 500, { error: 'the fake server has no reply left' })
    const scripted = typeof next === 'function' ? next(body) : next
    const answer: FakeAnswer = typeof scripted === 'string' ? { content: scripted } : scripted
    await streamAnswer(body.model, answer, response)
    model.loaded = true
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const path = request.url ?? ''
    requests.push({ method: request.method ?? '', path, headers: request.headers, body })
    await held.get(path)
    if (path === '/api/version') return sendJson(response, 200, { version: '0.9.0' })
    if (path === '/api/tags') return sendJson(response, 200, { models: models.map(describe) })
    if (path === '/api/ps') return sendJson(response, 200, { models: models.filter((m) => m.loaded).map(describe) })
    if (path !== '/api/chat' || request.method !== 'POST') return sendText(response, 404, '404 page not found')
    response.once('close', () => {
      if (!response.writableFinished) hungUp += 1
    })
    const parsed: ChatBody = JSON.parse(body)
    chats.push(parsed)
    await chat(parsed, response)
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  async function close(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    host: `http://127.0.0.1:${addressOf(server.address()).port}`,
    requests,
    chats,
    get hungUp() {
      return hungUp
    },
    reply: (...more) => void replies.push(...more),
    hold: (path, until) => void held.set(path, until),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function streamAnswer(model: string, answer: FakeAnswer, response: ServerResponse): Promise<void> {
  await answer.beforeHeaders
  if (answer.status !== undefined) {
    response.writeHead(answer.status, { 'content-type': answer.contentType ?? 'application/json; charset=utf-8' })
    response.end(answer.body ?? '')
    return
  }
  response.writeHead(200, { 'content-type': answer.contentType ?? 'application/x-ndjson' })
  let sent = 0
  for (const message of messagesOf(answer)) {
    if (sent === answer.cutAfterLines) return void response.destroy()
    await writeLine(response, { model, created_at: '2030-01-01T00:00:00Z', message, done: false })
    if (sent === 0) await answer.afterFirstLine
    sent += 1
  }
  if (answer.cutAfterLines !== undefined) return void response.destroy()
  if (answer.errorLine !== undefined) await writeLine(response, { error: answer.errorLine })
  else if (!answer.withoutDone) await writeLine(response, lastLine(model, answer))
  response.end()
}

function lastLine(model: string, answer: FakeAnswer): object {
  const message = { role: 'assistant', content: '' }
  return { model, created_at: '2030-01-01T00:00:00Z', message, done: true, done_reason: answer.doneReason ?? 'stop' }
}

function messagesOf(answer: FakeAnswer): { role: string; content: string; thinking?: string }[] {
  const length = answer.chunkLength ?? 12
  const thoughts = pieces(answer.thinking ?? '', length).map((thinking) => ({
    role: 'assistant',
    content: '',
    thinking,
  }))
  return [...thoughts, ...pieces(answer.content ?? '', length).map((content) => ({ role: 'assistant', content }))]
}

function pieces(text: string, length: number): string[] {
  const parts: string[] = []
  for (let at = 0; at < text.length; at += length) parts.push(text.slice(at, at + length))
  return parts
}

async function writeLine(response: ServerResponse, line: object): Promise<void> {
  if (response.destroyed) return
  if (response.write(`${JSON.stringify(line)}\n`)) return
  const over = new AbortController()
  const { signal } = over
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })])
  over.abort()
}

function describe(model: FakeModel): object {
  return { name: model.name, model: model.name, size: 1, digest: '0', details: { family: 'test' } }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(body))
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' })
  response.end(text)
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the fake server listens on no port')
  return address
}
