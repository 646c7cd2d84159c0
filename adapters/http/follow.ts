/** A task's log as server-sent events, until the task has ended, the client goes, or the server stops. */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Actor } from '../../src/core/actor.ts'
import { errorLine } from '../../src/core/errors.ts'
import { summaryJson, taskJson } from '../../src/core/task-json.ts'
import type { LogLine } from '../../src/ports/workspace.ts'
import type { ServerOptions } from './options.ts'
import { ApiProblem, refusalProblem } from './problems.ts'

export interface FollowRequest {
  actor: Actor
  taskId: number
  /** As the client sent it; not yet checked. */
  lastEventId: string | undefined
  /** How many of the last lines to begin with, when it does not resume. */
  lines: number
}

/** Answers the first refusal as a problem; after that everything is in the stream. */
export async function followTask(
  options: ServerOptions,
  followers: { now: number },
  reply: FastifyReply,
  request: FollowRequest,
): Promise<FastifyReply> {
  if (followers.now >= options.limits.followers) {
    const headers = { 'retry-after': '5' }
    throw new ApiProblem('unavailable', 'Too many logs are being followed already.', { headers })
  }
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, options.signal])
  const start = await findStart(options, request, signal)
  const out = new PassThrough()
  followers.now += 1
  out.once('close', () => {
    followers.now -= 1
    gone.abort()
  })
  void writeAll(options, request, { ...start, out, signal }).catch((error: unknown) => {
    // The answer has begun: all that is left is to end it, and the client comes back with Last-Event-ID.
    options.logger.warn({ taskId: request.taskId, error: errorLine(error) }, `[TASK ${request.taskId}] following ended`)
    out.end()
  })
  return reply
    .headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    .type('text/event-stream; charset=utf-8')
    .send(out)
}

interface Start {
  first: readonly LogLine[]
  rest: AsyncIterable<LogLine>
}

async function findStart({ inbox }: ServerOptions, request: FollowRequest, signal: AbortSignal): Promise<Start> {
  const { actor, taskId, lastEventId } = request
  if (lastEventId !== undefined && lastEventId !== '')
    return { first: [], rest: await follow(parseEventId(lastEventId)) }
  const outcome = await inbox.tail(actor, taskId, request.lines)
  if (outcome.kind !== 'tail') throw refusalProblem(outcome)
  const { lines } = outcome.tail
  return { first: lines, rest: await follow(lines.at(-1)?.nextOffset ?? outcome.tail.endOffset) }

  async function follow(offset: number): Promise<AsyncIterable<LogLine>> {
    const lines = await inbox.follow(actor, taskId, offset, signal)
    if (lines.kind !== 'lines') throw refusalProblem(lines)
    return lines.lines
  }
}

function parseEventId(text: string): number {
  const offset = /^\d{1,15}$/.test(text) ? Number(text) : undefined
  if (offset === undefined) throw new ApiProblem('invalid_request', 'Last-Event-ID is not one of this stream.')
  return offset
}

interface Stream extends Start {
  out: PassThrough
  signal: AbortSignal
}

async function writeAll(options: ServerOptions, request: FollowRequest, stream: Stream): Promise<void> {
  const { out, signal } = stream
  // Ends the status events when the lines have ended before them.
  const over = new AbortController()
  using _beat = startHeartbeat(options, out)
  signal.addEventListener('abort', () => out.end(), { once: true })
  const statuses = writeStatuses(options, request, out, AbortSignal.any([signal, over.signal]))
  for (const line of stream.first) await write(stream, lineFrame(line))
  for await (const line of stream.rest) await write(stream, lineFrame(line))
  over.abort()
  await statuses
  if (!signal.aborted) {
    const found = await options.inbox.get(request.actor, request.taskId)
    if (found.kind === 'found') await write(stream, frame('end', taskJson(found.task, null)))
  }
  out.end()
}

async function writeStatuses(
  { inbox }: ServerOptions,
  { actor, taskId }: FollowRequest,
  out: PassThrough,
  signal: AbortSignal,
): Promise<void> {
  let last = ''
  for await (const task of inbox.watch(actor, taskId, signal)) {
    const text = frame('status', summaryJson(task))
    // A client that reads slowly needs only the newest; the end event has the last one.
    if (text !== last && !out.writableNeedDrain && !out.writableEnded) out.write(text)
    last = text
  }
}

/** Comment lines that say nothing but keep the connection. */
function startHeartbeat({ clock, limits }: ServerOptions, out: PassThrough): Disposable {
  let timer: Disposable
  const beat = () => {
    if (!out.writableEnded && !out.writableNeedDrain) out.write(': still here\n\n')
    timer = clock.after(limits.heartbeatMs, beat)
  }
  timer = clock.after(limits.heartbeatMs, beat)
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

/** Waits for a slow client; a client that has gone makes it settle by the signal. */
async function write({ out, signal }: Stream, text: string): Promise<void> {
  if (out.writableEnded || out.destroyed || out.write(text)) return
  await Promise.race([once(out, 'drain'), once(signal, 'abort')])
}

function lineFrame(line: LogLine): string {
  return frame('line', lineJson(line), line.nextOffset)
}

/** Also what the JSON form of a tail has. */
export function lineJson({ offset, nextOffset, text, ours }: LogLine): LineJson {
  return { offset, next_offset: nextOffset, text, ours }
}

export interface LineJson {
  offset: number
  next_offset: number
  text: string
  ours: boolean
}

/** JSON has no line breaks of its own, so a text from outside cannot begin another field or event. */
function frame(event: string, data: object, id?: number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
