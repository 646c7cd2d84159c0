import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { auditJson } from '../../../src/core/task-json.ts'
import { actorOf } from '../guard.ts'
import type { Meter } from '../metrics.ts'
import type { ServerOptions } from '../options.ts'
import { ApiProblem, describeProblem, isProblemCode, PROBLEMS, type ProblemCode, refusalProblem } from '../problems.ts'
import { auditPage, auditQuery, healthSchema, readySchema } from '../schemas.ts'
import { bytesOf, withProblems } from '../with-problems.ts'

export function registerSystem(app: FastifyInstance, options: ServerOptions & { meter: Meter }): void {
  registerHealth(app, options)
  registerMetrics(app, options)
  registerAudit(app, options)
  registerProblems(app)
  app.route({
    method: 'GET',
    url: '/openapi.json',
    config: { isPublic: true },
    schema: { summary: 'This API as an OpenAPI document', operationId: 'getDocument', tags: ['server'] },
    handler: async () => app.swagger(),
  })
}

function registerHealth(app: FastifyInstance, { health, version }: ServerOptions): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.route({
    method: 'GET',
    url: '/healthz',
    exposeHeadRoute: true,
    config: { isPublic: true },
    schema: {
      operationId: 'getHealth',
      summary: 'Whether the server runs',
      tags: ['server'],
      response: withProblems({ 200: healthSchema }),
    },
    handler: async () => ({ status: 'ok' as const, version }),
  })
  routes.route({
    method: 'GET',
    url: '/readyz',
    exposeHeadRoute: true,
    config: { isPublic: true },
    schema: {
      operationId: 'getReadiness',
      summary: 'Whether tasks can be taken and run now',
      tags: ['server'],
      response: withProblems({ 200: readySchema, 503: readySchema.describe('Not all of it is ready') }),
    },
    handler: async (_request, reply) => {
      const checks = (await health()).checks.map(({ name, ok }) => ({ name, ok }))
      const ready = checks.every((check) => check.ok)
      reply.code(ready ? 200 : 503).header('cache-control', 'no-store')
      return { ready, checks }
    },
  })
}

function registerMetrics(app: FastifyInstance, { inbox, meter }: ServerOptions & { meter: Meter }): void {
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/metrics',
    schema: {
      operationId: 'getMetrics',
      summary: "Counts and durations in Prometheus' text form",
      tags: ['server'],
      response: withProblems({ 200: bytesOf('The metrics', ['text/plain'], z.string()) }),
    },
    handler: async (request, reply) => {
      if (!(await inbox.may(actorOf(request), 'view', null))) {
        throw new ApiProblem('forbidden', 'This token lacks the scope "read".')
      }
      const { contentType, body } = await meter.text()
      return reply.type(contentType).send(body)
    },
  })
}

function registerAudit(app: FastifyInstance, { inbox }: ServerOptions): void {
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/audit',
    schema: {
      operationId: 'listAudit',
      summary: 'Who did what, and what was refused; newest first',
      tags: ['server'],
      querystring: auditQuery,
      response: withProblems({ 200: auditPage }),
    },
    handler: async (request) => {
      const { task_id: taskId, cursor: beforeId, limit } = request.query
      const outcome = await inbox.audit(actorOf(request), {
        limit,
        ...(taskId === undefined ? {} : { taskId }),
        ...(beforeId === undefined ? {} : { beforeId }),
      })
      if (outcome.kind !== 'entries') throw refusalProblem(outcome)
      const { entries } = outcome
      const last = entries.length < limit ? undefined : entries.at(-1)
      return { entries: entries.map(auditJson), next_cursor: last === undefined ? null : String(last.id) }
    },
  })
}

function registerProblems(app: FastifyInstance): void {
  const codes = Object.keys(PROBLEMS).filter(isProblemCode)
  const item = z.object({ type: z.string(), title: z.string(), status: z.int(), code: z.string() })
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.route({
    method: 'GET',
    url: '/problems',
    config: { isPublic: true },
    schema: {
      operationId: 'listProblems',
      summary: 'Every error that this API answers',
      tags: ['server'],
      response: { 200: z.object({ problems: z.array(item) }) },
    },
    handler: async () => ({ problems: codes.map(describeProblem) }),
  })
  routes.route({
    method: 'GET',
    url: '/problems/:code',
    config: { isPublic: true },
    schema: {
      operationId: 'getProblem',
      summary: 'One of them: what `type` of a problem points to',
      tags: ['server'],
      params: z.object({ code: z.string() }),
      response: withProblems({ 200: item }),
    },
    handler: async (request) => {
      const code: ProblemCode | undefined = codes.find((each) => each === request.params.code)
      if (code === undefined) throw new ApiProblem('not_found', 'There is no such problem.')
      return describeProblem(code)
    },
  })
}
