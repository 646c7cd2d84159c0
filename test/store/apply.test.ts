import { expect, test } from 'vitest'
import type { TaskEvent, TaskEventKind } from '../../src/core/events.ts'
import { TASK_STATUSES } from '../../src/core/task.ts'
import { nextStatus } from '../../src/core/transitions.ts'
import {
  ANA,
  applied,
  cancelled,
  claim,
  finished,
  openBench,
  planned,
  plannedRound,
  submit,
  taskIn,
} from './store-helpers.ts'

const HASH = plannedRound().hash
const failed = { kind: 'failed', reason: 'internal', detail: '', step: null, outputs: null, redactions: 0 } as const

/** One event of each kind, made so that only the status decides. */
const EVENTS: Record<TaskEventKind, TaskEvent> = {
  submitted: { kind: 'submitted' },
  inputs_ready: { kind: 'inputs_ready' },
  claimed: { kind: 'claimed', workerId: 'w1' },
  released: { kind: 'released', why: 'stopping' },
  phase: { kind: 'phase', phase: { kind: 'starting' } },
  planned: planned(),
  plan_allowed: { kind: 'plan_allowed', ...plannedRound() },
  plan_edited: { kind: 'plan_edited', expiresAt: 1, ...plannedRound(1, ['pwd']) },
  answered: { kind: 'answered', answer: '42' },
  approved: { kind: 'approved', by: ANA, hash: HASH },
  rejected: { kind: 'rejected', by: ANA, note: 'no' },
  reminded: { kind: 'reminded' },
  expired: { kind: 'expired' },
  superseded: { kind: 'superseded', by: ANA },
  step_started: { kind: 'step_started', round: 1, index: 0 },
  step_ended: { kind: 'step_ended', round: 1, index: 0, end: { kind: 'exited', code: 0 } },
  repairing: { kind: 'repairing', why: 'ls failed' },
  finished: finished(),
  failed,
  cancel_requested: { kind: 'cancel_requested', by: ANA },
  cancelled: cancelled(),
}
/** A claim comes with a lease and a submission with a row, so these are not applied; a step ends only once it has started. */
const NOT_BY_APPLY: readonly TaskEventKind[] = ['submitted', 'claimed', 'step_ended']

test('every event in every status does what the table says, and a conflict changes nothing', async () => {
  await using bench = await openBench({ synchronous: 'normal' })
  const { store } = bench
  for (const status of TASK_STATUSES) {
    for (const event of Object.values(EVENTS)) {
      const id = await taskIn(store, status)
      const before = await store.get(id)
      const eventsBefore = await store.events({ taskId: id, afterId: 0, limit: 100 })
      const result = await store.apply(id, event, {})
      const after = await store.get(id)
      const eventsAfter = await store.events({ taskId: id, afterId: 0, limit: 100 })
      const to = NOT_BY_APPLY.includes(event.kind) ? undefined : nextStatus(status, event.kind)
      const where = `${event.kind} in ${status}`
      expect(result.kind, where).toBe(to === undefined ? 'conflict' : 'applied')
      expect(result.task, where).toEqual(after)
      expect(after?.status, where).toBe(to ?? status)
      if (to === undefined) expect([after, eventsAfter], where).toEqual([before, eventsBefore])
      else expect(eventsAfter.map((stored) => stored.event).slice(eventsBefore.length), where).toEqual([event])
    }
  }
})

test('a whole life is in the rows and in the events, in order', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const id = await submit(store)
  const life: TaskEvent[] = [
    { kind: 'phase', phase: { kind: 'asking_model', model: 'qwen', attempt: 1, since: 5 } },
    planned(),
    { kind: 'approved', by: ANA, hash: HASH },
  ]
  await claim(store)
  for (const event of life) await applied(store, id, event)
  expect(await store.get(id)).toMatchObject({
    status: 'running',
    lease: null,
    phase: null,
    approval: { decision: 'approved', by: ANA },
  })
  await claim(store)
  clock.advance(10)
  const run: TaskEvent[] = [
    { kind: 'step_started', round: 1, index: 0 },
    { kind: 'step_ended', round: 1, index: 0, end: { kind: 'exited', code: 1 } },
    { kind: 'repairing', why: 'exit 1' },
    { kind: 'plan_allowed', ...plannedRound(2, ['ls -a']) },
    { kind: 'step_started', round: 2, index: 0 },
    { kind: 'step_ended', round: 2, index: 0, end: { kind: 'exited', code: 0 } },
    finished(),
  ]
  for (const event of run) await applied(store, id, event)
  const task = await store.get(id)
  expect(task).toMatchObject({
    status: 'done',
    answer: '3 files',
    round: 2,
    lease: null,
    outputs: { files: 1, bytes: 10 },
    redactions: 2,
    endedAt: clock.now(),
    startedAt: clock.now() - 10,
  })
  expect(task?.rounds.map((round) => round.steps.map((step) => [step.command, step.state]))).toEqual([
    [
      ['ls', 'ended'],
      ['wc -l', 'skipped'],
    ],
    [['ls -a', 'ended']],
  ])
  const kinds = (await store.events({ afterId: 0, limit: 100 })).map((stored) => stored.event.kind)
  expect(kinds).toEqual(['submitted', 'claimed', ...life.map((e) => e.kind), 'claimed', ...run.map((e) => e.kind)])
})

test('a fence that does not hold is a conflict: status, lease and hash', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await submit(store)
  const leaseId = (await claim(store))?.lease?.id ?? ''
  const phase: TaskEvent = { kind: 'phase', phase: { kind: 'starting' } }
  expect((await store.apply(id, phase, { status: 'pending' })).kind).toBe('conflict')
  expect((await store.apply(id, phase, { leaseId: 'another' })).kind).toBe('conflict')
  expect((await store.apply(id, phase, { leaseId: null })).kind).toBe('conflict')
  expect((await store.apply(id, phase, { status: 'planning', leaseId })).kind).toBe('applied')
  await applied(store, id, planned())
  const approved: TaskEvent = { kind: 'approved', by: ANA, hash: HASH }
  expect((await store.apply(id, approved, { hash: 'an older plan' })).kind).toBe('conflict')
  expect((await store.apply(id, { ...approved, hash: 'an older plan' }, {})).kind).toBe('conflict')
  expect((await store.apply(id, approved, { hash: HASH, leaseId: null })).kind).toBe('applied')
  expect(await store.apply(999, approved, {})).toEqual({ kind: 'conflict', task: undefined })
})

test('an edited plan takes the place of the one that was asked about, and only its hash can be approved', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await taskIn(store, 'awaiting_approval')
  await applied(store, id, { kind: 'plan_edited', expiresAt: 9e15, ...plannedRound(1, ['pwd']) })
  expect((await store.apply(id, { kind: 'approved', by: ANA, hash: HASH }, {})).kind).toBe('conflict')
  const task = await store.get(id)
  expect(task?.rounds).toHaveLength(1)
  expect(task?.rounds[0]?.steps.map((step) => step.command)).toEqual(['pwd'])
  expect(task?.approval).toMatchObject({ expiresAt: 9e15, decision: null })
  await applied(store, id, { kind: 'approved', by: ANA, hash: plannedRound(1, ['pwd']).hash })
})

test('a step starts once, and a run that has begun is not released', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await taskIn(store, 'running')
  const start: TaskEvent = { kind: 'step_started', round: 1, index: 0 }
  await applied(store, id, start)
  expect((await store.apply(id, start, {})).kind).toBe('conflict')
  expect((await store.apply(id, { ...start, round: 2 }, {})).kind).toBe('conflict')
  expect((await store.apply(id, { kind: 'released', why: 'stopping' }, {})).kind).toBe('conflict')
  await applied(store, id, cancelled())
  const states = (await store.get(id))?.rounds[0]?.steps.map((step) => [step.state, step.end])
  expect(states).toEqual([
    ['ended', { kind: 'cancelled' }],
    ['skipped', null],
  ])
})

test('the first wish to cancel is the one that is kept', async () => {
  await using bench = await openBench()
  const { store } = bench
  const id = await taskIn(store, 'planning')
  await applied(store, id, { kind: 'cancel_requested', by: ANA })
  await applied(store, id, { kind: 'cancel_requested', by: { ...ANA, userId: 'U2' } })
  expect((await store.get(id))?.cancelRequestedBy).toEqual(ANA)
})

test('an approval or an edit after the expiry is a conflict, also where nobody has settled it yet', async () => {
  await using bench = await openBench()
  const { store, clock } = bench
  const id = await taskIn(store, 'awaiting_approval')
  const approval = (await store.get(id))?.approval
  clock.set((approval?.expiresAt ?? 0) - 1)
  await applied(store, id, { kind: 'reminded' })
  clock.set(approval?.expiresAt ?? 0)
  const edited: TaskEvent = { kind: 'plan_edited', expiresAt: 9e15, ...plannedRound(1, ['pwd']) }
  for (const event of [{ kind: 'approved', by: ANA, hash: HASH } as const, edited]) {
    expect((await store.apply(id, event, {})).kind).toBe('conflict')
  }
  await applied(store, id, { kind: 'expired' })
})

test.each([planned(), EVENTS.plan_allowed])('a task whose cancel was requested takes no plan: $kind', async (plan) => {
  await using bench = await openBench()
  const { store } = bench
  const id = await taskIn(store, 'planning')
  await applied(store, id, { kind: 'cancel_requested', by: ANA })
  expect(await store.apply(id, plan, {})).toMatchObject({ kind: 'conflict', task: { status: 'planning' } })
  await applied(store, id, cancelled())
})
