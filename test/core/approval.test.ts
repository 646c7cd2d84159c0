import { describe, expect, it } from 'vitest'
import { allowPlan, approvePlan, planHash, type RunTerms } from '../../src/core/approval.ts'
import type { Plan } from '../../src/core/plan.ts'
import type { PlanVerdict } from '../../src/core/verdict.ts'

const plan: Plan = { commands: ['ls -l', 'rm -f x'], summary: 'tidy', network: null }
const terms: RunTerms = {
  taskId: 1,
  round: 1,
  sandbox: ['pid', 'mounts'],
  environment: { A: '1', B: '2' },
  limits: { memory: 1 },
  inputs: ['a.csv:3'],
  requester: 'slack:T1:U1',
}
const ana = { platform: 'slack', userId: 'U1', name: 'Ana' } as const

describe('the hash that an approval binds', () => {
  const changes: Record<string, [Plan, RunTerms]> = {
    'one byte of a command': [{ ...plan, commands: ['ls -l', 'rm -f  x'] }, terms],
    'the order of commands': [{ ...plan, commands: ['rm -f x', 'ls -l'] }, terms],
    'where one command ends and the next begins': [{ ...plan, commands: ['ls -l\nrm -f x'] }, terms],
    'the network': [{ ...plan, network: { reason: '', hosts: ['example.com'] } }, terms],
    'a layer of the sandbox': [plan, { ...terms, sandbox: ['pid'] }],
    'the environment': [plan, { ...terms, environment: { A: '1', B: '3' } }],
    'a limit': [plan, { ...terms, limits: { memory: 2 } }],
    'an input': [plan, { ...terms, inputs: ['b.csv:3'] }],
    'the requester': [plan, { ...terms, requester: 'slack:T1:U2' }],
    'the task': [plan, { ...terms, taskId: 2 }],
    'the round': [plan, { ...terms, round: 2 }],
  }
  it.each(Object.entries(changes))('changes with %s', (_what, [otherPlan, otherTerms]) => {
    expect(planHash(otherPlan, otherTerms)).not.toBe(planHash(plan, terms))
  })

  it('does not change with the order in which terms are listed, nor with the summary', () => {
    const reordered = { ...terms, sandbox: ['mounts', 'pid'], environment: { B: '2', A: '1' } }
    expect(planHash({ ...plan, summary: 'other words' }, reordered)).toBe(planHash(plan, terms))
  })
})

describe('a plan that may run', () => {
  const verdict = (decision: PlanVerdict['decision']): PlanVerdict => ({ decision, reasons: [], steps: [] })

  it('is one that policy allows', () => {
    expect(allowPlan(plan, 'h', verdict('allow'))?.by).toBe('policy')
    expect(allowPlan(plan, 'h', verdict('ask'))).toBeUndefined()
    expect(allowPlan(plan, 'h', verdict('deny'))).toBeUndefined()
  })

  it('or one with the very hash that a person approved', () => {
    expect(approvePlan(plan, 'h', 'h', ana)?.by).toEqual(ana)
    expect(approvePlan(plan, 'h', 'other', ana)).toBeUndefined()
  })

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(allowPlan(plan, 'h', verdict('allow')))).toBe(true)
  })
})
