import { expect, it } from 'vitest'
import type { ChatLimits } from '../../src/ports/chat-adapter.ts'
import { backoffMs, createPlatformGate } from '../../src/reporter/backoff.ts'
import { createEditBudget, type Urgency } from '../../src/reporter/edit-budget.ts'
import { manualClock } from '../fakes/manual-clock.ts'

const SHARED: ChatLimits = {
  ...{ maxFiles: 10, maxUploadBytes: 1e6, editBudget: 'shared', maxEditAgeMs: null },
  minEditIntervalMs: (cards) => Math.max(3000, 1500 * cards),
}

it('lets the status through at once, then a second apart, and output at the platform’s interval', () => {
  const clock = manualClock()
  const budget = createEditBudget(SHARED, clock)
  const take = (urgency: Urgency, cards = 1) => budget.take({ urgency, editedAt: clock.now() - 900, cards })
  expect(budget.take({ urgency: 'status', editedAt: null, cards: 1 })).toBe(0)
  expect(take('status')).toBe(100)
  expect(take('step')).toBe(600)
  expect(take('tail')).toBe(2100)
  expect(take('tail', 10)).toBe(14_100)
  expect(take('clock')).toBe(29_100)
})

it('keeps a reserve of the shared minute for changes of status', () => {
  const clock = manualClock()
  const budget = createEditBudget(SHARED, clock)
  const takeAll = (urgency: Urgency) => {
    let taken = 0
    while (budget.take({ urgency, editedAt: null, cards: 1 }) === 0) taken++
    return taken
  }
  expect([takeAll('clock'), takeAll('tail'), takeAll('step'), takeAll('status')]).toEqual([35, 5, 5, 5])
  expect(budget.take({ urgency: 'status', editedAt: null, cards: 1 })).toBe(60_000)
  clock.advance(60_000)
  expect(takeAll('status')).toBe(50)
})

it('holds nobody back for others where each thread has its own budget', () => {
  const budget = createEditBudget({ ...SHARED, editBudget: 'per_thread' }, manualClock())
  const waits = Array.from({ length: 200 }, () => budget.take({ urgency: 'tail', editedAt: null, cards: 1 }))
  expect(new Set(waits)).toEqual(new Set([0]))
})

it('obeys a pause, and a wall clock that jumps back does not stop it for ever', () => {
  const clock = manualClock()
  const budget = createEditBudget(SHARED, clock)
  budget.pause(20_000)
  const ask = () => budget.take({ urgency: 'status', editedAt: null, cards: 1 })
  expect(ask()).toBe(20_000)
  clock.set(clock.now() - 86_400_000)
  expect(ask()).toBe(0)
})

it('backs off up to a minute, spread by chance', () => {
  expect([1, 2, 3, 7, 8, 5000].map((attempts) => backoffMs(attempts, () => 0))).toEqual([
    1000, 2000, 4000, 60_000, 60_000, 60_000,
  ])
  expect(backoffMs(3, () => 1)).toBe(2000)
})

it('lets one at a time through to a platform that is down, and everybody when it is back', () => {
  const clock = manualClock()
  const gate = createPlatformGate(clock)
  for (let failure = 0; failure < 3; failure++) {
    expect(gate.waitMs()).toBe(0)
    gate.failed(4000)
  }
  expect(gate.waitMs()).toBe(4000)
  clock.advance(4000)
  expect([gate.waitMs(), gate.waitMs()]).toEqual([0, 1000])
  gate.succeeded()
  expect([gate.waitMs(), gate.waitMs()]).toEqual([0, 0])
})
