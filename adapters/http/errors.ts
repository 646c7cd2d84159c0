/** Turns whatever was thrown into a problem; only what strangers may read gets out. */
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { errorLine } from '../../src/core/errors.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { StoreError } from '../../src/ports/store.ts'
import { ApiProblem, describeProblem, type FieldError } from './problems.ts'

export function installErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    if (problem.problem.status >= 500) {
      const where = `${request.method} ${request.routeOptions.url ?? ''}`
      const stack = error instanceof Error ? error.stack : undefined
      logger.error({ error: errorLine(error), stack }, `${where} failed`)
    }
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((request: FastifyRequest, reply) =>
    sendProblem(reply, new ApiProblem('no_such_route', `${request.method} is not answered at this path; see /docs.`)),
  )
}

export function sendProblem(reply: FastifyReply, { problem, headers }: ApiProblem): void {
  reply
    .code(problem.status)
    .headers({ 'cache-control': 'no-store', ...headers })
    .type('application/problem+json')
    .serializer((data: unknown) => JSON.stringify(data))
    .send(problem)
}

export function toProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  if (error instanceof StoreError) return new ApiProblem('unavailable', 'The store cannot be used right now.')
  if (hasZodFastifySchemaValidationErrors(error)) return validationProblem(error)
  return frameworkProblem(error) ?? new ApiProblem('internal', 'Nothing more is known here.')
}

function validationProblem(error: Pick<FastifyError, 'validation' | 'validationContext'>): ApiProblem {
  const errors = (error.validation ?? []).map((issue): FieldError => {
    const path = issue.instancePath.replaceAll('/', '.').replace(/\.$/, '')
    return { field: `${error.validationContext ?? 'request'}${path}`, message: issue.message ?? 'wrong' }
  })
  const [first] = errors
  return new ApiProblem('invalid_request', first === undefined ? '' : `${first.field}: ${first.message}`, { errors })
}

/** What the framework refuses by itself, by its codes; its own messages stay inside. */
function frameworkProblem(error: unknown): ApiProblem | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new ApiProblem('body_too_large', 'Send less, or fewer inputs.')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ApiProblem('unsupported_media_type', 'Set the header "Content-Type: application/json".')
  }
  if (code === 'FST_ERR_CTP_EMPTY_JSON_BODY') return new ApiProblem('malformed_request', 'The body is empty.')
  if (typeof status === 'number' && status < 500) {
    return new ApiProblem('malformed_request', 'The path, the headers or the JSON of the body cannot be read.')
  }
  return undefined
}

/** For bytes that are not even HTTP: there is no request to answer through the framework. */
export function writeClientError(_error: Error, socket: Socket): void {
  if (socket.destroyed || !socket.writable) return
  const body = JSON.stringify({ ...describeProblem('malformed_request'), detail: 'This is not an HTTP request.' })
  const head = ['HTTP/1.1 400 Bad Request', 'Content-Type: application/problem+json', 'Connection: close']
  socket.end([...head, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'))
}
