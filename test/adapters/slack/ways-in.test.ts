import { expect, test } from 'vitest'
import { eventually } from '../../eventually.ts'
import { visibleText } from '../../fakes/slack-server-state.ts'
import { startHarness } from './harness.ts'

test('a mention becomes one task in the thread of the message, with the words as typed', async () => {
  await using h = await startHarness()
  const said = h.slack.user.say({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: '<@U0BOT> count &lt;b&gt; tags in <https://example.com/a?b=1|example.com/a?b=1> &amp; tell <@U0BEN>',
  })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  const [request] = h.inbox.submitted
  expect(request?.text).toBe('count <b> tags in example.com/a?b=1 & tell @U0BEN')
  expect(request?.place).toEqual({
    platform: 'slack',
    key: `T0TEAM/C0BUILDS/${said.ts}`,
    channelId: 'C0BUILDS',
    thread: true,
  })
  expect(request?.dedupeKey).toBe(`slack:T0TEAM:C0BUILDS:${said.ts}`)
  expect(request?.actor).toMatchObject({
    platform: 'slack',
    scope: 'T0TEAM',
    channelId: 'C0BUILDS',
    isDirect: false,
    userId: 'U0ANA',
    name: 'ana',
    isBot: false,
    isGuest: false,
  })
})

test('app_mention and message of one mention, delivered again and again, are one request', async () => {
  await using h = await startHarness()
  const said = h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> make a file' })
  expect(said.deliveries).toHaveLength(2)
  const again = h.slack.user.sayAgain('C0BUILDS', said.ts)
  for (const delivery of said.deliveries) delivery.redeliver()
  await Promise.all([...said.deliveries, ...again].map((delivery) => delivery.acked))
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
})

test('after a restart the same message has the same key, so that the store knows it', async () => {
  await using h = await startHarness()
  const said = h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> make a file' })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  await h.adapter[Symbol.asyncDispose]()
  await h.restart()
  h.slack.user.sayAgain('C0BUILDS', said.ts)
  await eventually(() => expect(h.inbox.submitted).toHaveLength(2))
  expect(new Set(h.inbox.submitted.map((request) => request.dedupeKey)).size).toBe(1)
  expect(h.inbox.tasks.size).toBe(1)
})

test('a direct message becomes a task in its own thread', async () => {
  await using h = await startHarness()
  const said = h.slack.user.dm('U0ANA', 'list my files &amp; sort them')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  expect(h.inbox.submitted[0]).toMatchObject({ text: 'list my files & sort them', actor: { isDirect: true } })
  expect(h.inbox.submitted[0]?.place?.key).toBe(`T0TEAM/D0ANA/${said.ts}`)
})

test('files attached to a message come along, with a reference that fetches them', async () => {
  await using h = await startHarness()
  h.slack.user.say({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: '<@U0BOT> count the lines',
    files: [{ name: 'data.csv', bytes: Buffer.from('a,b\n1,2\n'), mimetype: 'text/csv' }],
  })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  const [attachment] = h.inbox.submitted[0]?.attachments ?? []
  expect(attachment).toMatchObject({ name: 'data.csv', sizeBytes: 8, mimeType: 'text/csv' })
  if (attachment?.source.kind !== 'chat') throw new Error('not a chat source')
  const chunks: Uint8Array[] = []
  for await (const chunk of await h.adapter.fetchInput(attachment.source.ref, AbortSignal.timeout(5000)))
    chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('a,b\n1,2\n')
})

test('/task is acknowledged, becomes a task in the channel, and says so privately', async () => {
  await using h = await startHarness()
  const { delivery, responseUrl } = h.slack.user.command({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: 'convert &amp; zip',
  })
  await delivery.acked
  await eventually(() => expect(h.slack.world.responseUrls.get(responseUrl)?.uses).toHaveLength(1))
  expect(h.inbox.submitted[0]).toMatchObject({ text: 'convert & zip', place: { channelId: 'C0BUILDS', thread: false } })
  const [answer] = h.slack.world.responseUrls.get(responseUrl)?.uses ?? []
  expect(answer?.response_type).toBe('ephemeral')
  expect(visibleText(answer?.blocks)).toContain('*Task #1* created: convert &amp; zip')
})
