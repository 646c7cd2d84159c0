/** The real program with a look into it. */
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { createHome, type Home, type Running, start } from '../e2e/program.ts'

const seenSchema = z.object({
  rssMb: z.number(),
  peakMb: z.number(),
  delayP50Ms: z.number(),
  delayP99Ms: z.number(),
  delayMaxMs: z.number(),
})
export type Seen = z.infer<typeof seenSchema>

export function probedHome(environment: Record<string, string>): Home {
  const probe = new URL('./program-probe.js', import.meta.url).href
  return createHome({ ...environment, NODE_OPTIONS: `--import=${probe}`, ASSISTANT_LOG_LEVEL: 'warn' })
}

export function startProgram(home: Home): Running {
  return start(home, ['start'])
}

/** Since the last look: memory, and how long the event loop stood still. */
export async function lookInto(running: Running): Promise<Seen> {
  const before = running.output().stderr.length
  running.child.kill('SIGUSR2')
  const told = () => /probe (\{.*\})\n/.exec(running.output().stderr.slice(before))?.[1]
  while (told() === undefined) await wait(5)
  return seenSchema.parse(JSON.parse(told() ?? ''))
}
