/**
 * The HTTP API beside a bare node:http server with zod and a raw SQLite table.
 * Rounds are interleaved, each peer keeps 16 connections busy from a thread of its own, medians are told.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { z } from 'zod'
import { systemClock } from '../../src/app/system-clock.ts'
import { startApiOn } from '../adapters/http/api.ts'
import { openRealApp } from '../adapters/real-app.ts'
import type { Bench, Figure } from './figure.ts'
import { fillStore } from './growth.ts'
import { quantile, spreadOf, versus } from './measure.ts'

const CONNECTIONS = 16
const ROUNDS = 7
const SECONDS = 1

interface Load {
  port: number
  request: string
  seconds: number
}

export const bench: Bench = {
  async run(): Promise<readonly Figure[]> {
    return [...(await measureApi(10_000)), ...(await measureApi(1_000_000))]
  },
}

/** FastAPI, tuned, gives 0.16 as many pages with our fields as this bare server gives with its four columns; the goal is four times FastAPI. */
const GOAL = { of: 'ratio', atLeast: 0.63 } as const

async function measureApi(tasks: number): Promise<readonly Figure[]> {
  await using app = await openRealApp()
  fillStore(join(app.home, 'tasks.db'), tasks)
  const limits = { requestsPerMinute: Number.MAX_SAFE_INTEGER }
  await using api = await startApiOn(app.inbox, { clock: systemClock, limits })
  const bare = await startBare(join(app.home, 'bare.db'), tasks)
  const port = Number(new URL(api.url).port)
  const slow: Record<string, number[]> = { [GET]: [], [OTHER_PAGES]: [], [POST]: [] }
  const ours = async (request: string) => {
    const { rate, p99Ms } = await load({ port, request, seconds: SECONDS })
    slow[request]?.push(p99Ms)
    return rate
  }
  const compare = (name: string, request: string) =>
    versus({
      name: `${name} at ${tasks} tasks`,
      unit: '/s',
      rounds: ROUNDS,
      ours: () => ours(request),
      peer: {
        name: 'bare node:http + zod',
        measure: async () => (await load({ port: bare.port, request, seconds: SECONDS })).rate,
      },
    })
  try {
    const get = { ...(await compare('GET /tasks (20)', GET)), goal: GOAL }
    const others = await compare('GET /tasks (20), another page each time', OTHER_PAGES)
    const post = { ...(await compare('POST /tasks', POST)), goal: GOAL }
    const p99 = (name: string, request: string) => ({
      name: `${name} at ${tasks} tasks, p99 with ${CONNECTIONS} connections`,
      unit: 'ms',
      ours: spreadOf(slow[request]?.slice(1) ?? []),
    })
    return [get, p99('GET /tasks (20)', GET), others, post, p99('POST /tasks', POST)]
  } finally {
    bare.close()
  }
}

export const GET = 'GET /tasks?limit=20 HTTP/1.1\r\nHost: localhost\r\n\r\n'
/** Stands for a number that differs from request to request. */
const NUMBER = '0000'
/** None of them has been asked for lately. */
export const OTHER_PAGES = GET.replace('limit=20', `limit=20&cursor=5${NUMBER}`)
const BODY = '{"description":"!true"}'
export const POST = `POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`

const bareBody = z.strictObject({ description: z.string().min(1) })
const bareQuery = z.object({ limit: z.coerce.number().int().min(1).max(200) })

/** The shortest API: a raw table, a row and an event for each task, JSON of the rows. What it answers 201 to is on disk, as with ours. */
async function startBare(file: string, tasks: number): Promise<{ port: number; close(): void }> {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = full')
  db.exec(`CREATE TABLE task (id INTEGER PRIMARY KEY, description TEXT NOT NULL, status TEXT NOT NULL, at INTEGER NOT NULL);
    CREATE TABLE event (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL)`)
  db.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO task (description, status, at) SELECT 'an old task with a description of some length', 'done', i FROM n`,
  ).run(tasks)
  const page = db.prepare<[number]>('SELECT * FROM task ORDER BY id DESC LIMIT ?')
  const insert = db.prepare("INSERT INTO task (description, status, at) VALUES (?, 'pending', ?)")
  const event = db.prepare('INSERT INTO event (task_id, at, body) VALUES (?, ?, ?)')
  const add = db.transaction((description: string) => {
    const id = insert.run(description, Date.now()).lastInsertRowid
    event.run(id, Date.now(), '{"kind":"submitted"}')
    return { id: Number(id), description, status: 'pending' }
  })
  const server = createServer(async (request, response) => {
    const write = (status: number, value: object) => {
      const json = Buffer.from(JSON.stringify(value))
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': json.length }).end(json)
    }
    if (request.method === 'GET') {
      const { limit } = bareQuery.parse(Object.fromEntries(new URL(request.url ?? '', 'http://x').searchParams))
      return write(200, { tasks: page.all(limit) })
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    return write(201, add(bareBody.parse(JSON.parse(Buffer.concat(chunks).toString())).description))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server.address()),
    close() {
      server.closeAllConnections()
      server.close()
      db.close()
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  return address !== null && typeof address === 'object' ? address.port : 0
}

interface Loaded {
  rate: number
  p99Ms: number
}

const loaded = z.object({ rate: z.number(), p99Ms: z.number() })

export function load(workload: Load): Promise<Loaded> {
  const { promise, resolve, reject } = Promise.withResolvers<Loaded>()
  const worker = new Worker(import.meta.filename, { workerData: workload })
  worker.once('message', (answer: unknown) => resolve(loaded.parse(answer)))
  worker.once('error', reject)
  return promise
}

/** By all connections. */
let asked = 0

/** One connection: the next request as soon as the answer is whole. Of an answer only its head is looked at: who asks shares the machine. */
function ask({ port, request }: Load, until: number, onAnswer: (ms: number) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect(port, '127.0.0.1', () => write())
  const write = () => socket.write(request.replace(NUMBER, String(1000 + (asked++ % 9000))))
  let askedAt = performance.now()
  /** Of the answer that is coming in; undefined before its head is whole. */
  let bytesLeft: number | undefined
  let before: Buffer = Buffer.alloc(0)
  socket.on('error', reject)
  socket.on('data', (chunk) => {
    if (bytesLeft === undefined) {
      before = before.length === 0 ? chunk : Buffer.concat([before, chunk])
      const end = before.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = before.toString('latin1', 0, end)
      const length = /\ncontent-length: (\d+)/i.exec(head)?.[1]
      if (length === undefined || !head.startsWith('HTTP/1.1 20')) return reject(new Error(head))
      bytesLeft = end + 4 + Number(length) - before.length
      before = Buffer.alloc(0)
    } else {
      bytesLeft -= chunk.length
    }
    if (bytesLeft > 0) return
    bytesLeft = undefined
    const now = performance.now()
    onAnswer(now - askedAt)
    askedAt = now
    if (now < until) write()
    else socket.end(resolve)
  })
  return promise
}

if (!isMainThread && parentPort !== null) {
  const workload: Load = z.object({ port: z.number(), request: z.string(), seconds: z.number() }).parse(workerData)
  const answers: number[] = []
  const start = performance.now()
  const until = start + workload.seconds * 1000
  await Promise.all(Array.from({ length: CONNECTIONS }, () => ask(workload, until, (ms) => answers.push(ms))))
  const rate = (answers.length * 1000) / (performance.now() - start)
  parentPort.postMessage({ rate, p99Ms: quantile(answers, 0.99) } satisfies Loaded)
}
