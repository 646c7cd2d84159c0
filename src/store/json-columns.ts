/** Columns that hold JSON, read with zod: what an older version or a stray hand wrote is found here and not in a part that trusts it. */
import { z } from 'zod'
import { CANCEL_REASONS, FAILURE_REASONS, LIMIT_KINDS } from '../core/outcome.ts'
import { planSchema } from '../core/plan.ts'
import { PLATFORMS } from '../core/task.ts'
import { RISK_BADGES } from '../core/verdict.ts'

const platform = z.enum(PLATFORMS)
const person = z.object({ platform, userId: z.string(), name: z.string() })

const source = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('chat'), platform, ref: z.string() }),
  z.object({ kind: z.literal('path'), path: z.string() }),
  z.object({ kind: z.literal('parent'), taskId: z.number() }),
])
const input = z.object({
  name: z.string(),
  sizeBytes: z.number().nullable(),
  mimeType: z.string().nullable(),
  source,
  state: z.enum(['waiting', 'saved', 'failed']),
  problem: z.string().nullable(),
})

const author = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('model'), model: z.string() }),
  z.object({ kind: z.literal('verbatim') }),
  z.object({ kind: z.literal('person'), person }),
])

const decision = z.enum(['allow', 'ask', 'deny'])
const stepVerdict = z.object({ decision, badges: z.array(z.enum(RISK_BADGES)), reasons: z.array(z.string()) })
const verdict = z.object({
  decision,
  reasons: z.array(z.string()),
  steps: z.array(stepVerdict),
  sandbox: z.enum(['full', 'weak', 'none']).exactOptional(),
})

const stepEnd = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('exited'), code: z.number() }),
  z.object({ kind: z.literal('signalled'), signal: z.string() }),
  z.object({ kind: z.literal('timed_out'), scope: z.enum(['step', 'task']), limitMs: z.number() }),
  z.object({ kind: z.literal('cancelled') }),
  z.object({ kind: z.literal('limit'), limit: z.enum(LIMIT_KINDS), allowed: z.number() }),
  z.object({ kind: z.literal('sandbox_died'), detail: z.string() }),
])

const phase = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('starting') }),
  z.object({ kind: z.literal('loading_model'), model: z.string(), since: z.number() }),
  z.object({ kind: z.literal('asking_model'), model: z.string(), attempt: z.number(), since: z.number() }),
])

const outputs = z.object({ files: z.number(), bytes: z.number() })

/** How a task ended; the key says which variant of Task it is. */
const ending = z.union([
  z.object({ answer: z.string() }),
  z.object({
    failure: z.object({ reason: z.enum(FAILURE_REASONS), detail: z.string(), step: z.number().nullable() }),
  }),
  z.object({ cancellation: z.object({ reason: z.enum(CANCEL_REASONS), by: person.nullable(), note: z.string() }) }),
])
export type Ending = z.infer<typeof ending>

export const columns = {
  author: reader(author),
  ending: reader(ending),
  inputs: reader(z.array(input)),
  outputs: reader(outputs),
  person: reader(person),
  phase: reader(phase),
  plan: reader(planSchema),
  /** Twice in each row of a list: only what is none of them goes to zod, which throws. */
  platform: (text: string) => PLATFORMS.find((each) => each === text) ?? platform.parse(text),
  stepEnd: reader(stepEnd),
  verdict: reader(verdict),
}

function reader<T>(schema: z.ZodType<T>): (text: string) => T {
  return (text) => schema.parse(JSON.parse(text))
}

/** `read` for a column that may be NULL. */
export function orNull<T>(text: string | null, read: (text: string) => T): T | null {
  return text === null ? null : read(text)
}

export function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}
