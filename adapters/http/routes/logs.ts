import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Actor } from '../../../src/core/actor.ts'
import { cleanTerminal } from '../../../src/core/text.ts'
import type { LogTail } from '../../../src/ports/workspace.ts'
import { followTask, lineJson } from '../follow.ts'
import { actorOf } from '../guard.ts'
import type { ServerOptions } from '../options.ts'
import { refusalProblem } from '../problems.ts'
import { followHeaders, logsQuery, logTail, taskParams } from '../schemas.ts'
import { bytesOf, withProblems } from '../with-problems.ts'

const FORMATS = ['text/plain', 'application/json', 'text/event-stream'] as const

export function registerLogs(app: FastifyInstance, options: ServerOptions): void {
  const followers = { now: 0 }
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/tasks/:id/logs',
    schema: {
      operationId: 'getLogs',
      summary: 'What the steps printed: the last lines, all of it, or as it comes',
      description:
        'The last 200 lines as plain text by default. `format=json` or `Accept: application/json` gives lines with their ' +
        'byte offsets. `follow=1` or `Accept: text/event-stream` begins with the last lines and goes on until the task ' +
        'has ended: events `status`, `line` and, last, `end`. The id of a `line` is the byte offset after it; a client that ' +
        'reconnects with Last-Event-ID gets what comes after it.',
      tags: ['tasks'],
      params: taskParams,
      querystring: logsQuery,
      headers: followHeaders,
      response: withProblems({
        200: {
          description: 'The log',
          content: {
            ...bytesOf('', ['text/plain', 'text/event-stream'], z.string()).content,
            'application/json': { schema: logTail },
          },
        },
      }),
    },
    handler: async (request, reply) => {
      const actor = actorOf(request)
      const { id } = request.params
      const { lines, follow, format } = request.query
      const wanted = wantedFormat(request, format, follow)
      if (wanted === 'text/event-stream') {
        const lastEventId = request.headers['last-event-id']
        const start = lines === 'all' ? { lines: 10_000 } : { lines }
        return followTask(options, followers, reply, { actor, taskId: id, lastEventId, ...start })
      }
      if (lines === 'all') return sendWholeLog(options, reply, actor, id)
      const outcome = await options.inbox.tail(actor, id, lines)
      if (outcome.kind !== 'tail') throw refusalProblem(outcome)
      return wanted === 'application/json' ? sendJson(reply, outcome.tail) : sendText(reply, outcome.tail)
    },
  })
}

function wantedFormat(
  request: FastifyRequest,
  format: 'text' | 'json' | undefined,
  follow: string | undefined,
): (typeof FORMATS)[number] {
  if (follow === '1' || follow === 'true') return 'text/event-stream'
  if (format !== undefined) return format === 'json' ? 'application/json' : 'text/plain'
  const accept = request.headers.accept ?? ''
  const [first] = accept.split(',').map((part) => part.split(';', 1)[0]?.trim())
  return FORMATS.find((type) => type === first) ?? 'text/plain'
}

function sendText(reply: FastifyReply, tail: LogTail): FastifyReply {
  const text = tail.lines.map((line) => `${cleanTerminal(line.text)}\n`).join('')
  return reply.header('cache-control', 'no-store').type('text/plain; charset=utf-8').send(text)
}

function sendJson(reply: FastifyReply, tail: LogTail): FastifyReply {
  const { lines, endOffset, sizeBytes, lastWriteAt } = tail
  return reply
    .header('cache-control', 'no-store')
    .type('application/json')
    .send({
      lines: lines.map(lineJson),
      end_offset: endOffset,
      size_bytes: sizeBytes,
      last_write_at: lastWriteAt === null ? null : new Date(lastWriteAt).toISOString(),
    })
}

async function sendWholeLog(
  { inbox }: ServerOptions,
  reply: FastifyReply,
  actor: Actor,
  id: number,
): Promise<FastifyReply> {
  const outcome = await inbox.wholeLog(actor, id)
  if (outcome.kind !== 'log') throw refusalProblem(outcome)
  // No length: a task that runs adds to its log while it is sent.
  return reply
    .type('text/plain; charset=utf-8')
    .header('content-disposition', `attachment; filename="task-${id}.log"`)
    .send(outcome.stream)
}
