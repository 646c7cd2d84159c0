/** Waiting for what a process, a socket or a file brings about: the only place that says for how long. */
import { vi } from 'vitest'

/**
 * Waits until `check` no longer throws, and answers what it returned. The bound is for what never comes: vitest's own second
 * is what a busy machine takes for anything.
 */
export function eventually<T>(check: () => T | Promise<T>, intervalMs = 20): Promise<T> {
  return vi.waitFor(check, { timeout: 90_000, interval: intervalMs })
}
