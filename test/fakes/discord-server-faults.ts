/** What can go wrong between us and Discord, told to the stand-in by a test. */
import type { RestAnswer, RestRequest } from './discord-server-rest.ts'

export type Fault =
  /** This answer instead of the real one; nothing takes effect. */
  | { kind: 'answer'; status: number; body?: unknown; headers?: Record<string, string> }
  /** It takes effect, and the answer is lost on the way. */
  | { kind: 'lost' }
  /** It waits until the gate opens. */
  | { kind: 'gate'; gate: Promise<unknown> }

export interface PlannedFault {
  method: string
  path: RegExp
  /** How often it strikes. */
  times: number
  fault: Fault
}

export interface FaultList {
  add(planned: PlannedFault): void
  /** The fault for this request, used up by asking. */
  take(request: RestRequest): Fault | undefined
  clear(): void
}

export function createFaults(): FaultList {
  const planned: PlannedFault[] = []
  return {
    add: (fault) => void planned.push(fault),
    take(request) {
      const found = planned.find((one) => one.times > 0 && one.method === request.method && one.path.test(request.path))
      if (found === undefined) return undefined
      found.times -= 1
      return found.fault
    },
    clear: () => void planned.splice(0),
  }
}

/** A 429 as Discord sends it, by route or for all routes. */
export function rateLimited(retryAfterSeconds: number, scope: 'route' | 'global'): Fault {
  return {
    kind: 'answer',
    status: 429,
    body: { message: 'You are being rate limited.', retry_after: retryAfterSeconds, global: scope === 'global' },
    headers: {
      'retry-after': String(Math.ceil(retryAfterSeconds)),
      'x-ratelimit-scope': scope === 'global' ? 'global' : 'user',
      'x-ratelimit-reset-after': String(retryAfterSeconds),
      'x-ratelimit-remaining': '0',
      ...(scope === 'global' ? { 'x-ratelimit-global': 'true' } : {}),
    },
  }
}

interface Bucket {
  remaining: number
  resetAt: number
}

export interface RateLimits {
  /** Requests of a bucket in a window; null: as many as you like. */
  set(limit: { requests: number; windowMs: number } | null): void
  /** Headers for the answer, and the 429 when the bucket is empty. */
  count(bucket: string, now: number): { headers: Record<string, string>; refused: RestAnswer | undefined }
}

/** Limits by route and major parameter, told in the headers of every answer, as Discord does. */
export function createRateLimits(): RateLimits {
  const buckets = new Map<string, Bucket>()
  let limit: { requests: number; windowMs: number } | null = null
  return {
    set(next) {
      limit = next
      buckets.clear()
    },
    count(name, now) {
      if (limit === null) return { headers: {}, refused: undefined }
      const known = buckets.get(name)
      const bucket =
        known === undefined || known.resetAt <= now
          ? { remaining: limit.requests, resetAt: now + limit.windowMs }
          : known
      buckets.set(name, bucket)
      const resetAfter = (bucket.resetAt - now) / 1000
      const isEmpty = bucket.remaining <= 0
      if (!isEmpty) bucket.remaining -= 1
      const headers = {
        'x-ratelimit-limit': String(limit.requests),
        'x-ratelimit-remaining': String(bucket.remaining),
        'x-ratelimit-reset-after': resetAfter.toFixed(3),
        'x-ratelimit-bucket': Buffer.from(name).toString('hex').slice(0, 32),
      }
      if (!isEmpty) return { headers, refused: undefined }
      return {
        headers: { ...headers, 'retry-after': resetAfter.toFixed(3), 'x-ratelimit-scope': 'user' },
        refused: {
          status: 429,
          body: { message: 'You are being rate limited.', retry_after: resetAfter, global: false },
        },
      }
    },
  }
}
