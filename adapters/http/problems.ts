/**
 * Every error that the API answers, as RFC 9457 problem details. `code` is stable and the last part of `type`, which the
 * API itself serves. Nothing in a problem tells of the inside: no paths, no stacks, no messages of libraries.
 */
import type { Refusal } from '../../src/ports/inbox.ts'

export const PROBLEMS = {
  invalid_request: { status: 400, title: 'A field is missing, unknown or has the wrong form.' },
  malformed_request: { status: 400, title: 'The request cannot be read.' },
  unauthorized: { status: 401, title: 'A valid bearer token is needed.' },
  forbidden: { status: 403, title: 'This token may not do that.' },
  host_not_allowed: { status: 403, title: 'The Host header names a host that this server does not answer for.' },
  origin_not_allowed: { status: 403, title: 'Pages of other sites may not call this API.' },
  not_found: { status: 404, title: 'There is no such task or file.' },
  no_such_route: { status: 404, title: 'There is nothing at this method and path.' },
  conflict: { status: 409, title: 'The task is in a state in which this cannot be done.' },
  body_too_large: { status: 413, title: 'The request body is too large.' },
  unsupported_media_type: { status: 415, title: 'Only application/json bodies are taken.' },
  range_not_satisfiable: { status: 416, title: 'The range lies outside the file.' },
  idempotency_key_reused: { status: 422, title: 'The idempotency key was used before, for a different request.' },
  too_many_requests: { status: 429, title: 'Too many requests; wait as long as Retry-After says.' },
  queue_full: { status: 429, title: 'Too many tasks are waiting already.' },
  internal: { status: 500, title: 'Something went wrong inside the assistant. The log has the details.' },
  unavailable: { status: 503, title: 'The assistant cannot answer this right now.' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemCode = keyof typeof PROBLEMS

export interface FieldError {
  /** Where: "body.description", "query.limit". */
  field: string
  message: string
}

export interface ProblemJson {
  type: string
  title: string
  status: number
  code: ProblemCode
  detail: string
  errors?: FieldError[]
  /** conflict: the status that the task has now. */
  task_status?: string
}

/** Thrown by handlers; the error handler of the server writes it. `detail` is read by strangers. */
export class ApiProblem extends Error {
  readonly problem: ProblemJson
  readonly headers: Readonly<Record<string, string>>
  constructor(
    code: ProblemCode,
    detail: string,
    more: Partial<Pick<ProblemJson, 'errors' | 'task_status'>> & { headers?: Record<string, string> } = {},
  ) {
    super(detail)
    this.name = 'ApiProblem'
    const { headers = {}, ...members } = more
    this.problem = { ...describeProblem(code), detail, ...members }
    this.headers = headers
  }
}

export function describeProblem(code: ProblemCode): Omit<ProblemJson, 'detail'> {
  const { status, title } = PROBLEMS[code]
  return { type: `/problems/${code}`, title, status, code }
}

export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(PROBLEMS, text)
}

const REFUSALS = {
  forbidden: 'forbidden',
  not_found: 'not_found',
  invalid: 'invalid_request',
  conflict: 'conflict',
  full: 'queue_full',
} as const satisfies Record<Refusal['kind'], ProblemCode>

/** The inbox's refusal as a problem; its sentence is written for people. */
export function refusalProblem(refusal: Refusal): ApiProblem {
  const code = REFUSALS[refusal.kind]
  if (refusal.kind === 'conflict') return new ApiProblem(code, refusal.sentence, { task_status: refusal.task.status })
  if (refusal.kind === 'full') return new ApiProblem(code, refusal.sentence, { headers: { 'retry-after': '10' } })
  return new ApiProblem(code, refusal.sentence)
}
