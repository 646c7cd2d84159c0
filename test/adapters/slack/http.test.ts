import { expect, test } from 'vitest'
import { createSlackAdapter } from '../../../adapters/slack/adapter.ts'
import { SetupError } from '../../../src/core/errors.ts'
import { eventually } from '../../eventually.ts'
import { manualClock } from '../../fakes/manual-clock.ts'
import { fakePresenter, recordingLogger, startHarness } from './harness.ts'

const MENTION = {
  type: 'event_callback',
  team_id: 'T0TEAM',
  event: {
    type: 'app_mention',
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: '<@U0BOT> make a file',
    ts: '1893456000.000100',
  },
}

test('over HTTP, events, commands, buttons and forms arrive as over the socket', async () => {
  await using h = await startHarness({ mode: 'http' })
  expect(h.adapter.health()).toEqual({ ok: true, problem: '' })
  h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> make a file' })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  const { delivery } = h.slack.user.command({ user: 'U0ANA', channel: 'C0BUILDS', text: 'make another' })
  await delivery.acked
  await eventually(() => expect(h.inbox.submitted).toHaveLength(2))
  h.slack.user.clickEphemeral({ user: 'U0ANA', channel: 'C0BUILDS', actionId: 'cancel:1' })
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  h.slack.user.messageShortcut('U0ANA', 'C0BUILDS', h.slack.world.messages[0]?.ts ?? '', 'run_as_task')
  await eventually(() => expect(h.slack.world.views.size).toBe(1))
  const [viewId = ''] = h.slack.world.views.keys()
  const refused = await h.slack.user.submitModal('U0ANA', viewId, { text: '' }).acked
  expect(refused).toMatchObject({ response_action: 'errors' })
})

test('a request with a wrong, a missing or an old signature is refused and does nothing', async () => {
  await using h = await startHarness({ mode: 'http' })
  const old = Math.floor(Date.now() / 1000) - 301
  const refused = [
    await h.slack.postSigned(MENTION, 'events_api', { signature: 'v0=00' }),
    await h.slack.postSigned(MENTION, 'events_api', { signature: '' }),
    await h.slack.postSigned(MENTION, 'events_api', { timestampS: old }),
    await fetch(h.slack.eventsUrl ?? '', { method: 'POST', body: JSON.stringify(MENTION) }),
  ]
  expect(refused.map((response) => response.status)).toEqual([401, 401, 401, 401])
  await h.slack.postSigned(MENTION, 'events_api')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
})

test('the very same signed request sent again is answered and ignored', async () => {
  await using h = await startHarness({ mode: 'http' })
  const payload = { command: '/task', text: 'make a file', team_id: 'T0TEAM', channel_id: 'C0BUILDS', user_id: 'U0ANA' }
  const full = { ...payload, response_url: `${h.slack.baseUrl}/response/none`, trigger_id: 't1' }
  const timestampS = Math.floor(Date.now() / 1000)
  const first = await h.slack.postSigned(full, 'slash_commands', { timestampS })
  const again = await h.slack.postSigned(full, 'slash_commands', { timestampS })
  expect([first.status, again.status]).toEqual([200, 200])
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  expect(h.log.some((entry) => entry.message.includes('same signature'))).toBe(true)
})

test('Slack’s check of the address is answered, other paths are not found', async () => {
  await using h = await startHarness({ mode: 'http' })
  const answer = await h.slack.postSigned({ type: 'url_verification', challenge: 'abc' }, 'events_api')
  expect(await answer.json()).toEqual({ challenge: 'abc' })
  const url = new URL(h.slack.eventsUrl ?? '')
  expect((await fetch(new URL('/admin', url))).status).toBe(404)
  expect((await fetch(url)).status).toBe(404)
})

test('a body that is no JSON, or larger than Slack ever sends, is refused', async () => {
  await using h = await startHarness({ mode: 'http' })
  const response = await fetch(h.slack.eventsUrl ?? '', { method: 'POST', body: 'x'.repeat(5_000_000) }).catch(
    () => undefined,
  )
  expect(response === undefined || response.status >= 400).toBe(true)
  await h.slack.postSigned(MENTION, 'events_api')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
})

test('without a signing secret there is no HTTP mode', () => {
  const make = () =>
    createSlackAdapter({
      botToken: 'xoxb-good',
      mode: { kind: 'http', signingSecret: '', port: 0 },
      clock: manualClock(),
      logger: recordingLogger([]),
      presenter: fakePresenter(),
    })
  expect(make).toThrow(SetupError)
})

test('a port that is taken is a set-up fault', async () => {
  await using h = await startHarness({ mode: 'http' })
  const port = Number(new URL(h.slack.eventsUrl ?? '').port)
  const second = createSlackAdapter({
    botToken: h.slack.world.bot.token,
    mode: { kind: 'http', signingSecret: 'x', port },
    apiUrl: h.slack.apiUrl,
    clock: h.clock,
    logger: recordingLogger(h.log),
    presenter: h.presenter,
  })
  await expect(second.start(h.inbox)).rejects.toMatchObject({
    code: 'slack_port',
    fix: expect.stringContaining(String(port)),
  })
  await second[Symbol.asyncDispose]()
})
