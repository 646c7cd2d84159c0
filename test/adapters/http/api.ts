/** A running API on a scripted inbox, with what tests need to talk to it. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHttpAdapter } from '../../../adapters/http/http-adapter.ts'
import type { HttpAdapterOptions } from '../../../adapters/http/options.ts'
import type { ApiToken } from '../../../adapters/http/tokens.ts'
import { hashToken } from '../../../adapters/http/tokens.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { type FakeInbox, fakeInbox } from '../../fakes/fake-inbox.ts'
import { type ManualClock, manualClock } from '../../fakes/manual-clock.ts'

export interface LogEntry {
  level: string
  fields: object
  message: string
}

export interface Api<In extends Inbox = FakeInbox> extends AsyncDisposable {
  url: string
  inbox: In
  clock: ManualClock
  log: LogEntry[]
  spoolDirectory: string
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  /** As bytes on the wire say it: paths, Host and headers that fetch would tidy up. */
  raw(options: RawRequest): Promise<RawResponse>
}

export interface RawRequest {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: string | Buffer
}

export interface RawResponse {
  status: number
  headers: NodeJS.Dict<string | string[]>
  body: Buffer
}

export function memoryLogger(log: LogEntry[]): Logger {
  const at = (level: string) => (fields: object, message: string) => void log.push({ level, fields, message })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export function newToken(name: string, scopes: ApiToken['scopes']): { token: string; entry: ApiToken } {
  const token = randomBytes(32).toString('base64url')
  return { token, entry: { hash: hashToken(token), scopes, name } }
}

export const NO_TASKS = { pending: 0, planning: 0, awaiting_approval: 0, running: 0, done: 0, failed: 0, cancelled: 0 }

export function startApi(options: Partial<HttpAdapterOptions> = {}): Promise<Api> {
  return startApiOn(fakeInbox(), options)
}

export async function startApiOn<In extends Inbox>(
  inbox: In,
  options: Partial<HttpAdapterOptions> = {},
): Promise<Api<In>> {
  const home = await mkdtemp(join(tmpdir(), 'assistant-http-'))
  const clock = manualClock()
  const log: LogEntry[] = []
  const spoolDirectory = join(home, 'spool')
  const adapter = createHttpAdapter({
    inbox,
    clock,
    logger: memoryLogger(log),
    host: '127.0.0.1',
    port: 0,
    tokens: [],
    allowedHosts: [],
    spoolDirectory,
    version: '1.2.3',
    health: async () => ({ checks: [{ name: 'store', ok: true }], tasks: NO_TASKS, liveWorkers: 1 }),
    ...options,
  })
  await adapter.start()
  const url = adapter.address
  return {
    url,
    inbox,
    clock,
    log,
    spoolDirectory,
    get: (path, headers = {}) => fetch(url + path, { headers }),
    post: (path, body, headers = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    raw: (request) => sendRaw(url, request),
    async [Symbol.asyncDispose]() {
      await adapter[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  }
}

function sendRaw(url: string, { method = 'GET', path, headers = {}, body }: RawRequest): Promise<RawResponse> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname: hostname.replace(/[[\]]/g, ''), port, method, path, headers, agent: false })
    request.on('error', reject)
    request.on('response', async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) })
    })
    request.end(body)
  })
}
