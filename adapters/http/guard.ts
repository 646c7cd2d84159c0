/** Every request passes here first: the Host and Origin headers, then the token. */
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Actor } from '../../src/core/actor.ts'
import { isHostAllowed, isLoopback, isOriginAllowed } from './origin.ts'
import { ApiProblem } from './problems.ts'
import { type ApiToken, findToken, LOCAL_ACTOR, tokenActor } from './tokens.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; null without a valid token. */
    actor: Actor | null
  }
  interface FastifyContextConfig {
    /** Answered without a token: it tells nothing of tasks. */
    isPublic?: boolean
  }
}

export interface GuardOptions {
  host: string
  tokens: readonly ApiToken[]
  allowedHosts: readonly string[]
}

export interface Guard {
  /** What the rate limit counts by. */
  callerKey(request: FastifyRequest): string
  tooMany(ttlMs: number): ApiProblem
  requireActor(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void
}

export function installGuard(app: FastifyInstance, options: GuardOptions): Guard {
  const allowed = [...options.allowedHosts, options.host]
  app.decorateRequest('actor', null)
  app.addHook('onRequest', (request, _reply, done) => {
    if (!isHostAllowed(request.headers.host, allowed, request.socket.localAddress)) {
      throw new ApiProblem(
        'host_not_allowed',
        'Ask for localhost, or add the name to the allowed hosts of the settings.',
      )
    }
    if (!isOriginAllowed(request.method, request.headers)) {
      throw new ApiProblem('origin_not_allowed', 'Call this API from a program, or from its own page at /docs.')
    }
    request.actor = identify(request, options.tokens)
    done()
  })
  return {
    callerKey: (request) => `${request.ip} ${request.actor?.userId ?? ''}`,
    tooMany(ttlMs) {
      const seconds = Math.max(1, Math.ceil(ttlMs / 1000))
      const headers = { 'retry-after': String(seconds) }
      return new ApiProblem('too_many_requests', `Try again in ${seconds} s.`, { headers })
    },
    requireActor(request, _reply, done) {
      if (request.routeOptions.config.isPublic !== true && !request.is404) actorOf(request)
      done()
    },
  }
}

/** Who calls. Throws the 401 problem when nobody is known. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.actor !== null) return request.actor
  const detail = 'Send the header "Authorization: Bearer" with a token of this server.'
  throw new ApiProblem('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer' } })
}

function identify(request: FastifyRequest, tokens: readonly ApiToken[]): Actor | null {
  if (tokens.length === 0) return isLoopback(request.socket.remoteAddress ?? '') ? LOCAL_ACTOR : null
  const token = findToken(request.headers.authorization, tokens)
  return token === undefined ? null : tokenActor(token)
}
