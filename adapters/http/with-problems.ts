import type { z } from 'zod'
import { problemSchema } from './schemas.ts'

const problem = {
  description: 'A problem; its `code` says which',
  content: { 'application/problem+json': { schema: problemSchema } },
}

/** The answers of a route, with those for every kind of error beside them. */
export function withProblems<Answers extends Record<number, unknown>>(
  answers: Answers,
): Answers & { '4xx': typeof problem; '5xx': typeof problem } {
  return { ...answers, '4xx': problem, '5xx': problem }
}

/** An answer that is not JSON, for the document. */
export function bytesOf(description: string, mediaTypes: readonly string[], schema: z.ZodType) {
  return { description, content: Object.fromEntries(mediaTypes.map((type) => [type, { schema }])) }
}
