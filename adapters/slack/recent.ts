/** Things seen a moment ago, in this process: the store knows about all others. */
import type { Clock } from '../../src/ports/clock.ts'

const MAX_ENTRIES = 2000

export interface Recent {
  /** False when the same was claimed less than `ageMs` ago. */
  claim(key: string): boolean
  /** It failed: the next one may try. */
  release(key: string): void
}

export function createRecent(clock: Clock, ageMs: number): Recent {
  const seen = new Map<string, number>()
  return {
    claim(key) {
      const now = clock.now()
      const at = seen.get(key)
      if (at !== undefined && now - at >= 0 && now - at < ageMs) return false
      seen.delete(key)
      seen.set(key, now)
      const oldest = seen.keys().next().value
      if (seen.size > MAX_ENTRIES && oldest !== undefined) seen.delete(oldest)
      return true
    },
    release: (key) => void seen.delete(key),
  }
}
