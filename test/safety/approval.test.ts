/** Who decides on what, by whom it was changed, and what is kept of it. Real store, policy, inbox, worker and sandbox. */
import { describe, expect, it } from 'vitest'
import type { Actor } from '../../src/core/actor.ts'
import { shortHash } from '../../src/core/approval.ts'
import type { AccessRules } from '../../src/core/authorize.ts'
import type { Verb } from '../../src/core/controls.ts'
import type { PlannedRound, TaskEvent } from '../../src/core/events.ts'
import { TASK_STATUSES, type Task, type TaskStatus } from '../../src/core/task.ts'
import type { Rule } from '../../src/policy/rules.ts'
import { startMaintenance } from '../../src/worker/maintenance.ts'
import { createRetention } from '../../src/worker/retention.ts'
import { type Assembly, type AssemblyOptions, assemble, LOCAL, OPEN_ACCESS, person } from '../fakes/assembly.ts'

const PLACE = { platform: 'slack', key: 'T1:C1:1.0', channelId: 'C1', thread: true } as const
const ACCESS: AccessRules = {
  ...OPEN_ACCESS,
  slack: { ...OPEN_ACCESS.slack, users: ['ana', 'ben', 'eve'], approvers: ['eve'], admins: ['boss'] },
  approverIsNotRequester: true,
}
const [ana, ben, eve, boss, stranger] = ['ana', 'ben', 'eve', 'boss', 'stranger'].map((name) => person(name))

async function waitingTask(assembly: Assembly, actor = person('ana')) {
  const request = { actor, text: 'touch it', place: PLACE, attachments: [], dedupeKey: null, model: null }
  const outcome = await assembly.inbox.submit(request)
  if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome))
  const task = await assembly.until(outcome.task.id, 'awaiting_approval')
  if (task.status !== 'awaiting_approval') throw new Error(task.status)
  return task
}

function asking(more: AssemblyOptions = {}): Promise<Assembly> {
  const rule: Rule = {
    name: 'touching',
    decision: 'ask',
    command: 'touch',
    matches: ['touch x'],
    nonMatches: ['ls'],
  }
  const replies = Array.from({ length: 10 }, () => ['touch x'])
  return assemble({ access: ACCESS, rules: [rule], replies, ...more })
}

function act(assembly: Assembly, actor: Actor | undefined, verb: Verb, task: Task, more: object = {}) {
  const { hash = null, ...details }: { hash?: string | null } = more
  return assembly.inbox.act(actor ?? LOCAL, { verb, taskId: task.id, hash }, details)
}

describe('an approval', () => {
  it('is only for who may: neither the requester, nor somebody else, nor a stranger; every try is in the audit trail', async () => {
    await using assembly = await asking()
    await assembly.startWorker()
    const task = await waitingTask(assembly)
    for (const actor of [ana, ben, stranger]) {
      expect((await act(assembly, actor, 'approve', task)).kind).toBe('forbidden')
      expect((await act(assembly, actor, 'edit', task, { commands: ['ls'] })).kind).toBe('forbidden')
    }
    expect((await act(assembly, eve, 'approve', task)).kind).toBe('done')
    expect((await assembly.until(task.id)).status).toBe('done')
    const audit = await assembly.store.listAudit({ taskId: task.id, limit: 50 })
    expect(audit.map(({ actor, action, allowed }) => [actor.userId, action, allowed])).toEqual([
      ['eve', 'approve', true],
      ...['stranger', 'ben', 'ana'].flatMap((userId) => [
        [userId, 'edit_plan', false],
        [userId, 'approve', false],
      ]),
    ])
    expect(audit[0]?.detail).toBe(`plan ${shortHash(task.approval.hash)}`)
  })

  it('of the own plan is refused to an approver and to an admin too, where two people are wanted', async () => {
    await using assembly = await asking()
    await assembly.startWorker()
    for (const actor of [person('eve'), person('boss')]) {
      const task = await waitingTask(assembly, actor)
      expect((await act(assembly, actor, 'approve', task)).kind).toBe('forbidden')
    }
  })

  it('is for one exact plan: one that was edited meanwhile is read again, has its author, and needs a decision of its own', async () => {
    await using assembly = await asking()
    await assembly.startWorker()
    const task = await waitingTask(assembly)
    const before = task.approval.hash
    const edited = await act(assembly, eve, 'edit', task, {
      hash: before,
      commands: ['touch x', 'curl http://a.example'],
    })
    expect(edited.kind).toBe('done')
    const now = await assembly.until(task.id, 'awaiting_approval')
    expect(now.rounds.at(-1)).toMatchObject({
      author: { kind: 'person', person: { userId: 'eve' } },
      verdict: { steps: [{}, { badges: expect.arrayContaining(['network']) }] },
    })
    expect((await act(assembly, boss, 'approve', task, { hash: before })).kind).toBe('conflict')
    const denied = await act(assembly, eve, 'edit', task, { commands: ['rm -rf /*'] })
    expect(denied).toMatchObject({ kind: 'invalid', sentence: expect.stringContaining('does not allow') })
    expect((await assembly.until(task.id, 'awaiting_approval')).rounds.at(-1)?.hash).toBe(now.rounds.at(-1)?.hash)
  })

  it('is taken once: of several at the same moment one counts, and the others learn who was first', async () => {
    await using assembly = await asking()
    await assembly.startWorker()
    const task = await waitingTask(assembly)
    const outcomes = await Promise.all([
      act(assembly, eve, 'approve', task),
      act(assembly, boss, 'reject', task),
      act(assembly, boss, 'approve', task),
    ])
    expect(outcomes.filter(({ kind }) => kind === 'done')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.kind === 'conflict')
        expect(outcome.sentence).toMatch(/already (approved by eve|rejected by boss|approved by boss)/)
      else expect(outcome.kind).toBe('done')
    }
  })

  it('that nobody gives is asked for once more, then expires, and a late one is refused', async () => {
    await using assembly = await asking()
    const { store, workspace, clock } = assembly
    const logger = { debug: none, info: none, warn: none, error: none }
    await using _maintenance = startMaintenance({
      ...{ store, clock, logger },
      retention: createRetention({ store, workspace, clock, logger, keepMs: 1e12, diskBytes: 1e15, chats: [] }),
      leaseMs: 30_000,
      longestPauseMs: 30_000,
    })
    await assembly.startWorker()
    const task = await waitingTask(assembly)
    const kinds = async () => {
      clock.advance(10_000)
      return (await assembly.events(task.id)).filter((kind) => /remind|expire/.test(kind))
    }
    clock.advance(23 * 3_600_000)
    await expect.poll(kinds).toEqual(['reminded'])
    clock.advance(3_600_000)
    await expect.poll(kinds).toEqual(['reminded', 'expired'])
    expect(await act(assembly, eve, 'approve', task)).toMatchObject({
      kind: 'conflict',
      sentence: expect.stringContaining('has expired'),
    })
  })
})

const none = () => undefined

describe('who may do what in which state', () => {
  const verbs = ['cancel', 'retry', 'rerun', 'approve', 'reject', 'edit', 'discard', 'resume', 'replan'] as const
  const table = TASK_STATUSES.flatMap((status) => verbs.map((verb) => ({ status, verb })))

  it.each(table)(
    '$status: $verb is refused to a stranger and a bot before anything else is looked at',
    async ({ status, verb }) => {
      await using assembly = await asking()
      const task = await taskIn(assembly, status)
      for (const actor of [stranger, person('ana', { isBot: true }), person('ana', { scope: 'T2' })]) {
        expect((await act(assembly, actor, verb, task, { commands: ['ls'] })).kind).toBe('forbidden')
      }
      expect((await assembly.store.get(task.id))?.updatedAt).toBe(task.updatedAt)
    },
  )

  it.each(TASK_STATUSES.filter((status) => status !== 'awaiting_approval'))(
    '%s: nobody can approve or reject',
    async (status) => {
      await using assembly = await asking()
      const task = await taskIn(assembly, status)
      for (const verb of ['approve', 'reject'] as const) {
        expect((await act(assembly, eve, verb, task)).kind).toBe('conflict')
        expect((await act(assembly, LOCAL, verb, task)).kind).toBe('conflict')
      }
      expect((await assembly.store.get(task.id))?.status).toBe(status)
    },
  )
})

const PLANNED = {
  round: 1,
  plan: { commands: ['touch x'], summary: '', network: null },
  author: { kind: 'model', model: 'm' },
  verdict: { decision: 'ask', reasons: [], steps: [{ decision: 'ask', badges: [], reasons: [] }] },
  hash: 'a'.repeat(64),
  repairOf: null,
} satisfies PlannedRound
const ENDED = { outputs: null, redactions: 0 }
const PATHS: Record<TaskStatus, TaskEvent[]> = {
  pending: [],
  planning: [],
  awaiting_approval: [{ kind: 'planned', expiresAt: 1e15, ...PLANNED }],
  running: [{ kind: 'plan_allowed', ...PLANNED }],
  done: [{ kind: 'answered', answer: 'yes' }],
  failed: [{ kind: 'failed', reason: 'plan_invalid', detail: '', step: null, ...ENDED }],
  cancelled: [{ kind: 'cancelled', reason: 'cancelled', by: null, note: '', ...ENDED }],
}

async function taskIn(assembly: Assembly, status: TaskStatus): Promise<Task> {
  const request = { actor: person('ana'), text: 'x', place: PLACE, attachments: [], dedupeKey: null, model: null }
  const outcome = await assembly.inbox.submit(request)
  if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome))
  let task = outcome.task
  if (status !== 'pending') task = (await assembly.store.claim({ id: 'w', leaseMs: 1e12 })) ?? task
  for (const event of PATHS[status]) {
    const result = await assembly.store.apply(task.id, event, {})
    if (result.kind === 'conflict') throw new Error(`no way to ${status}`)
    task = result.task
  }
  expect(task.status).toBe(status)
  return task
}
