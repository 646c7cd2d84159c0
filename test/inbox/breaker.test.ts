import { describe, expect, it } from 'vitest'
import type { Place } from '../../src/core/task.ts'
import { assemble, LOCAL, person } from '../fakes/assembly.ts'

const THREAD: Place = { platform: 'slack', key: 'T1/C1/1.1', channelId: 'C1', thread: true }
const CHANNEL: Place = { platform: 'slack', key: 'T1/C1', channelId: 'C1', thread: false }
const ANA = person('U1')

describe('a loop', () => {
  it('in one thread is stopped, recorded once, and lets others through; a person resets it', async () => {
    await using app = await assemble()
    const ask = (number: number, place = THREAD, actor = ANA) =>
      app.inbox.submit({ actor, text: `answer ${number}`, place, attachments: [], dedupeKey: null, model: null })
    for (let number = 1; number <= 20; number += 1) expect((await ask(number)).kind).toBe('created')
    for (const number of [21, 22]) {
      expect(await ask(number)).toMatchObject({ kind: 'full', sentence: expect.stringContaining('looks like a loop') })
    }
    expect((await ask(23, CHANNEL)).kind).toBe('created')
    const trail = await app.store.listAudit({ limit: 10 })
    expect(trail.filter(({ action }) => action === 'breaker')).toHaveLength(1)
    expect(await app.inbox.resetLoops(ANA)).toMatchObject({ kind: 'forbidden' })
    expect(await app.inbox.resetLoops(LOCAL)).toMatchObject({ kind: 'loops', loops: [{ why: /in one thread/ }] })
    expect(await app.inbox.stoppedLoops(LOCAL)).toEqual({ kind: 'loops', loops: [] })
    expect((await ask(24)).kind).toBe('created')
  })

  it('of the same words is stopped, whatever the place; after a while the same may be said again', async () => {
    await using app = await assemble()
    const ask = (number: number) =>
      app.inbox.submit({
        ...{ actor: ANA, text: 'the same', attachments: [], dedupeKey: null, model: null },
        place: { ...THREAD, key: `T1/C1/${number}.1` },
      })
    for (let number = 1; number <= 20; number += 1) expect((await ask(number)).kind).toBe('created')
    app.clock.advance(11 * 60_000)
    for (let number = 21; number <= 40; number += 1) expect((await ask(number)).kind).toBe('created')
    expect((await ask(41)).kind).toBe('full')
  })

  it('is not what a platform makes by sending an event again, also once the thread is stopped', async () => {
    await using app = await assemble()
    const ask = (number: number) =>
      app.inbox.submit({
        ...{ actor: ANA, text: `answer ${number}`, place: THREAD, attachments: [], model: null },
        dedupeKey: `event-${number}`,
      })
    for (let number = 1; number <= 20; number += 1) {
      expect((await ask(number)).kind).toBe('created')
      expect((await ask(number)).kind).toBe('duplicate')
    }
    expect(await ask(21)).toMatchObject({
      kind: 'full',
      sentence: expect.stringContaining('`npx assistant breaker --reset`'),
    })
    expect(await ask(20)).toMatchObject({ kind: 'duplicate', task: { id: 20 } })
  })

  it('is still stopped after a restart', async () => {
    await using app = await assemble()
    await app.store.setNote('breakers', JSON.stringify([{ key: 'thread:slack:T1/C1/1.1', why: 'a test', at: 1 }]))
    const request = { actor: ANA, text: 'x', place: THREAD, attachments: [], dedupeKey: null, model: null }
    expect((await app.inbox.submit(request)).kind).toBe('full')
  })
})

describe('what could not be told', () => {
  it('is shown with why, and told once more when somebody asks', async () => {
    await using app = await assemble()
    const request = { actor: ANA, text: '!true', place: CHANNEL, attachments: [], dedupeKey: null, model: null }
    const outcome = await app.inbox.submit(request)
    const taskId = outcome.kind === 'created' ? outcome.task.id : 0
    const row = await app.store.delivery(taskId)
    if (row === undefined) throw new Error('no delivery')
    await app.store.saveDelivery({ ...row, attempts: 3, failure: 'The bot is not in this channel.' })
    await app.store.saveMessage({ taskId, role: 'result', ref: null, frame: 'refused:1:', postedAt: null })
    expect(await app.inbox.delivery(LOCAL, taskId)).toMatchObject({
      failure: 'The bot is not in this channel.',
      attempts: 3,
    })
    expect((await app.inbox.redeliver(LOCAL, taskId)).kind).toBe('done')
    expect(await app.inbox.delivery(LOCAL, taskId)).toMatchObject({ failure: null, attempts: 0, isTold: false })
    expect((await app.store.delivery(taskId))?.messages).toEqual([expect.objectContaining({ frame: '' })])
    expect(await app.inbox.delivery(LOCAL, 99)).toMatchObject({ kind: 'not_found' })
  })
})
