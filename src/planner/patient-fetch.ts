import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'

/**
 * `fetch` without a time limit of its own. Node's gives up when no headers come for 300 s, and Ollama sends none until a cold model
 * is loaded; hanging up then aborts the load. Here only the caller's signal ends a request. Enough of fetch for the ollama client:
 * text bodies, plain headers, no redirects, one connection for each request.
 */
export const patientFetch: typeof fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input)
  const signal = init?.signal ?? undefined
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  if (signal?.aborted) return Promise.reject(signal.reason)
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const request = send(url, {
    method: init?.method ?? 'GET',
    headers: Object.fromEntries(new Headers(init?.headers)),
    agent: false,
  })
  const hangUp = () => request.destroy(asError(signal?.reason))
  signal?.addEventListener('abort', hangUp, { once: true })
  request.once('close', () => signal?.removeEventListener('abort', hangUp))
  request.once('error', reject)
  request.once('response', (message) => resolve(asResponse(message)))
  request.end(typeof init?.body === 'string' ? init.body : undefined)
  return promise
}

function asResponse(message: IncomingMessage): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  const status = message.statusCode ?? 502
  const mayHaveBody = status !== 204 && status !== 205 && status !== 304
  if (!mayHaveBody) message.resume()
  return new Response(mayHaveBody ? webStream(message) : null, { status, headers })
}

function webStream(message: IncomingMessage): ReadableStream<Uint8Array> {
  // The cast: node:stream/web and the global ReadableStream are the same class under two type names.
  return Readable.toWeb(message) as ReadableStream<Uint8Array>
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted')
}
