/** What goes in and out of the API, as zod: requests are checked with it, and the OpenAPI document is made from it. */
import { z } from 'zod'
import { CANCEL_REASONS, FAILURE_REASONS } from '../../src/core/outcome.ts'
import { MAX_DESCRIPTION_BYTES, PLAN_LIMITS } from '../../src/core/plan.ts'
import { PLATFORMS, TASK_STATUSES } from '../../src/core/task.ts'
import { RISK_BADGES } from '../../src/core/verdict.ts'

const time = z.iso.datetime().describe('ISO 8601, UTC')
const decision = z.enum(['allow', 'ask', 'deny'])
const person = z.object({ platform: z.enum(PLATFORMS), id: z.string(), name: z.string() })
const taskId = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER)

export const taskParams = z.object({ id: taskId.describe('Number of the task') })
export const outputParams = taskParams.extend({
  '*': z.string().describe('Path of the file, as the list of outputs names it'),
})

const description = z
  .string()
  .refine((text) => text.trim() !== '', 'say what to do')
  .refine((text) => Buffer.byteLength(text) <= MAX_DESCRIPTION_BYTES, 'at most 16 KiB')
  .describe('What to do, in plain words. Lines that begin with `!`, or one fenced code block, are run as written.')
const idempotencyKey = z.string().min(1).max(200)
const inputs = z
  .array(z.strictObject({ name: z.string().min(1).max(255), content_base64: z.base64() }))
  .max(20)
  .optional()
  .describe('Files to lay into the working directory of the task, under inputs/')

/** The page to try it begins with the examples. */
export const submitBody = z
  .strictObject({
    description,
    model: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('A model of the Ollama server, instead of the one in the settings'),
    dedupe_key: idempotencyKey
      .optional()
      .describe('The same key again answers the same task; as the Idempotency-Key header'),
    inputs,
  })
  .meta({ example: { description: '!seq 1 5' } })

export const refineBody = z
  .strictObject({ text: description, dedupe_key: idempotencyKey.optional(), inputs })
  .meta({ example: { text: 'the same, but from 5 to 1' } })

/** Many clients send no body at all with an action. */
export const noBody = z.strictObject({}).nullish()
const planHash = z
  .string()
  .regex(/^[0-9a-f]{8,64}$/)
  .describe("The plan's hash as the task shows it, or its first 8 characters: what is decided is what you have seen")
export const approveBody = z.strictObject({ hash: planHash })
export const rejectBody = z
  .strictObject({ hash: planHash.optional(), note: z.string().max(2000).optional().describe('Why; the model is told') })
  .nullish()
export const editBody = z.strictObject({
  hash: planHash,
  commands: z
    .array(
      z
        .string()
        .refine((text) => text.trim() !== '', 'a command is empty')
        .refine((text) => Buffer.byteLength(text) <= PLAN_LIMITS.maxCommandBytes, 'longer than 16 KiB'),
    )
    .min(1)
    .max(PLAN_LIMITS.maxCommands),
})

const cursor = z
  .string()
  .regex(/^[1-9]\d{0,14}$/, 'not a cursor of this API')
  .transform(Number)
const status = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(TASK_STATUSES)).max(TASK_STATUSES.length))
export const listQuery = z.strictObject({
  status: status.optional().describe('One status or several with commas between them'),
  parent_id: taskId.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: cursor.optional().describe('`next_cursor` of the page before'),
})
export const auditQuery = z.strictObject({
  task_id: taskId.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: cursor.optional(),
})
export const logsQuery = z.strictObject({
  lines: z
    .union([z.literal('all'), z.coerce.number().int().min(1).max(10_000)])
    .default(200)
    .describe('The last so many lines; `all` downloads the whole log as it was printed'),
  format: z.enum(['text', 'json']).optional().describe('Default: text, or what the Accept header asks for'),
  follow: z.enum(['0', '1', 'true', 'false']).optional().describe('Go on with new lines as server-sent events'),
})
export const followHeaders = z.looseObject({
  'last-event-id': z.string().optional().describe('Go on after this event; browsers send it when they reconnect'),
})
export const submitHeaders = z.looseObject({
  'idempotency-key': idempotencyKey.optional().describe('The same key again answers the same task'),
})
export const rangeHeaders = z.looseObject({ range: z.string().optional(), 'if-range': z.string().optional() })

export const summarySchema = z.object({
  id: z.int(),
  description: z.string(),
  kind: z.enum(['request', 'retry', 'rerun', 'refine', 'resume']),
  status: z.enum(TASK_STATUSES),
  parent_id: z.int().nullable(),
  after_id: z.int().nullable(),
  requester: person,
  model: z.string().nullable(),
  round: z.int(),
  cancel_requested_by: person.nullable(),
  created_at: time,
  updated_at: time,
  started_at: time.nullable(),
  ended_at: time.nullable(),
})

const step = z.object({
  number: z.int(),
  command: z.string(),
  state: z.enum(['waiting', 'running', 'ended', 'skipped']),
  exit_code: z.int().nullable(),
  outcome: z.string().nullable(),
  started_at: time.nullable(),
  ended_at: time.nullable(),
  decision,
  badges: z.array(z.enum(RISK_BADGES)),
  reasons: z.array(z.string()),
})

const round = z.object({
  number: z.int(),
  summary: z.string(),
  author: z.object({
    kind: z.enum(['model', 'verbatim', 'person']),
    model: z.string().nullable(),
    person: person.nullable(),
  }),
  hash: z.string(),
  decision,
  reasons: z.array(z.string()),
  sandbox: z
    .enum(['full', 'weak', 'none'])
    .nullable()
    .describe('What it runs in; none: as the program itself, with all that it can reach'),
  network: z.object({ reason: z.string(), hosts: z.array(z.string()) }).nullable(),
  repair_of: z.string().nullable(),
  planned_at: time,
  steps: z.array(step),
})

const approval = z.object({
  round: z.int(),
  hash: z.string(),
  requested_at: time,
  expires_at: time,
  decision: z.enum(['approved', 'rejected', 'expired', 'superseded']).nullable(),
  by: person.nullable(),
  decided_at: time.nullable(),
  note: z.string().nullable(),
})

const end = z.object({
  answer: z.string().nullable(),
  reason: z.enum([...FAILURE_REASONS, ...CANCEL_REASONS]).nullable(),
  sentence: z.string().nullable(),
  detail: z.string().nullable(),
  step: z.int().nullable(),
  by: person.nullable(),
})

export const totalsSchema = z.object({ files: z.int(), bytes: z.int() })

const queue = z.object({
  position: z.int().describe('From 1; counted to 1001 at most'),
  estimate_ms: z.int().nullable().describe('Until its turn comes, from how long tasks took lately'),
})

export const taskSchema = summarySchema.extend({
  queue: queue.nullable().describe('Where it stands in line; null for a task that is in none'),
  inputs: z.array(
    z.object({
      name: z.string(),
      size_bytes: z.int().nullable(),
      state: z.enum(['waiting', 'saved', 'failed']),
      problem: z.string().nullable(),
    }),
  ),
  phase: z.enum(['starting', 'loading_model', 'asking_model']).nullable(),
  rounds: z.array(round),
  approval: approval.nullable(),
  redactions: z.int(),
  outputs: totalsSchema.nullable(),
  end: end.nullable(),
})

const nextCursor = z.string().nullable().describe('For `cursor` of the next page; null on the last')
export const taskPage = z.object({ tasks: z.array(summarySchema), next_cursor: nextCursor })
export const actionResult = z.object({ sentence: z.string().describe('What was done, for people'), task: taskSchema })
export const outputList = z.object({
  files: z.array(z.object({ path: z.string(), size_bytes: z.int(), mime_type: z.string(), modified_at: time })),
  totals: totalsSchema,
  omitted: z.int().describe('Files beyond what a list may hold'),
})
export const logTail = z.object({
  lines: z.array(z.object({ offset: z.int(), next_offset: z.int(), text: z.string(), ours: z.boolean() })),
  end_offset: z.int(),
  size_bytes: z.int(),
  last_write_at: time.nullable(),
})
export const auditPage = z.object({
  entries: z.array(
    z.object({
      id: z.int(),
      at: time,
      actor: person,
      action: z.string(),
      task_id: z.int().nullable(),
      allowed: z.boolean(),
      detail: z.string(),
    }),
  ),
  next_cursor: nextCursor,
})
export const healthSchema = z.object({ status: z.literal('ok'), version: z.string() })
export const readySchema = z.object({
  ready: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean() })),
})

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  task_status: z.enum(TASK_STATUSES).optional(),
})
