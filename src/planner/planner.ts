import { dropForbiddenCharacters } from '../core/characters.ts'
import type { Redactor } from '../core/redact.ts'
import { redactValue } from '../core/redact-value.ts'
import type { PlanningPhase } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { type Planner, PlannerError, type PlannerStatus, type PlanReply, type PlanRequest } from '../ports/planner.ts'
import { promptCharacters, windowFor } from './context-window.ts'
import { type ChatEnd, createModelServer, type ModelServer, withoutCredentials } from './model-server.ts'
import {
  askAgain,
  type MachineDescription,
  REPLY_FORMAT,
  requestMessage,
  type Said,
  summaryMessages,
  systemPrompt,
} from './prompt.ts'
import { readReply, withoutThoughts } from './read-reply.ts'

export interface PlannerOptions {
  /** A URL, as parseOllamaHost answers it. */
  host: string
  model: string
  fetch?: typeof fetch
  /** For a server behind an access rule. */
  headers?: Readonly<Record<string, string>>
  clock: Clock
  logger: Logger
  /** Hides secrets in what the model is told: file names, and its own replies when it is asked again. */
  redactor?: Redactor
  /** How long the first byte of a reply may take: a cold model needs minutes. */
  coldStartTimeoutMs: number
  idleTimeoutMs: number
  describeMachine(): MachineDescription
  /** One sentence of the operator's rules, for the model. */
  policyHint?: string
  /** Context window that is usually asked of the server; it costs memory there. Larger requests get a larger one. */
  contextTokens?: number
}

const MAX_ATTEMPTS = 3
const DEFAULT_CONTEXT_TOKENS = 8192
// Thoughts count too. A reply that was cut for its length gets twice as much the next time.
const REPLY_TOKENS = 4096
const SUMMARY_TOKENS = 1024
const MAX_SUMMARY_CHARACTERS = 1500
const SUMMARY_TIMEOUT_MS = 90_000
const STATUS_TIMEOUT_MS = 2000
/** A wait that is over by then needs no explanation. */
const LOOK_WHY_AFTER_MS = 250
/** Programs come and go rarely, and to look for them all takes a while. */
const DESCRIBED_FOR_MS = 60_000

export function createPlanner(options: PlannerOptions): Planner {
  const server = withoutSecrets(createModelServer(options), options.redactor)
  const describe = rememberFor(DESCRIBED_FOR_MS, options.clock, () => options.describeMachine())
  return {
    plan: (request, { signal, onPhase }) => {
      return plan({ server, options: { ...options, describeMachine: describe }, request, signal, onPhase })
    },
    summarize: (request, { signal }) => summarize(server, options, request, signal),
    status: () => readStatus(server, options),
  }
}

function withoutSecrets(server: ModelServer, redactor: Redactor | undefined): ModelServer {
  if (redactor === undefined) return server
  return {
    ...server,
    chat: (question, options) =>
      server.chat({ ...question, messages: redactValue(question.messages, redactor) }, options),
  }
}

function rememberFor<T>(ms: number, clock: Clock, look: () => T): () => T {
  let known: { value: T; at: number } | undefined
  return () => {
    const now = clock.now()
    if (known === undefined || Math.abs(now - known.at) > ms) known = { value: look(), at: now }
    return known.value
  }
}

function usualWindow(options: PlannerOptions): number {
  return options.contextTokens ?? DEFAULT_CONTEXT_TOKENS
}

function charactersOf(messages: readonly Said[]): number {
  return messages.reduce((sum, message) => sum + message.content.length, 0)
}

interface Planning {
  server: ModelServer
  options: PlannerOptions
  request: PlanRequest
  signal: AbortSignal
  onPhase(phase: PlanningPhase): void
}

async function plan(planning: Planning): Promise<PlanReply> {
  const { options, request, signal } = planning
  const model = request.model ?? options.model
  const messages: Said[] = [
    { role: 'system', content: systemPrompt(options.describeMachine(), request, options.policyHint) },
  ]
  messages.push(requestMessage(request, promptCharacters(usualWindow(options)) - charactersOf(messages)))
  let replyTokens = REPLY_TOKENS
  signal.throwIfAborted()
  for (let attempt = 1; ; attempt += 1) {
    const end = await ask(planning, { model, messages, attempt, replyTokens })
    const reply = readReply(end.text, end.finish)
    if (reply.kind === 'plan' || reply.kind === 'answer') return { ...reply, model }
    const why = reply.kind === 'declined' ? 'there is no JSON object in the reply' : reply.why
    options.logger.info(
      { taskId: request.taskId, attempt, why },
      `[TASK ${request.taskId}] unusable reply of the model`,
    )
    if (attempt === MAX_ATTEMPTS)
      return { kind: reply.kind === 'declined' ? 'refused' : 'invalid', why: reply.why, model }
    messages.push(...askAgain(end.text, why))
    if (end.finish === 'length') replyTokens *= 2
  }
}

/** A model that is not in memory takes minutes to answer; people are told. A server that does not say is taken as ready. */
async function isLoading({ server, options }: Planning, model: string, signal: AbortSignal): Promise<boolean> {
  const loaded = await withinMs(options.clock, STATUS_TIMEOUT_MS, signal, (soon) => server.loaded(soon))
  return loaded !== undefined && !loaded.some((name) => isSameModel(name, model))
}

interface Question {
  model: string
  messages: readonly Said[]
  attempt: number
  replyTokens: number
}

/** Given, because V8 would write down a stack for one of its own, each time. */
const ANSWERED = 'the model has answered'

async function ask(planning: Planning, { model, messages, attempt, replyTokens }: Question): Promise<ChatEnd> {
  const { server, options, signal, onPhase } = planning
  const tellAsking = () => onPhase({ kind: 'asking_model', model, attempt, since: options.clock.now() })
  tellAsking()
  const since = options.clock.now()
  const answered = new AbortController()
  let isCold = false
  const lookWhy = (): void => {
    isLoading(planning, model, AbortSignal.any([signal, answered.signal])).then(
      (cold) => {
        isCold = cold && !answered.signal.aborted
        if (isCold) onPhase({ kind: 'loading_model', model, since })
      },
      // It has answered, or nobody waits for it: what it was doing is of no interest any more.
      () => undefined,
    )
  }
  // Beside the request, and only when it lasts: a model that is ready is not kept waiting by the question whether it is.
  using _look = attempt === 1 ? options.clock.after(LOOK_WHY_AFTER_MS, lookWhy) : undefined
  const onFirstByte = () => {
    answered.abort(ANSWERED)
    if (isCold) tellAsking()
  }
  const contextTokens = windowFor(usualWindow(options), charactersOf(messages), replyTokens)
  const question = { model, messages, format: REPLY_FORMAT, contextTokens, replyTokens }
  try {
    return await server.chat(question, { signal, onFirstByte })
  } catch (error) {
    throw await explained(planning, model, error)
  } finally {
    answered.abort(ANSWERED)
  }
}

/** A missing model is told together with what would help: the command that fetches it, and what is there instead. */
async function explained({ server, options, signal }: Planning, model: string, error: unknown): Promise<unknown> {
  if (!(error instanceof PlannerError) || error.code !== 'model_missing') return error
  const installed = await withinMs(options.clock, STATUS_TIMEOUT_MS, signal, (soon) => server.installed(soon))
  return new PlannerError('model_missing', `${missingModel(model)} ${listed(installed ?? [])}`, { cause: error })
}

function missingModel(model: string): string {
  return `The model "${model}" is not on the model server. Run \`ollama pull ${model}\`.`
}

function listed(installed: readonly string[]): string {
  if (installed.length === 0) return 'No model is installed there.'
  const more = installed.length > 20 ? ` and ${installed.length - 20} more` : ''
  return `Installed there: ${installed.slice(0, 20).join(', ')}${more}.`
}

async function summarize(
  server: ModelServer,
  options: PlannerOptions,
  request: PlanRequest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const messages = summaryMessages(request)
  const end = await withinMs(options.clock, SUMMARY_TIMEOUT_MS, signal, (soon) =>
    server.chat(
      {
        model: request.model ?? options.model,
        messages,
        contextTokens: windowFor(usualWindow(options), charactersOf(messages), SUMMARY_TOKENS),
        replyTokens: SUMMARY_TOKENS,
      },
      { signal: soon, onFirstByte: () => undefined },
    ),
  )
  if (end?.finish !== 'stop') return undefined
  const text = dropForbiddenCharacters(withoutThoughts(end.text)).trim()
  if (text === '' || text.startsWith('{') || text.toLowerCase().startsWith('<think')) return undefined
  return text.length <= MAX_SUMMARY_CHARACTERS ? text : `${text.slice(0, MAX_SUMMARY_CHARACTERS - 1).toWellFormed()}…`
}

async function readStatus(server: ModelServer, options: PlannerOptions): Promise<PlannerStatus> {
  const { host, model, clock } = options
  const never = new AbortController().signal
  const installed = await withinMs(clock, STATUS_TIMEOUT_MS, never, (soon) => server.installed(soon))
  const shown = withoutCredentials(host)
  if (installed === undefined) {
    const fix = `No model server answers at ${shown}: start it with \`ollama serve\`, or set OLLAMA_HOST.`
    return { reachable: false, host: shown, model, installed: [], modelInstalled: false, fix }
  }
  const modelInstalled = installed.some((name) => isSameModel(name, model))
  return {
    reachable: true,
    host: shown,
    model,
    installed,
    modelInstalled,
    fix: modelInstalled ? null : missingModel(model),
  }
}

/** The result, or undefined when the server fails or takes longer; throws only the signal's reason. */
async function withinMs<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const late = new AbortController()
  using _timer = clock.after(ms, () => late.abort(new PlannerError('timeout', 'The model server is slow.')))
  try {
    return await ask(AbortSignal.any([signal, late.signal]))
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof PlannerError) return undefined
    throw error
  }
}

/** Ollama reads a name without a tag as `:latest`, and ignores case. */
function isSameModel(a: string, b: string): boolean {
  return withTag(a) === withTag(b)
}

function withTag(name: string): string {
  const lower = name.toLowerCase()
  return lower.slice(lower.lastIndexOf('/') + 1).includes(':') ? lower : `${lower}:latest`
}
