/** When Slack hears that something of its has arrived: what is acknowledged and then lost, nobody asks for again. */
import { expect, test } from 'vitest'
import { StoreError } from '../../../src/ports/store.ts'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import type { Delivery } from '../../fakes/slack-server-state.ts'
import { visibleText } from '../../fakes/slack-server-state.ts'
import { type Harness, startHarness } from './harness.ts'
import { sampleCard } from './views.ts'

const MENTION = { user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> make a file' }
const COMMAND = { user: 'U0ANA', channel: 'C0BUILDS', text: 'make a file' }

/** The store lets a request in once the gate is open. */
function slowStore(h: Harness): { open(): void } {
  const gate = Promise.withResolvers<void>()
  h.inbox.next.submit.push(async () => {
    await gate.promise
    return { kind: 'created', task: sampleTask() }
  })
  return { open: gate.resolve }
}

function failingStore(h: Harness): void {
  h.inbox.next.submit.push(() => {
    throw new StoreError('busy', 'disk I/O error')
  })
}

/** The socket keeps the order: whatever was to be acknowledged before this has been. */
async function afterAnother(h: Harness): Promise<void> {
  await h.slack.user.command({ ...COMMAND, text: 'help' }).delivery.acked
}

function notes(h: Harness): string[] {
  return h.slack.world.ephemerals.map(({ blocks }) => visibleText(blocks))
}

const isAcked = ({ isAcked }: Delivery): boolean => isAcked

test('a message is acknowledged when it is stored and not before, both of its events', async () => {
  await using h = await startHarness()
  const store = slowStore(h)
  const { deliveries } = h.slack.user.say(MENTION)
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  await afterAnother(h)
  expect(deliveries.map(isAcked)).toEqual([false, false])
  store.open()
  await Promise.all(deliveries.map(({ acked }) => acked))
  expect(h.inbox.submitted).toHaveLength(1)
})

test('a slash command is acknowledged when it is stored and not before', async () => {
  await using h = await startHarness()
  const store = slowStore(h)
  const { delivery } = h.slack.user.command(COMMAND)
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  await afterAnother(h)
  expect(delivery.isAcked).toBe(false)
  store.open()
  await delivery.acked
})

test('a button is acknowledged when what it does is stored and not before', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, sampleTask({ id: 42 }))
  const place = { platform: 'slack', key: 'T0TEAM/C0BUILDS', channelId: 'C0BUILDS', thread: false } as const
  await h.adapter.post(place, sampleCard(), { key: '42:card', silent: true })
  const gate = Promise.withResolvers<void>()
  h.inbox.next.act.push(async () => {
    await gate.promise
    return { kind: 'done', task: sampleTask({ id: 42 }), sentence: 'Stopping task #42.' }
  })
  const ts = h.slack.world.messages[0]?.ts ?? ''
  const { delivery } = h.slack.user.click({ user: 'U0ANA', channel: 'C0BUILDS', ts, actionId: 'cancel:42' })
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  await afterAnother(h)
  expect(delivery.isAcked).toBe(false)
  gate.resolve()
  await delivery.acked
})

test('a store that hangs: a command is acknowledged while Slack waits, and the person told that it is not stored yet', async () => {
  await using h = await startHarness()
  const store = slowStore(h)
  const { delivery, responseUrl } = h.slack.user.command(COMMAND)
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  h.clock.advance(2500)
  await delivery.acked
  const answers = () =>
    (h.slack.world.responseUrls.get(responseUrl)?.uses ?? []).map(({ blocks }) => visibleText(blocks))
  await eventually(() => expect(answers()).toEqual([expect.stringContaining('not stored yet')]))
  store.open()
  await eventually(() => expect(answers().at(-1)).toContain('created'))
})

test('a command that could not be stored is acknowledged before the person is told, and told once', async () => {
  await using h = await startHarness()
  failingStore(h)
  const gate = Promise.withResolvers<void>()
  h.slack.faults.next('response_url', { kind: 'gate', gate: gate.promise })
  const { delivery, responseUrl } = h.slack.user.command(COMMAND)
  await eventually(() => expect(h.log.filter(({ level }) => level === 'error')).toHaveLength(1))
  h.clock.advance(2500)
  await delivery.acked
  gate.resolve()
  const answers = () =>
    (h.slack.world.responseUrls.get(responseUrl)?.uses ?? []).map(({ blocks }) => visibleText(blocks))
  await eventually(() => expect(answers()).toEqual([expect.stringContaining('did not work')]))
  await afterAnother(h)
  expect(answers()).toHaveLength(1)
})

test('a store that hangs: a message is left to come again, joins the one under way, and all are acknowledged with it', async () => {
  await using h = await startHarness()
  const store = slowStore(h)
  const { deliveries } = h.slack.user.say(MENTION)
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  h.clock.advance(3000)
  for (const delivery of deliveries) delivery.redeliver()
  await afterAnother(h)
  expect(deliveries.map(isAcked)).toEqual([false, false])
  store.open()
  await Promise.all(deliveries.map(({ acked }) => acked))
  expect(h.inbox.submitted).toHaveLength(1)
  expect(notes(h)).toEqual([])
})

test('a store that hangs: what Slack sends for the last time is acknowledged in time, and the person told', async () => {
  await using h = await startHarness()
  failingStore(h)
  const { deliveries } = h.slack.user.say({ ...MENTION, events: ['message'] })
  const [delivery] = deliveries
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await eventually(() => expect(h.inbox.submitted).toHaveLength(attempt))
    await afterAnother(h)
    if (attempt < 3) failingStore(h)
    else slowStore(h)
    delivery?.redeliver()
  }
  await eventually(() => expect(h.inbox.submitted).toHaveLength(4))
  h.clock.advance(2500)
  await delivery?.acked
  await eventually(() => expect(notes(h).at(-1)).toContain('not stored yet'))
  const stopping = h.adapter[Symbol.asyncDispose]()
  await eventually(() => expect(h.clock.waiting).toBeGreaterThan(0))
  h.clock.advance(5000)
  await stopping
})

test('a message is acknowledged before the courtesies that follow', async () => {
  await using h = await startHarness()
  const gate = Promise.withResolvers<void>()
  const root = h.slack.user.say(MENTION)
  await Promise.all(root.deliveries.map(({ acked }) => acked))
  h.slack.faults.next('reactions.add', { kind: 'gate', gate: gate.promise })
  h.inbox.next.reply.push(() => ({ kind: 'done', task: sampleTask(), sentence: 'ok' }))
  const { deliveries } = h.slack.user.say({ ...MENTION, threadTs: root.ts })
  await Promise.all(deliveries.map(({ acked }) => acked))
  gate.resolve()
})

test('what only shows something is acknowledged before anything is asked', async () => {
  await using h = await startHarness()
  const gate = Promise.withResolvers<void>()
  h.slack.faults.next('users.info', { kind: 'gate', gate: gate.promise })
  await h.slack.user.command({ ...COMMAND, text: 'list' }).delivery.acked
  gate.resolve()
})

test('a message that could not be stored stays unacknowledged, comes again and is one task', async () => {
  await using h = await startHarness()
  failingStore(h)
  const { deliveries } = h.slack.user.say(MENTION)
  await eventually(() => expect(notes(h)).toEqual([expect.stringContaining('Slack brings it again by itself')]))
  await afterAnother(h)
  expect(deliveries.map(isAcked)).toEqual([false, false])
  for (const delivery of deliveries) delivery.redeliver()
  await Promise.all(deliveries.map(({ acked }) => acked))
  expect(h.inbox.tasks.size).toBe(1)
  expect(notes(h)).toHaveLength(1)
})

test('when Slack has sent it for the last time, it is acknowledged and the person asked to repeat it', async () => {
  await using h = await startHarness()
  for (let attempt = 0; attempt < 4; attempt += 1) failingStore(h)
  const { deliveries } = h.slack.user.say({ ...MENTION, events: ['message'] })
  for (let attempt = 1; attempt < 4; attempt += 1) {
    await eventually(() => expect(h.inbox.submitted).toHaveLength(attempt))
    await afterAnother(h)
    expect(deliveries.map(isAcked)).toEqual([false])
    for (const delivery of deliveries) delivery.redeliver()
  }
  await deliveries[0]?.acked
  await eventually(() => expect(notes(h).at(-1)).toContain('Please send it again'))
  expect(notes(h)).toHaveLength(2)
})

test('a message that was under way when the program died comes again to the next one and is one task', async () => {
  await using h = await startHarness()
  h.inbox.next.submit.push(() => new Promise(() => undefined))
  const { deliveries } = h.slack.user.say(MENTION)
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  h.slack.breakSockets()
  await h.restart()
  for (const delivery of deliveries) delivery.redeliver()
  await Promise.all(deliveries.map(({ acked }) => acked))
  expect(h.inbox.tasks.size).toBe(1)
  const stopping = h.adapter[Symbol.asyncDispose]()
  h.clock.advance(5000)
  await stopping
})

test('stored, then the socket breaks before it is acknowledged: it comes again and is the same task', async () => {
  await using h = await startHarness()
  const store = slowStore(h)
  const { deliveries } = h.slack.user.say({ ...MENTION, events: ['message'] })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  h.slack.breakSockets()
  await eventually(() => expect(h.slack.calls('apps.connections.open')).toHaveLength(2))
  store.open()
  for (const delivery of deliveries) delivery.redeliver()
  await Promise.all(deliveries.map(({ acked }) => acked))
  expect(h.inbox.submitted).toHaveLength(1)
})

test('over HTTP what could not be stored is answered with a failure, and the same request is taken within the same second', async () => {
  await using h = await startHarness({ mode: 'http' })
  failingStore(h)
  const payload = {
    type: 'event_callback',
    team_id: 'T0TEAM',
    event: { type: 'app_mention', user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> hi', ts: '1893456000.000100' },
  }
  const timestampS = Math.floor(Date.now() / 1000)
  const first = await h.slack.postSigned(payload, 'events_api', { timestampS })
  const again = await h.slack.postSigned(payload, 'events_api', { timestampS })
  expect([first.status, again.status]).toEqual([500, 200])
  expect(h.inbox.tasks.size).toBe(1)
})
