/**
 * What the HTTP API costs beside a bare node:http server that asks the same store and writes the same JSON: `npm run bench -- http`.
 * Rounds are interleaved, each peer keeps 16 connections busy from a thread of its own, medians are told.
 */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { LOCAL_ACTOR } from '../../adapters/http/tokens.ts'
import { summaryJson, taskJson } from '../../src/core/task-json.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import { startApiOn } from '../adapters/http/api.ts'
import { openRealApp, realClock } from '../adapters/real-app.ts'

const CONNECTIONS = 16
const ROUNDS = 5
const MAX_SHARE = 2

interface Load {
  port: number
  request: string
  seconds: number
}

export interface HttpFigures {
  /** Requests a second, medians. */
  getApi: number
  getBare: number
  postApi: number
  postBare: number
}

/** Answers 1 when the API is less than half as fast as the bare server. */
export async function main(): Promise<number> {
  const figures = await measureHttp()
  for (const [name, api, bare] of [
    ['GET /tasks (20)', figures.getApi, figures.getBare],
    ['POST /tasks', figures.postApi, figures.postBare],
  ] as const) {
    console.log(`${name}: ${Math.round(api)}/s, bare node:http ${Math.round(bare)}/s: ${(api / bare).toFixed(2)} of it`)
  }
  return figures.getApi * MAX_SHARE < figures.getBare || figures.postApi * MAX_SHARE < figures.postBare ? 1 : 0
}

export async function measureHttp(seconds = 2): Promise<HttpFigures> {
  await using app = await openRealApp()
  const limits = { requestsPerMinute: Number.MAX_SAFE_INTEGER }
  await using api = await startApiOn(app.inbox, { clock: realClock, limits })
  const bare = await startBare(app.inbox)
  try {
    for (let at = 0; at < 100; at++) await submit(app.inbox, `!echo ${at}`)
    const ports = { Api: Number(new URL(api.url).port), Bare: bare.port }
    const seen = { getApi: [0], getBare: [0], postApi: [0], postBare: [0] }
    for (let round = 0; round < ROUNDS; round++) {
      for (const peer of ['Api', 'Bare'] as const) {
        seen[`get${peer}`].push(await load({ port: ports[peer], request: GET, seconds }))
        seen[`post${peer}`].push(await load({ port: ports[peer], request: POST, seconds: seconds / 4 }))
      }
    }
    const { getApi, getBare, postApi, postBare } = seen
    return { getApi: median(getApi), getBare: median(getBare), postApi: median(postApi), postBare: median(postBare) }
  } finally {
    bare.server.closeAllConnections()
    bare.server.close()
  }
}

const GET = 'GET /tasks?limit=20 HTTP/1.1\r\nHost: localhost\r\n\r\n'
const BODY = '{"description":"!true"}'
const POST = `POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`

function submit(inbox: Inbox, text: string) {
  return inbox.submit({ actor: LOCAL_ACTOR, text, place: null, attachments: [], dedupeKey: null, model: null })
}

const bareBody = z.strictObject({ description: z.string().min(1) })
const bareQuery = z.object({ limit: z.coerce.number().int().min(1).max(200) })

async function startBare(inbox: Inbox): Promise<{ server: Server; port: number }> {
  const server = createServer(async (request, response) => {
    const write = (status: number, value: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
    if (request.method === 'GET') {
      const { limit } = bareQuery.parse(Object.fromEntries(new URL(request.url ?? '', 'http://x').searchParams))
      const page = await inbox.list(LOCAL_ACTOR, { limit })
      return write(200, { tasks: page.kind === 'page' ? page.tasks.map(summaryJson) : [] })
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const outcome = await submit(inbox, bareBody.parse(JSON.parse(Buffer.concat(chunks).toString())).description)
    return write(201, outcome.kind === 'created' ? taskJson(outcome.task) : {})
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  return { server, port: portOf(server.address()) }
}

function portOf(address: AddressInfo | string | null): number {
  return address !== null && typeof address === 'object' ? address.port : 0
}

function load(workload: Load): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const worker = new Worker(import.meta.filename, { workerData: workload })
  worker.once('message', (rate: unknown) => resolve(Number(rate)))
  worker.once('error', reject)
  return promise
}

function median(values: readonly number[]): number {
  const sorted = values.slice(1).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** One connection: the next request as soon as the answer is whole. */
function ask({ port, request }: Load, until: number, onAnswer: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect(port, '127.0.0.1', () => socket.write(request))
  let got = ''
  socket.setEncoding('latin1')
  socket.on('error', reject)
  socket.on('data', (chunk: string) => {
    got += chunk
    const head = got.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = /content-length: (\d+)/i.exec(got.slice(0, head))?.[1]
    const isWhole = length === undefined ? got.endsWith('0\r\n\r\n') : got.length >= head + 4 + Number(length)
    if (!isWhole) return
    if (!/^HTTP\/1\.1 20/.test(got)) return reject(new Error(got.slice(0, 200)))
    got = ''
    onAnswer()
    if (performance.now() < until) socket.write(request)
    else socket.end(resolve)
  })
  return promise
}

if (!isMainThread && parentPort !== null) {
  const workload: Load = z.object({ port: z.number(), request: z.string(), seconds: z.number() }).parse(workerData)
  let answers = 0
  const start = performance.now()
  const until = start + workload.seconds * 1000
  await Promise.all(Array.from({ length: CONNECTIONS }, () => ask(workload, until, () => answers++)))
  parentPort.postMessage((answers * 1000) / (performance.now() - start))
}
