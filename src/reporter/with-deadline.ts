import { AdapterError } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'

/** A call to a platform that never answers must not hold its thread for ever. The call itself goes on; its key makes another try harmless. */
export async function withDeadline<T>(call: Promise<T>, ms: number, clock: Clock): Promise<T> {
  const late = Promise.withResolvers<never>()
  using _timer = clock.after(ms, () => {
    late.reject(new AdapterError('unavailable', `The platform did not answer within ${Math.round(ms / 1000)} s.`))
  })
  return await Promise.race([call, late.promise])
}
