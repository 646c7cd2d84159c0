import { afterEach } from 'vitest'
import { createPlanner } from '../../src/planner/planner.ts'
import { plannerContract } from '../contracts/planner.ts'
import { manualClock } from '../fakes/manual-clock.ts'
import { type FakeOllamaServer, startOllamaServer } from '../fakes/ollama-server.ts'
import { scriptedPlanner } from '../fakes/scripted-planner.ts'

const open: FakeOllamaServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})
const ignore = () => undefined

plannerContract('the planner', async () => {
  const server = await startOllamaServer({ replies: ['{"commands": ["ls"]}'] })
  open.push(server)
  return createPlanner({
    host: server.host,
    model: 'test',
    clock: manualClock(),
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    coldStartTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    describeMachine: () => ({ os: 'Linux', shell: 'bash', programs: [] }),
  })
})

plannerContract('the scripted planner', async () => scriptedPlanner([['ls']]))
