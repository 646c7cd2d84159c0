/** What can be done to a task. Each is one POST; the answer has the task acted on, or the new child. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Actor } from '../../../src/core/actor.ts'
import { shortHash } from '../../../src/core/approval.ts'
import type { Verb } from '../../../src/core/controls.ts'
import { acceptedJson } from '../../../src/core/task-json.ts'
import type { ActDetails, ActOutcome, Attachment } from '../../../src/ports/inbox.ts'
import { actorOf } from '../guard.ts'
import { dedupeKeyOf, takeInputs } from '../inputs.ts'
import type { ServerOptions } from '../options.ts'
import { refusalProblem } from '../problems.ts'
import {
  actionResult,
  approveBody,
  editBody,
  noBody,
  refineBody,
  rejectBody,
  submitHeaders,
  taskParams,
} from '../schemas.ts'
import { withProblems } from '../with-problems.ts'

/** Actions that need nothing but the task. Those that make a child answer 201. */
const PLAIN_ACTIONS = [
  { verb: 'cancel', makesChild: false, summary: 'Stop it; nothing of it stays running' },
  { verb: 'retry', makesChild: true, summary: 'Ask the same again, in a new task with a clean folder' },
  { verb: 'rerun', makesChild: true, summary: 'Run the same commands again, in a new task' },
  { verb: 'replan', makesChild: true, summary: 'Ask the model for another plan, in a new task' },
  { verb: 'resume', makesChild: true, summary: 'Go on with an interrupted task from the step that was interrupted' },
  { verb: 'restart', makesChild: true, summary: 'Begin an interrupted task anew' },
  { verb: 'discard', makesChild: false, summary: 'Give up an interrupted task' },
] as const satisfies readonly { verb: Verb; makesChild: boolean; summary: string }[]

export function registerActions(app: FastifyInstance, options: ServerOptions): void {
  for (const action of PLAIN_ACTIONS) registerPlain(app, options, action)
  registerDecisions(app, options)
  registerRefine(app, options)
}

function registerPlain(app: FastifyInstance, options: ServerOptions, action: (typeof PLAIN_ACTIONS)[number]): void {
  const { verb, makesChild, summary } = action
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'POST',
    url: `/tasks/:id/${verb}`,
    schema: {
      operationId: `${verb}Task`,
      summary,
      tags: ['decisions'],
      params: taskParams,
      headers: submitHeaders,
      body: noBody,
      response: withProblems({ [makesChild ? 201 : 200]: actionResult }),
    },
    handler: async (request, reply) => {
      const actor = actorOf(request)
      const key = dedupeKeyOf(actor, request.headers['idempotency-key'])
      const details = key === null ? {} : { dedupeKey: key }
      return act(options, reply, { actor, verb, taskId: request.params.id, hash: undefined, details })
    },
  })
}

function registerDecisions(app: FastifyInstance, options: ServerOptions): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const common = { tags: ['decisions'], params: taskParams, response: withProblems({ 200: actionResult }) }
  routes.route({
    method: 'POST',
    url: '/tasks/:id/approve',
    schema: { ...common, operationId: 'approveTask', summary: 'Let exactly this plan run', body: approveBody },
    handler: async (request, reply) => {
      const { hash } = request.body
      return act(options, reply, {
        actor: actorOf(request),
        verb: 'approve',
        taskId: request.params.id,
        hash,
        details: {},
      })
    },
  })
  routes.route({
    method: 'POST',
    url: '/tasks/:id/reject',
    schema: { ...common, operationId: 'rejectTask', summary: 'Do not let the plan run', body: rejectBody },
    handler: async (request, reply) => {
      const { hash, note } = request.body ?? {}
      const details = note === undefined ? {} : { note }
      return act(options, reply, { actor: actorOf(request), verb: 'reject', taskId: request.params.id, hash, details })
    },
  })
  routes.route({
    method: 'PUT',
    url: '/tasks/:id/plan',
    schema: { ...common, operationId: 'editPlan', summary: 'Put other commands in place of the plan', body: editBody },
    handler: async (request, reply) => {
      const { hash, commands } = request.body
      const details = { commands }
      return act(options, reply, { actor: actorOf(request), verb: 'edit', taskId: request.params.id, hash, details })
    },
  })
}

function registerRefine(app: FastifyInstance, options: ServerOptions): void {
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'POST',
    url: '/tasks/:id/refine',
    bodyLimit: options.limits.uploadBytes,
    schema: {
      operationId: 'refineTask',
      summary: 'Say what should be different; a new task starts from a copy of the folder',
      tags: ['decisions'],
      params: taskParams,
      headers: submitHeaders,
      body: refineBody,
      response: withProblems({ 201: actionResult }),
    },
    handler: async (request, reply) => {
      const actor = actorOf(request)
      const { text, inputs, dedupe_key } = request.body
      const taskId = request.params.id
      const dedupeKey = dedupeKeyOf(actor, dedupe_key ?? request.headers['idempotency-key'])
      const mayUpload = inputs === undefined || (await options.inbox.may(actor, 'refine', taskId))
      const refine = (attachments: readonly Attachment[]) =>
        options.inbox.refine({ actor, taskId, text, attachments, dedupeKey })
      const outcome = await takeInputs(options, actor, mayUpload ? inputs : undefined, refine)
      return answer(options, reply, { actor, taskId, outcome })
    },
  })
}

interface Act {
  actor: Actor
  verb: Verb
  taskId: number
  hash: string | undefined
  details: ActDetails
}

async function act(options: ServerOptions, reply: FastifyReply, { actor, verb, taskId, hash, details }: Act) {
  const control = { verb, taskId, hash: hash === undefined ? null : shortHash(hash) }
  return answer(options, reply, { actor, taskId, outcome: await options.inbox.act(actor, control, details) })
}

interface Acted {
  actor: Actor
  taskId: number
  outcome: ActOutcome
}

async function answer({ inbox }: ServerOptions, reply: FastifyReply, { actor, taskId, outcome }: Acted) {
  if (outcome.kind !== 'done') throw refusalProblem(outcome)
  if (outcome.task.id !== taskId) reply.code(201).header('location', `/tasks/${outcome.task.id}`)
  const { sentence, task } = outcome
  return { sentence, task: await acceptedJson(task, inbox.queuePosition(actor, task)) }
}
