import { afterEach, expect, test } from 'vitest'
import { SetupError } from '../../../src/core/errors.ts'
import { eventually } from '../../eventually.ts'
import type { DiscordServer } from '../../fakes/discord-server.ts'
import { createHarness, type Harness, type HarnessOptions } from './harness.ts'

let harness: Harness | undefined

async function begin(options?: HarnessOptions): Promise<Harness> {
  harness = await createHarness(options)
  return harness
}

afterEach(async () => {
  await harness?.[Symbol.asyncDispose]()
  harness = undefined
})

function mention(server: DiscordServer, words: string) {
  const { ana, channel } = harness ?? {}
  if (ana === undefined || channel === undefined) throw new Error('not begun')
  return server.people.say({ user: ana, channelId: channel.id, content: `<@${server.state.bot.id}> ${words}` })
}

const MESSAGE_CONTENT = 1 << 15

test('it connects with the intents that it needs and no more, and says that it is well', async () => {
  const { server, adapter } = await begin()
  expect(server.gateway.identifies).toHaveLength(1)
  expect(server.gateway.identifies[0]?.intents).toBe(1 | (1 << 9) | (1 << 12) | MESSAGE_CONTENT)
  expect(adapter.health()).toEqual({ ok: true, problem: '' })
})

test('a token that REST refuses is a set-up fault with the thing to do', async () => {
  const { adapter, inbox } = await begin({ start: false, token: 'MTA0.wrong.token' })
  const error = await adapter.start(inbox).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(SetupError)
  expect(error).toMatchObject({ fix: expect.stringContaining('DISCORD_TOKEN') })
  expect(String(error)).not.toContain('MTA0')
})

test('a token that the gateway refuses (4004) is the same set-up fault', async () => {
  const { adapter, inbox, server } = await begin({ start: false, token: 'MTA0.wrong.token' })
  const url = `${server.apiUrl.replace('http', 'ws').replace('/api', '')}/gateway`
  const body = { url, shards: 1, session_start_limit: { total: 1, remaining: 1, reset_after: 0, max_concurrency: 1 } }
  server.faults.add({ method: 'GET', path: /gateway\/bot$/, times: 1, fault: { kind: 'answer', status: 200, body } })
  await expect(adapter.start(inbox)).rejects.toBeInstanceOf(SetupError)
})

test('with the switch for Message Content off (4014) it goes on without, and health names the switch', async () => {
  const { server, adapter, inbox } = await begin({ contentIntent: false })
  expect(server.gateway.identifies.map(({ intents }) => Number(intents) & MESSAGE_CONTENT)).toEqual([
    MESSAGE_CONTENT,
    0,
  ])
  expect(adapter.health()).toMatchObject({ ok: true, problem: expect.stringContaining('Message Content Intent') })
  expect(server.gateway.connections).toBe(1)
  mention(server, 'hello')
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
})

test('the switch turned off while connected is noticed at the next identify, and it goes on without', async () => {
  const { server, adapter, inbox, clock } = await begin()
  server.setContentIntent(false)
  server.gateway.closeAll(4014)
  await eventually(() => expect(clock.waiting).toBe(1))
  clock.advance(0)
  await eventually(() => expect(adapter.health().ok).toBe(true))
  mention(server, 'hello')
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
})

test('when Discord asks to reconnect the session is resumed, and what happened meanwhile arrives once', async () => {
  const { server, adapter, inbox } = await begin()
  server.gateway.terminateAll()
  mention(server, 'while away')
  await eventually(() => expect(adapter.health().ok).toBe(false))
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  server.gateway.askReconnect()
  await eventually(() => expect(server.gateway.resumes).toHaveLength(2))
  mention(server, 'after')
  await eventually(() => expect(inbox.submitted.map(({ text }) => text)).toEqual(['while away', 'after']))
  expect(server.gateway.identifies).toHaveLength(1)
  expect(adapter.health().ok).toBe(true)
})

test('a session that Discord has forgotten is begun anew', async () => {
  const { server, inbox } = await begin()
  server.gateway.forgetSessions()
  server.gateway.terminateAll()
  await eventually(() => expect(server.gateway.identifies).toHaveLength(2))
  await eventually(() => expect(harness?.adapter.health().ok).toBe(true))
  mention(server, 'hello again')
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  expect(server.gateway.connections).toBe(1)
})

test('an invalid session in the middle is begun anew too', async () => {
  const { server, inbox } = await begin()
  server.gateway.invalidateSession(false)
  await eventually(() => expect(server.gateway.identifies).toHaveLength(2))
  await eventually(() => expect(server.gateway.connections).toBe(1))
  mention(server, 'hello again')
  await eventually(() => expect(inbox.submitted.length).toBeGreaterThan(0))
})

test('heartbeats are sent and answered', async () => {
  const { server, adapter } = await begin({ heartbeatMs: 300 })
  await eventually(() => expect(server.gateway.heartbeats).toBeGreaterThan(3))
  // One that is answered late, by a busy machine, is a new connection.
  await eventually(() => expect(adapter.health().ok).toBe(true))
})

test('a token revoked while connected shows in health, with what to do', async () => {
  const { server, adapter } = await begin()
  server.gateway.closeAll(4004)
  await eventually(() => expect(adapter.health().ok).toBe(false))
  expect(adapter.health().problem).toContain('DISCORD_TOKEN')
})

test('when Discord is down at the start it keeps trying, and nothing else has to wait for it', async () => {
  const { server, adapter, inbox, clock } = await begin({ start: false })
  await server.down()
  await adapter.start(inbox)
  expect(adapter.health()).toMatchObject({ ok: false, problem: expect.stringContaining('cannot be reached') })
  await eventually(() => expect(clock.waiting).toBe(1))
  await server.up()
  clock.advance(1000)
  await eventually(() => expect(adapter.health().ok).toBe(true))
  mention(server, 'hello')
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
})

test('when Discord goes down while connected it comes back by itself', async () => {
  const { server, adapter, inbox } = await begin()
  await server.down()
  await eventually(() => expect(adapter.health().ok).toBe(false))
  await server.up()
  await eventually(() => expect(adapter.health().ok).toBe(true))
  mention(server, 'hello')
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
})

test('with no identify left for the day it waits and says so', async () => {
  const { adapter, inbox, server, clock } = await begin({ start: false, prepare: (made) => made.setSessionsLeft(0) })
  await adapter.start(inbox)
  expect(adapter.health().problem).toContain('Not enough sessions')
  server.setSessionsLeft(1000)
  await eventually(() => expect(clock.waiting).toBe(1))
  clock.advance(1000)
  await eventually(() => expect(adapter.health().ok).toBe(true))
})

test('an adapter that is disposed of while it reconnects leaves no session behind', async () => {
  const { server, adapter } = await begin({ heartbeatMs: 300 })
  await server.down()
  await eventually(() => expect(adapter.health().ok).toBe(false))
  await adapter[Symbol.asyncDispose]()
  await server.up()
  const second = await harness?.restart()
  await eventually(() => expect(second?.health().ok).toBe(true))
  // The library's pause before a reconnect is half a second; five heartbeats of the second one take longer than that.
  const before = server.gateway.heartbeats
  await eventually(() => expect(server.gateway.heartbeats).toBeGreaterThan(before + 5))
  await eventually(() => expect(server.gateway.connections).toBe(1))
  expect(server.gateway.identifies).toHaveLength(2)
})

test('payloads that no library expects are passed over, and people are still heard', async () => {
  const { server, inbox, ana, channel } = await begin()
  const odd = [
    null,
    7,
    'text',
    [],
    {},
    { id: 'x' },
    { id: '1', channel_id: channel.id, thread: null, components: null },
  ]
  for (const payload of odd) {
    server.state.emit('MESSAGE_CREATE', payload)
    server.state.emit('INTERACTION_CREATE', payload)
    server.state.emit('CHANNEL_UPDATE', payload)
    server.state.emit('THREAD_CREATE', payload)
  }
  mention(server, 'hello')
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  expect(inbox.submitted[0]?.actor.userId).toBe(ana.id)
})
