/** What commands run in: measured by a worker, kept in the store for the roles that have no sandbox. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Config } from '../../config/config.ts'
import type { Box } from '../core/review.ts'
import type { Sandbox, SandboxLimits } from '../ports/sandbox.ts'
import type { Store } from '../ports/store.ts'

const NOTE = 'box'

const boxSchema = z.object({
  strength: z.enum(['full', 'weak', 'none']),
  givesNetwork: z.boolean(),
  layers: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  limits: z.record(z.string(), z.number()),
})

export function sandboxLimits({ sandbox }: Config): SandboxLimits {
  return {
    memoryBytes: sandbox.memory,
    processes: sandbox.processes,
    cpuSeconds: Math.ceil(sandbox.cpu / 1000),
    fileBytes: sandbox.file,
    diskBytes: sandbox.disk,
    openFiles: sandbox.openFiles,
    scratchBytes: sandbox.scratch,
  }
}

/** Measures this machine's sandbox and tells the other roles. Throws SandboxError when none can start. */
export async function measureBox(config: Config, sandbox: Sandbox, store: Store): Promise<Box> {
  const report = await sandbox.check()
  const box: Box = {
    strength: report.strength,
    givesNetwork: report.givesNetwork,
    layers: report.layers.filter((layer) => layer.on).map((layer) => layer.name),
    environment: digests(config.sandbox.environment),
    limits: {
      ...sandboxLimits(config),
      stepTimeoutMs: config.worker.stepTimeout,
      taskTimeoutMs: config.worker.taskTimeout,
    },
  }
  await store.setNote(NOTE, JSON.stringify(box))
  return box
}

/** Enough to tell that a value has changed; the values themselves may be secrets that tasks are meant to have, and are not stored. */
function digests(environment: Readonly<Record<string, string>>): Record<string, string> {
  const digest = (value: string) => createHash('sha256').update(value).digest('hex')
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, digest(value)]))
}

/** What a worker on this store has measured last; undefined while none has. */
export async function knownBox(store: Store): Promise<Box | undefined> {
  const note = await store.getNote(NOTE)
  // One that an older program wrote may lack something: then none is known until a worker has measured.
  return note === undefined ? undefined : boxSchema.safeParse(JSON.parse(note)).data
}
