/** The HTTP API: the same tasks as in chat and on the CLI, for programs. Loopback by default; elsewhere only with tokens. */
import { SetupError } from '../../src/core/errors.ts'
import type { HttpAdapterOptions, HttpLimits } from './options.ts'
import { isLoopback } from './origin.ts'
import { buildServer } from './server.ts'
import { createSpool } from './spool.ts'

const DEFAULT_LIMITS: HttpLimits = {
  uploadBytes: 32 * 1024 * 1024,
  bodyBytes: 256 * 1024,
  requestsPerMinute: 6000,
  followers: 100,
  heartbeatMs: 15_000,
  closeGraceMs: 2000,
}

export interface HttpAdapter extends AsyncDisposable {
  /** Begins to listen. Throws SetupError when it may not or the port is taken. */
  start(): Promise<void>
  /** Where it listens, as a URL without a final slash; '' before start. */
  readonly address: string
}

/** Throws SetupError at once when the options would open the assistant to other machines without a token. */
export function createHttpAdapter(options: HttpAdapterOptions): HttpAdapter {
  if (options.tokens.length === 0 && !isLoopback(options.host)) throw needsToken(options.host)
  const stop = new AbortController()
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const spool = createSpool(options.spoolDirectory)
  const server = buildServer({ ...options, limits, spool, signal: stop.signal })
  let address = ''

  return {
    async start() {
      await spool.sweep(options.clock.now())
      const app = await server
      address = await app.listen({ host: options.host, port: options.port }).catch((error: unknown) => {
        throw cannotListen(options, error)
      })
      options.logger.info({ address }, `the HTTP API listens on ${address}`)
    },
    get address() {
      return address
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      const app = await server
      using _late = options.clock.after(limits.closeGraceMs, () => app.server.closeAllConnections())
      await app.close()
    },
  }
}

function needsToken(host: string): SetupError {
  return new SetupError(
    'api_needs_token',
    `The HTTP API may not listen on ${host} without a token: whoever reaches it could run commands.`,
    'Set ASSISTANT_API_TOKEN, or let ASSISTANT_API_HOST be 127.0.0.1.',
  )
}

function cannotListen({ host, port }: HttpAdapterOptions, cause: unknown): SetupError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const place = `${host}:${port}`
  if (code === 'EADDRINUSE') {
    const fix = 'Stop the other program, or set ASSISTANT_API_PORT to a free port.'
    return new SetupError('api_port_taken', `Another program listens on ${place} already.`, fix, { cause })
  }
  const fix = 'Set ASSISTANT_API_HOST and ASSISTANT_API_PORT to an address of this machine and a port above 1023.'
  return new SetupError('api_cannot_listen', `The HTTP API cannot listen on ${place}.`, fix, { cause })
}
