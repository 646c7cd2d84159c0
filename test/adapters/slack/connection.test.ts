import { expect, test } from 'vitest'
import { SetupError } from '../../../src/core/errors.ts'
import { eventually } from '../../eventually.ts'
import type { SlackServer } from '../../fakes/slack-server.ts'
import { type Harness, startHarness } from './harness.ts'

const QUICK = { pongTimeoutMs: 60, firstRetryMs: 1000, lastRetryMs: 8000, helloTimeoutMs: 30_000, alarmAfterMs: 60_000 }

/** Something that only works while events arrive. */
async function expectEventsArrive(h: Harness): Promise<void> {
  const before = h.inbox.submitted.length
  h.slack.user.dm('U0ANA', 'make a file')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(before + 1))
}

async function setupError(prepare: (slack: SlackServer) => void, options = {}): Promise<SetupError> {
  const error = await startHarness({ prepare, options }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof SetupError) return error
  throw new Error(`expected a SetupError, got ${String(error)}`)
}

test('started, it is healthy; stopped, it says so', async () => {
  await using h = await startHarness()
  expect(h.adapter.health()).toEqual({ ok: true, problem: '' })
  await h.adapter[Symbol.asyncDispose]()
  expect(h.adapter.health().ok).toBe(false)
})

test('when Slack asks to reconnect, a new socket is there at once, and no timer was needed', async () => {
  await using h = await startHarness()
  h.slack.refreshSockets('refresh_requested')
  await eventually(() => expect(h.slack.calls('apps.connections.open')).toHaveLength(2))
  await eventually(() => expect(h.slack.sockets).toBe(1))
  await expectEventsArrive(h)
  expect(h.adapter.health().ok).toBe(true)
})

test('a socket that breaks is replaced', async () => {
  await using h = await startHarness()
  for (let count = 0; count < 3; count += 1) {
    h.slack.breakSockets()
    await eventually(() => expect(h.slack.calls('apps.connections.open')).toHaveLength(count + 2))
    await expectEventsArrive(h)
  }
})

test('a socket that is open and dead is noticed by its missing pongs, and replaced', async () => {
  await using h = await startHarness({ options: { timings: QUICK } })
  h.slack.faults.freezeSockets()
  await eventually(() => expect(h.slack.calls('apps.connections.open').length).toBeGreaterThan(1))
})

test('while Slack is down health is red, the log grows loud, and when it is back events arrive again', async () => {
  await using h = await startHarness({ options: { timings: QUICK } })
  h.slack.faults.down()
  await eventually(() =>
    expect(h.adapter.health()).toMatchObject({ ok: false, problem: expect.stringContaining('not connected') }),
  )
  // Each failed attempt leaves one timer; time passes only here.
  for (let count = 0; count < 12; count += 1) {
    await eventually(() => expect(h.clock.waiting).toBe(1))
    h.clock.advance(QUICK.lastRetryMs)
  }
  await eventually(() =>
    expect(h.log.some((entry) => entry.level === 'error' && entry.message.includes('not connected'))).toBe(true),
  )
  h.slack.faults.up()
  await eventually(() => {
    h.clock.advance(QUICK.lastRetryMs)
    expect(h.adapter.health().ok).toBe(true)
  })
  await expectEventsArrive(h)
})

test.each(['invalid_auth', 'account_inactive', 'team_disabled', 'internal_error', 'not_allowed_token_type'])(
  'a reconnect that Slack refuses with %s is tried again, for ever, without an unhandled rejection',
  async (error) => {
    await using h = await startHarness({ options: { timings: QUICK } })
    h.slack.faults.next(
      'apps.connections.open',
      { kind: 'error', error },
      { kind: 'error', error },
      { kind: 'status', status: 502 },
    )
    h.slack.breakSockets()
    await eventually(() => expect(h.adapter.health().ok).toBe(false))
    await eventually(() => {
      h.clock.advance(QUICK.lastRetryMs)
      expect(h.adapter.health().ok).toBe(true)
    })
    await expectEventsArrive(h)
  },
)

test('a socket that is never greeted is given up after its time', async () => {
  await using h = await startHarness({ options: { timings: QUICK } })
  h.slack.faults.withholdHello()
  h.slack.breakSockets()
  await eventually(() => expect(h.slack.calls('apps.connections.open')).toHaveLength(2))
  h.clock.advance(QUICK.helloTimeoutMs)
  await eventually(() => expect(h.adapter.health().problem).toContain('did not greet'))
})

test('nonsense on the socket disturbs nothing', async () => {
  await using h = await startHarness()
  const nonsense = [
    '{',
    'null',
    '[]',
    '"x"',
    '{"type":"events_api"}',
    '{"type":"events_api","payload":{}}',
    '{"type":"slash_commands"}',
  ]
  for (const text of nonsense) h.slack.sendRaw(text)
  h.slack.deliver('events_api', { event: null })
  h.slack.deliver('interactive', {})
  h.slack.deliver('slash_commands', { command: '/task' })
  h.slack.deliver('events_api', { team_id: 'T0TEAM', event: { type: 'message' } })
  await expectEventsArrive(h)
  expect(h.inbox.submitted).toHaveLength(1)
})

test('started while Slack is down it starts all the same, red, and connects when Slack is back', async () => {
  await using h = await startHarness({ prepare: (slack) => slack.faults.down() })
  expect(h.adapter.health().ok).toBe(false)
  h.slack.faults.up()
  h.clock.advance(10_000)
  await eventually(() => expect(h.adapter.health().ok).toBe(true))
  await expectEventsArrive(h)
})

test('a wrong bot token is a set-up fault with the fix', async () => {
  const error = await setupError(() => undefined, { botToken: 'xoxb-wrong' })
  expect(error).toMatchObject({ code: 'slack_bot_token', fix: expect.stringContaining('SLACK_BOT_TOKEN') })
  expect(error.message).not.toContain('xoxb-wrong')
})

test('a wrong app token is a set-up fault with the fix', async () => {
  const error = await setupError(() => undefined, { mode: { kind: 'socket', appToken: 'xapp-wrong' } })
  expect(error).toMatchObject({ code: 'slack_app_token', fix: expect.stringContaining('connections:write') })
})

test('an app token without its scope, and a bot token without one that is needed, are named', async () => {
  const app = await setupError((slack) => slack.world.appTokenScopes.clear())
  expect(app.message).toContain('connections:write')
  const bot = await setupError((slack) => void slack.world.bot.scopes.delete('users:read'))
  expect(bot.message).toMatch(/users:read.*reinstall/)
})

test('a token that is revoked while it runs turns health red and is logged once', async () => {
  await using h = await startHarness()
  h.slack.world.bot.revoked = true
  const place = { platform: 'slack', key: 'T0TEAM/C0BUILDS/1.2', channelId: 'C0BUILDS', thread: true } as const
  for (let count = 0; count < 3; count += 1)
    await h.adapter.mark(place, { status: 'done', icon: '✅', word: 'Done' }, null)
  expect(h.adapter.health()).toMatchObject({ ok: false, problem: expect.stringContaining('revoked') })
  expect(h.log.filter((entry) => entry.level === 'error')).toHaveLength(1)
})

test('events that came while no socket was open are taken once it is', async () => {
  await using h = await startHarness()
  h.slack.breakSockets()
  h.slack.user.dm('U0ANA', 'make a file')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
})

test('stopping lets what has been acknowledged come to its end', async () => {
  await using h = await startHarness()
  const gate = Promise.withResolvers<void>()
  h.inbox.next.submit.push(async () => {
    await gate.promise
    return { kind: 'full', sentence: 'The queue is full.' }
  })
  h.slack.user.dm('U0ANA', 'make a file')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  let isStopped = false
  const stopping = h.adapter[Symbol.asyncDispose]().then(() => {
    isStopped = true
  })
  await new Promise(setImmediate)
  expect(isStopped).toBe(false)
  gate.resolve()
  await stopping
  expect(JSON.stringify(h.slack.world.ephemerals)).toContain('The queue is full.')
})

test('stopping does not wait for ever', async () => {
  await using h = await startHarness()
  h.inbox.next.submit.push(() => new Promise(() => undefined))
  h.slack.user.dm('U0ANA', 'make a file')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  const stopping = h.adapter[Symbol.asyncDispose]()
  await eventually(() => expect(h.clock.waiting).toBeGreaterThan(0))
  h.clock.advance(5000)
  await stopping
})
