import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Actor } from '../../../src/core/actor.ts'
import { outputJson } from '../../../src/core/task-json.ts'
import type { OutputFile } from '../../../src/ports/workspace.ts'
import { actorOf } from '../guard.ts'
import type { ServerOptions } from '../options.ts'
import { ApiProblem, refusalProblem } from '../problems.ts'
import { type ByteRange, parseRange } from '../range.ts'
import { outputList, outputParams, rangeHeaders, taskParams } from '../schemas.ts'
import { bytesOf, withProblems } from '../with-problems.ts'

/** Whatever a task made, a browser must save it and never run it in this site's name. */
const DOWNLOAD_HEADERS = {
  'content-security-policy': "default-src 'none'; sandbox",
  'x-content-type-options': 'nosniff',
  'cache-control': 'private, no-cache',
}
const BINARY = z.string().describe('The bytes')

export function registerOutputs(app: FastifyInstance, options: ServerOptions): void {
  registerList(app, options)
  registerArchive(app, options)
  registerDownload(app, options)
}

function registerList(app: FastifyInstance, { inbox }: ServerOptions): void {
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/tasks/:id/outputs',
    schema: {
      operationId: 'listOutputs',
      summary: 'Files that the task made or changed',
      tags: ['files'],
      params: taskParams,
      response: withProblems({ 200: outputList }),
    },
    handler: async (request) => {
      const outcome = await inbox.outputs(actorOf(request), request.params.id)
      if (outcome.kind !== 'outputs') throw refusalProblem(outcome)
      return {
        files: outcome.files.map(outputJson),
        totals: outcome.totals,
        omitted: outcome.omitted,
      }
    },
  })
}

function registerArchive(app: FastifyInstance, { inbox }: ServerOptions): void {
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/tasks/:id/outputs.zip',
    schema: {
      operationId: 'downloadArchive',
      summary: 'All outputs in one zip',
      tags: ['files'],
      params: taskParams,
      response: withProblems({ 200: bytesOf('The archive', ['application/zip'], BINARY) }),
    },
    handler: async (request, reply) => {
      const { id } = request.params
      const outcome = await inbox.archive(actorOf(request), id)
      if (outcome.kind !== 'archive') throw refusalProblem(outcome)
      return reply
        .headers({ ...DOWNLOAD_HEADERS, 'content-disposition': contentDisposition(`task-${id}.zip`) })
        .type('application/zip')
        .send(outcome.stream)
    },
  })
}

function registerDownload(app: FastifyInstance, options: ServerOptions): void {
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/tasks/:id/outputs/*',
    schema: {
      operationId: 'downloadOutput',
      summary: 'One file, or a part of it',
      tags: ['files'],
      params: outputParams,
      headers: rangeHeaders,
      response: withProblems({
        200: bytesOf('The file', ['application/octet-stream'], BINARY),
        206: bytesOf('The part that Range asks for', ['application/octet-stream'], BINARY),
      }),
    },
    handler: async (request, reply) => {
      const { range, 'if-range': ifRange } = request.headers
      const path = request.params['*']
      return sendOutput(options, reply, { actor: actorOf(request), id: request.params.id, path, range, ifRange })
    },
  })
}

interface Download {
  actor: Actor
  id: number
  path: string
  range: string | undefined
  ifRange: string | undefined
}

async function sendOutput(options: ServerOptions, reply: FastifyReply, wanted: Download): Promise<FastifyReply> {
  const { file, stream } = await open(options, wanted)
  const tag = entityTag(file)
  const isSame = wanted.ifRange === undefined || wanted.ifRange === tag
  const range = isSame ? parseRange(wanted.range, file.sizeBytes) : ({ kind: 'whole' } as const)
  reply
    .headers({ ...DOWNLOAD_HEADERS, etag: tag, 'accept-ranges': 'bytes' })
    .header('last-modified', new Date(file.modifiedAt).toUTCString())
    .header('content-disposition', contentDisposition(file.path.split('/').at(-1) ?? 'file'))
    .type(file.mimeType)
  if (range.kind === 'whole') return reply.header('content-length', file.sizeBytes).send(stream)
  stream.destroy()
  return sendPart(options, reply, { wanted, file, range })
}

interface Part {
  wanted: Download
  file: OutputFile
  range: Exclude<ByteRange, { kind: 'whole' }>
}

async function sendPart(options: ServerOptions, reply: FastifyReply, { wanted, file, range }: Part) {
  if (range.kind === 'outside') {
    const headers = { 'content-range': `bytes */${file.sizeBytes}` }
    throw new ApiProblem('range_not_satisfiable', `The file has ${file.sizeBytes} bytes.`, { headers })
  }
  const { start, end } = range
  const part = await open(options, wanted, { start, end })
  return reply
    .code(206)
    .header('content-range', `bytes ${start}-${end}/${file.sizeBytes}`)
    .header('content-length', end - start + 1)
    .send(part.stream)
}

async function open({ inbox }: ServerOptions, { actor, id, path }: Download, range?: { start: number; end: number }) {
  if (!isPlainPath(path)) throw new ApiProblem('not_found', 'The task has no such file.')
  const outcome = await inbox.openOutput(actor, id, path, range)
  if (outcome.kind !== 'opened') throw refusalProblem(outcome)
  return outcome
}

/** The workspace refuses these too; a path that climbs does not even get there. */
function isPlainPath(path: string): boolean {
  return !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

function entityTag(file: OutputFile): string {
  return `"${file.sizeBytes.toString(36)}-${Math.trunc(file.modifiedAt).toString(36)}"`
}

/** The name as RFC 6266 has it: plain letters for old clients, and the true name beside them. */
function contentDisposition(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%/]/g, '_')
  const exact = encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`
}
