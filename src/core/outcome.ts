/** Every way a step and a task can end: closed lists, each with a sentence for people. */
import { COMMAND } from './command.ts'
import { assertNever } from './errors.ts'

/** How one step ended. Returned by the sandbox, never thrown. */
export type StepEnd =
  | { kind: 'exited'; code: number }
  | { kind: 'signalled'; signal: string }
  | { kind: 'timed_out'; scope: 'step' | 'task'; limitMs: number }
  | { kind: 'cancelled' }
  | { kind: 'limit'; limit: LimitKind; allowed: number }
  | { kind: 'sandbox_died'; detail: string }

/** A limit that stopped a step. `allowed` in StepEnd is in bytes, seconds (cpu) or a count, as its sentence says. */
export const LIMIT_KINDS = ['memory', 'processes', 'cpu', 'file_size', 'disk', 'open_files', 'output'] as const
export type LimitKind = (typeof LIMIT_KINDS)[number]

export function isSuccess(end: StepEnd): boolean {
  return end.kind === 'exited' && end.code === 0
}

const LIMIT_SENTENCES: Record<LimitKind, (allowed: number) => string> = {
  memory: (bytes) => `stopped: it used more than ${mebibytes(bytes)} MB of memory`,
  processes: (count) => `stopped: it started more than ${count} processes`,
  cpu: (seconds) => `stopped: it used more than ${seconds} s of CPU time`,
  file_size: (bytes) => `stopped: it wrote a file larger than ${mebibytes(bytes)} MB`,
  disk: (bytes) => `stopped: it filled its ${mebibytes(bytes)} MB of disk`,
  open_files: (count) => `stopped: it opened more than ${count} files at once`,
  output: (bytes) => `stopped: it printed more than ${mebibytes(bytes)} MB`,
}

/** One clause, for a card, a log or the CLI: "exit 1", "timed out after 10 min", "stopped: it used more than 512 MB of memory". */
export function describeStepEnd(end: StepEnd): string {
  switch (end.kind) {
    case 'exited':
      return end.code === 0 ? 'ok' : `exit ${end.code}`
    case 'signalled':
      return `ended by ${end.signal}`
    case 'timed_out':
      return `stopped: the ${end.scope} took longer than ${seconds(end.limitMs)}`
    case 'cancelled':
      return 'cancelled'
    case 'limit':
      return LIMIT_SENTENCES[end.limit](end.allowed)
    case 'sandbox_died':
      return `the sandbox ended unexpectedly: ${end.detail}`
    default:
      return assertNever(end)
  }
}

const FAILURE_SENTENCES = {
  step_failed: 'A command failed.',
  timed_out: 'It took longer than it may.',
  limit: 'It used more than it may.',
  planner_unreachable: 'The model server cannot be reached. Start it with `ollama serve`, or set OLLAMA_HOST.',
  model_missing: 'The model is not installed on the model server.',
  model_timeout: 'The model did not answer in time.',
  model_error: 'The model server reported an error.',
  plan_invalid: 'The model gave no usable plan, asked three times.',
  refused_by_model: 'The model declined to do this.',
  denied_by_policy: 'The plan is not allowed by the policy.',
  sandbox_unavailable: `The sandbox cannot start on this machine. \`${COMMAND} doctor\` says what to do.`,
  input_unavailable: 'A file given with the request could not be fetched.',
  workspace_lost: "The task's folder disappeared while it ran.",
  disk_full: 'The disk of the server is full.',
  interrupted: 'The assistant restarted while a command was running; it was stopped.',
  internal: 'Something went wrong inside the assistant. The log has the details.',
} as const
export type FailureReason = keyof typeof FAILURE_SENTENCES
export const FAILURE_REASONS = Object.keys(FAILURE_SENTENCES) as readonly FailureReason[]

const CANCEL_SENTENCES = {
  cancelled: 'Cancelled.',
  rejected: 'The plan was rejected.',
  expired: 'Nobody decided on the plan in time.',
  superseded: 'A newer request took its place.',
} as const
export type CancelReason = keyof typeof CANCEL_SENTENCES
export const CANCEL_REASONS = Object.keys(CANCEL_SENTENCES) as readonly CancelReason[]

export function failureSentence(reason: FailureReason): string {
  return FAILURE_SENTENCES[reason]
}

export function cancelSentence(reason: CancelReason): string {
  return CANCEL_SENTENCES[reason]
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / (1024 * 1024))
}

function seconds(ms: number): string {
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`
  return `${Math.round(ms / 6000) / 10} min`
}
