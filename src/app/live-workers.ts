import { hostname } from 'node:os'
import type { Store, WorkerRow } from '../ports/store.ts'

/** Workers that take tasks now: heard of within a lease, and of this machine's only those whose process is still there. */
export async function liveWorkers(store: Store, leaseMs: number): Promise<readonly WorkerRow[]> {
  const here = hostname()
  return (await store.liveWorkers(leaseMs)).filter(({ host, pid }) => host !== here || isThere(pid))
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: there, but another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
