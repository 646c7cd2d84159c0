import { describe, expect, test } from 'vitest'
import type { Planner, PlanRequest } from '../../src/ports/planner.ts'

const REQUEST: PlanRequest = {
  taskId: 1,
  description: 'list the files',
  model: null,
  files: [],
  filesOmitted: 0,
  limits: { stepTimeoutMs: 1000, taskTimeoutMs: 1000, memoryBytes: 1, networkPossible: false },
  history: [],
  remark: null,
}

/** What every planner keeps to. `open` answers one whose first plan is the command `ls`. */
export function plannerContract(name: string, open: () => Promise<Planner>): void {
  describe(`${name} keeps the planner's contract`, () => {
    const onPhase = () => undefined
    const aborted = AbortSignal.abort(new Error('called off'))

    test('a plan comes back as a value, and the phases before it are told', async () => {
      const phases: string[] = []
      const planner = await open()
      const { signal } = new AbortController()
      const reply = await planner.plan(REQUEST, { signal, onPhase: (phase) => void phases.push(phase.kind) })
      expect(reply).toMatchObject({ kind: 'plan', plan: { commands: ['ls'], network: null } })
      expect(phases).toContain('asking_model')
    })

    test('an aborted signal ends both questions with its own reason', async () => {
      const planner = await open()
      await expect(planner.plan(REQUEST, { signal: aborted, onPhase })).rejects.toThrow('called off')
      await expect(planner.summarize(REQUEST, { signal: aborted })).rejects.toThrow('called off')
    })

    test('its status says whether the model is there', async () => {
      const status = await (await open()).status()
      expect(status).toMatchObject({ reachable: true, modelInstalled: true, fix: null })
      expect(status.installed.length).toBeGreaterThan(0)
    })
  })
}
