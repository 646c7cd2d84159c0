import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Task } from '../../../src/core/task.ts'
import { acceptedJson, taskJson } from '../../../src/core/task-json.ts'
import type { Attachment, SubmitOutcome } from '../../../src/ports/inbox.ts'
import { actorOf } from '../guard.ts'
import { dedupeKeyOf, takeInputs } from '../inputs.ts'
import type { ServerOptions } from '../options.ts'
import { ApiProblem, refusalProblem } from '../problems.ts'
import { listQuery, submitBody, submitHeaders, taskPage, taskParams, taskSchema } from '../schemas.ts'
import { bytesOf, withProblems } from '../with-problems.ts'

export function registerTasks(app: FastifyInstance, options: ServerOptions): void {
  registerSubmit(app, options)
  registerQuestions(app, options)
}

function registerSubmit(app: FastifyInstance, options: ServerOptions): void {
  const { inbox } = options
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'POST',
    url: '/tasks',
    bodyLimit: options.limits.uploadBytes,
    schema: {
      operationId: 'submitTask',
      summary: 'Ask for work',
      tags: ['tasks'],
      body: submitBody,
      headers: submitHeaders,
      response: withProblems({
        201: taskSchema.describe('The new task; Location names it'),
        200: taskSchema.describe('The task that this idempotency key has made before'),
      }),
    },
    handler: async (request, reply) => {
      const actor = actorOf(request)
      const { body } = request
      const dedupeKey = dedupeKeyOf(actor, body.dedupe_key ?? request.headers['idempotency-key'])
      // Nothing is written for somebody who may not submit at all.
      const mayUpload = body.inputs === undefined || (await inbox.may(actor, 'submit', null))
      const submit = (attachments: readonly Attachment[]) =>
        inbox.submit({ actor, text: body.description, place: null, attachments, dedupeKey, model: body.model ?? null })
      const outcome = await takeInputs(options, actor, mayUpload ? body.inputs : undefined, submit)
      const task = admitted(reply, outcome, body.description)
      return acceptedJson(task, inbox.queuePosition(actor, task))
    },
  })
}

function admitted(reply: FastifyReply, outcome: SubmitOutcome, description: string): Task {
  if (outcome.kind !== 'created' && outcome.kind !== 'duplicate') throw refusalProblem(outcome)
  const { task } = outcome
  if (outcome.kind === 'duplicate' && task.description !== description) {
    throw new ApiProblem(
      'idempotency_key_reused',
      `This key belongs to task ${task.id}, which asks for something else.`,
    )
  }
  reply.code(outcome.kind === 'created' ? 201 : 200).header('location', `/tasks/${task.id}`)
  return task
}

function registerQuestions(app: FastifyInstance, { inbox }: ServerOptions): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.route({
    method: 'GET',
    url: '/tasks',
    schema: {
      operationId: 'listTasks',
      summary: 'Tasks, newest first, a page at a time',
      tags: ['tasks'],
      querystring: listQuery,
      response: withProblems({ 200: bytesOf('A page of tasks', ['application/json'], taskPage) }),
    },
    handler: async (request, reply) => {
      const { status, parent_id: parentId, cursor: beforeId, limit } = request.query
      const outcome = await inbox.listJson(actorOf(request), {
        limit,
        ...(status === undefined ? {} : { status }),
        ...(parentId === undefined ? {} : { parentId }),
        ...(beforeId === undefined ? {} : { beforeId }),
      })
      if (outcome.kind !== 'page') throw refusalProblem(outcome)
      const { tasks, nextBeforeId } = outcome
      const nextCursor = nextBeforeId === null ? 'null' : `"${nextBeforeId}"`
      reply.type('application/json; charset=utf-8')
      return `{"tasks":${tasks},"next_cursor":${nextCursor}}`
    },
  })
  routes.route({
    method: 'GET',
    url: '/tasks/:id',
    schema: {
      operationId: 'getTask',
      summary: 'One task with its plans, steps and end',
      tags: ['tasks'],
      params: taskParams,
      response: withProblems({ 200: taskSchema }),
    },
    handler: async (request) => {
      const actor = actorOf(request)
      const outcome = await inbox.get(actor, request.params.id)
      if (outcome.kind !== 'found') throw refusalProblem(outcome)
      return taskJson(outcome.task, await inbox.queuePosition(actor, outcome.task))
    },
  })
}
