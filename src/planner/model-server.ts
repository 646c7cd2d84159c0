import { type ChatResponse, type Message, Ollama } from 'ollama'
import { errorLine } from '../core/errors.ts'
import { PLAN_LIMITS } from '../core/plan.ts'
import type { Clock } from '../ports/clock.ts'
import { PlannerError } from '../ports/planner.ts'
import { startPatience } from './patience.ts'
import { patientFetch } from './patient-fetch.ts'
import type { FinishReason } from './read-reply.ts'

export interface ModelServerOptions {
  /** As parseOllamaHost answers it. */
  host: string
  fetch?: typeof fetch
  headers?: Readonly<Record<string, string>>
  clock: Clock
  /** Before the first byte: minutes are normal while a cold model is loaded. */
  coldStartTimeoutMs: number
  /** Between two bytes. */
  idleTimeoutMs: number
}

export interface ChatQuestion {
  model: string
  messages: readonly Message[]
  /** JSON schema that the server holds the model to. */
  format?: object
  contextTokens: number
  replyTokens: number
}

export interface ChatEnd {
  text: string
  finish: FinishReason
}

/** The model server, over the ollama client. Everything it throws is a PlannerError or the signal's reason. */
export interface ModelServer {
  chat(question: ChatQuestion, options: { signal: AbortSignal; onFirstByte(): void }): Promise<ChatEnd>
  /** Names of the installed models. */
  installed(signal: AbortSignal): Promise<readonly string[]>
  /** Names of the models that are in memory. */
  loaded(signal: AbortSignal): Promise<readonly string[]>
}

/** An answer that is an error: the client would print its body to stdout while it reads it. */
class ServerFault extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const MAX_FAULT_BYTES = 64 * 1024
// Each few bytes of the reply come in a JSON line of a few hundred; a line without end must not fill the memory.
const MAX_WIRE_BYTES = 128 * PLAN_LIMITS.maxReplyBytes

export function createModelServer(options: ModelServerOptions): ModelServer {
  const shownHost = withoutCredentials(options.host)

  function client(signal: AbortSignal, onBytes?: () => void): { ollama: Ollama; wire: Wire } {
    const wire = checkedWire(options.fetch ?? patientFetch, signal, onBytes)
    return { ollama: new Ollama({ host: options.host, fetch: wire.fetch, headers: { ...options.headers } }), wire }
  }

  async function guarded<T>(signal: AbortSignal, model: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw asPlannerError(error, model, shownHost)
    }
  }

  return {
    async chat(question, { signal, onFirstByte }) {
      using patience = startPatience({ ...options, host: shownHost, signal, onFirstByte })
      return await guarded(patience.signal, question.model, async () => {
        const { ollama, wire } = client(patience.signal, patience.byte)
        const stream = await ollama.chat({
          model: question.model,
          messages: [...question.messages],
          stream: true,
          options: { temperature: 0, num_ctx: question.contextTokens, num_predict: question.replyTokens },
          ...(question.format === undefined ? {} : { format: question.format }),
        })
        try {
          return await collect(stream)
        } finally {
          // Also after a reply that grew too large: the server stops generating when we hang up. The client's own way makes an error each time.
          wire.hangUp()
        }
      })
    },
    installed: (signal) => guarded(signal, '', async () => namesOf(await client(signal).ollama.list())),
    loaded: (signal) => guarded(signal, '', async () => namesOf(await client(signal).ollama.ps())),
  }
}

/** Old servers send null where the list is empty, whatever the client's types say. */
function namesOf({ models }: { models: readonly { name: string }[] | null }): string[] {
  return (models ?? []).map((model) => model.name)
}

async function collect(stream: AsyncIterable<ChatResponse>): Promise<ChatEnd> {
  let text = ''
  let bytes = 0
  for await (const part of stream) {
    const { content = '', thinking = '' } = part.message ?? {}
    bytes += Buffer.byteLength(content) + Buffer.byteLength(thinking)
    if (bytes > PLAN_LIMITS.maxReplyBytes) return { text: '', finish: 'too_large' }
    text += content
    if (part.done) return { text, finish: finishReason(part.done_reason) }
  }
  return { text: '', finish: 'other' }
}

/** Servers before 0.2 say no reason; then `done` itself is the normal stop. */
function finishReason(reason: string | undefined): FinishReason {
  if (reason === undefined || reason === '' || reason === 'stop') return 'stop'
  return reason === 'length' ? 'length' : 'other'
}

interface Wire {
  fetch: typeof fetch
  /** Lets go of the answer, wherever it is. */
  hangUp(): void
}

function checkedWire(wire: typeof fetch, signal: AbortSignal, onBytes?: () => void): Wire {
  let answer: ReadableStreamDefaultReader<Uint8Array> | undefined
  return {
    async fetch(input, init) {
      const signals = init?.signal ? [signal, init.signal] : [signal]
      const response = await wire(input, { ...init, signal: AbortSignal.any(signals) })
      if (!response.ok) throw new ServerFault(response.status, await faultMessage(response))
      if (!(response.headers.get('content-type') ?? '').includes('json')) {
        await response.body?.cancel()
        throw new ServerFault(response.status, 'it does not speak as Ollama does (no JSON)')
      }
      answer = response.body?.getReader()
      return new Response(answer === undefined ? null : watched(answer, onBytes), response)
    },
    hangUp() {
      // It may have broken off by itself, which whoever reads it has been told.
      answer?.cancel().catch(() => undefined)
    },
  }
}

function watched(reader: ReadableStreamDefaultReader<Uint8Array>, onBytes?: () => void): ReadableStream<Uint8Array> {
  let total = 0
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await reader.read()
        if (done) return controller.close()
        total += value.byteLength
        onBytes?.()
        if (total > MAX_WIRE_BYTES) throw new ServerFault(200, 'its answer has no end')
        controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

async function faultMessage(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_FAULT_BYTES) break
  }
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null && 'error' in body) return oneLine(String(body.error))
  } catch {
    // Not JSON: a proxy's page or plain text, of which the first line is what there is to say.
  }
  return oneLine(text)
}

function asPlannerError(error: unknown, model: string, host: string): PlannerError {
  if (error instanceof PlannerError) return error
  if (error instanceof ServerFault) {
    if (error.status === 404 && /model/i.test(error.message)) {
      return new PlannerError('model_missing', `The model "${model}" is not on the model server.`, { cause: error })
    }
    const what = error.message === '' ? `status ${error.status}` : error.message
    return new PlannerError('model_error', `The model server at ${host} reported: ${what}`, { cause: error })
  }
  const code = networkCode(error)
  if (code !== undefined) {
    return new PlannerError('unreachable', `The model server at ${host} cannot be reached (${code}).`, { cause: error })
  }
  const line = oneLine(errorLine(error))
  // The client's own words for a stream that ended without its last line.
  if (line.startsWith('Did not receive done')) {
    return new PlannerError('unreachable', `The model server at ${host} hung up in the middle of a reply.`, {
      cause: error,
    })
  }
  return new PlannerError('model_error', `The model server at ${host} reported: ${line}`, { cause: error })
}

function networkCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (
      'code' in at &&
      typeof at.code === 'string' &&
      /^(?:E[A-Z_]+|UND_|CERT_|DEPTH_|SELF_|UNABLE_|HPE_)/.test(at.code)
    ) {
      return at.code
    }
  }
  return undefined
}

function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, 300)
}

/** The address as people may see it. */
export function withoutCredentials(host: string): string {
  const url = new URL(host)
  url.username = ''
  url.password = ''
  return url.href.replace(/\/+$/, '')
}
