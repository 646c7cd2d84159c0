import { Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { encodeSpot, placeOf } from '../../../adapters/discord/place.ts'
import type { Place } from '../../../src/core/task.ts'
import type { UploadFile } from '../../../src/ports/chat-adapter.ts'
import { eventually } from '../../eventually.ts'
import { rateLimited } from '../../fakes/discord-server-faults.ts'
import { textsOf } from '../../fakes/discord-server-messages.ts'
import type { FakeChannel } from '../../fakes/discord-server-state.ts'
import { createHarness, type Harness, type HarnessOptions } from './harness.ts'
import { sampleApproval, sampleCard, sampleResult, sampleRoot } from './samples.ts'

let harness: Harness | undefined

async function begin(options?: HarnessOptions): Promise<Harness & { thread: FakeChannel; place: Place; fresh: Place }> {
  harness = await createHarness({ start: false, ...options })
  const { server, channel, ana } = harness
  const root = server.people.say({ user: server.state.bot, channelId: channel.id, content: 'root' })
  const thread = server.addChannel({
    id: root.id,
    type: 11,
    name: '#42 convert',
    parent_id: channel.id,
    owner_id: server.state.bot.id,
    thread_metadata: { archived: false, locked: false, auto_archive_duration: 1440, archive_timestamp: '' },
  })
  const place = placeOf({ kind: 'channel', channelId: thread.id }, channel.id)
  const fresh = placeOf({ kind: 'new', channelId: channel.id, userId: ana.id, interactionId: '77' }, channel.id)
  return { ...harness, thread, place, fresh }
}

afterEach(async () => {
  await harness?.[Symbol.asyncDispose]()
  harness = undefined
})

const once = (key: string) => ({ key, silent: true })

test('a card is silent and pings nobody; an approval and a result notify, and ping only whom the view names', async () => {
  const { server, adapter, place, thread, ana, ben } = await begin()
  await adapter.post(place, sampleCard({ notes: [`<@${ben.id}> @everyone`] }), { key: 'a', silent: true })
  await adapter.post(place, sampleApproval({ mentions: [ana.id], why: `<@${ben.id}> @here` }), {
    key: 'b',
    silent: false,
  })
  await adapter.post(place, sampleResult({ mention: ana.id, body: `<@${ben.id}>` }), { key: 'c', silent: false })
  expect(server.messagesIn(thread.id).map(({ silent, pinged }) => ({ silent, pinged }))).toEqual([
    { silent: true, pinged: [] },
    { silent: false, pinged: [ana.id] },
    { silent: false, pinged: [ana.id] },
  ])
})

test('a message is posted once, also when the second try comes hours later and from another process', async () => {
  const { server, adapter, place, thread, clock, inbox } = await begin()
  const first = await adapter.post(place, sampleCard(), once('task-42:card'))
  await adapter.edit(first.ref, sampleCard({ headline: 'Running · 1:15' }))
  const result = await adapter.post(place, sampleResult(), once('task-42:result'))
  clock.advance(6 * 3_600_000)
  const later = await harness?.restart()
  expect(await later?.post(place, sampleResult(), once('task-42:result'))).toEqual(result)
  expect(server.messagesIn(thread.id)).toHaveLength(2)
  expect(inbox.submitted).toEqual([])
})

test('an answer that was lost does not make a second message, root or thread', async () => {
  const { server, adapter, fresh, channel } = await begin()
  for (const path of [/\/messages$/, /\/threads$/]) {
    server.faults.add({ method: 'POST', path, times: 1, fault: { kind: 'lost' } })
    await adapter.post(fresh, sampleRoot(), once('root')).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'unavailable' })
    })
  }
  const { place } = await adapter.post(fresh, sampleRoot(), once('root'))
  expect(server.threads().filter((thread) => thread.name.startsWith('#42 convert all'))).toHaveLength(1)
  expect(server.messagesIn(channel.id)).toHaveLength(2)
  expect(place.thread).toBe(true)
})

test('Discord down for minutes: unavailable, and afterwards everything is there once', async () => {
  const { server, adapter, place, thread } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  await server.down()
  await expect(adapter.edit(ref, sampleCard())).rejects.toMatchObject({ code: 'unavailable' })
  await expect(adapter.post(place, sampleResult(), once('result'))).rejects.toMatchObject({ code: 'unavailable' })
  await server.up()
  await adapter.edit(ref, sampleCard())
  await adapter.post(place, sampleResult(), once('result'))
  await adapter.post(place, sampleResult(), once('result'))
  expect(server.messagesIn(thread.id)).toHaveLength(2)
})

test('without "Create Public Threads" it answers with replies, says so once for the channel, and goes on there', async () => {
  const { server, adapter, fresh, channel, ana } = await begin()
  server.state.denied.set(channel.id, new Set(['CREATE_PUBLIC_THREADS']))
  const { place, ref } = await adapter.post(fresh, sampleRoot(), once('root'))
  const rootId = ref.split('/')[1] ?? ''
  expect(place).toEqual({ platform: 'discord', key: `r:${channel.id}/${rootId}`, channelId: channel.id, thread: true })
  await adapter.post(place, sampleCard(), once('card'))
  const other = server.people.say({ user: ana, channelId: channel.id, content: 'another' })
  const mention = placeOf({ kind: 'message', channelId: channel.id, messageId: other.id }, channel.id)
  const second = await adapter.post(mention, sampleCard(), once('card-2'))
  expect(second.place.key).toBe(`r:${channel.id}/${other.id}`)
  const ours = server.messagesIn(channel.id).filter((message) => message.author.id === server.state.bot.id)
  expect(ours.filter((message) => message.content.includes('Create Public Threads'))).toHaveLength(1)
  expect(ours.at(-1)?.message_reference?.message_id).toBe(other.id)
  expect(
    ours.find((message) => textsOf(message.components).join().includes('command 3'))?.message_reference?.message_id,
  ).toBe(rootId)
})

test('a reply to such a card reaches its task', async () => {
  const { server, adapter, inbox, fresh, channel, ana } = await begin({ start: true })
  await adapter.start(inbox)
  server.state.denied.set(channel.id, new Set(['CREATE_PUBLIC_THREADS']))
  const { place } = await adapter.post(fresh, sampleRoot(), once('root'))
  const card = await adapter.post(place, sampleCard(), once('card'))
  inbox.next.reply.push(() => ({ kind: 'ignored' }))
  server.people.say({ user: ana, channelId: channel.id, content: 'cancel', replyTo: card.ref.split('/')[1] ?? '' })
  await eventually(() => expect(inbox.replies).toHaveLength(1))
  expect(inbox.replies[0]).toMatchObject({ place: { key: place.key }, addressed: true, text: 'cancel' })
})

test('in a forum each task is a post, made once', async () => {
  const { server, adapter, ana } = await begin()
  const forum = server.addChannel({ type: 15, name: 'requests' })
  const fresh = placeOf({ kind: 'new', channelId: forum.id, userId: ana.id, interactionId: '78' }, forum.id)
  const first = await adapter.post(fresh, sampleRoot(), once('root'))
  const second = await adapter.post(fresh, sampleRoot(), once('root'))
  expect(second).toEqual(first)
  const posts = server.threads().filter((thread) => thread.parent_id === forum.id)
  expect(posts.map((post) => post.name)).toEqual(['#42 convert all PNGs here to WebP'])
  await adapter.post(first.place, sampleCard(), once('card'))
  expect(server.messagesIn(posts[0]?.id ?? '')).toHaveLength(2)
  await adapter.mark(first.place, sampleCard().status, null)
  expect([...(server.messagesIn(posts[0]?.id ?? '')[0]?.reactions.keys() ?? [])]).toEqual(['⏳'])
})

test('an archived thread is taken up again: by posting, and before an edit', async () => {
  const { server, adapter, place, thread } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  archive(thread)
  await adapter.edit(ref, sampleCard({ headline: 'Running · 1:15' }))
  expect(thread.thread_metadata?.archived).toBe(false)
  archive(thread)
  await adapter.post(place, sampleResult(), once('result'))
  expect(thread.thread_metadata?.archived).toBe(false)
  expect(server.messagesIn(thread.id)).toHaveLength(2)
})

test('a locked thread is gone for us, with a sentence that says what to do', async () => {
  const { adapter, place, thread } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  if (thread.thread_metadata) Object.assign(thread.thread_metadata, { locked: true, archived: true })
  const gone = { code: 'thread_gone', message: expect.stringContaining('Unlock it') }
  await expect(adapter.edit(ref, sampleCard({ headline: 'x' }))).rejects.toMatchObject(gone)
  await expect(adapter.post(place, sampleResult(), once('result'))).rejects.toMatchObject(gone)
})

test('an old card that takes no more edits (30046) is message_gone, and its age is known before that', async () => {
  const { server, adapter, place, clock } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  server.state.oldEditsAllowed = 0
  expect(adapter.limits.maxEditAgeMs).toBe(50 * 60_000)
  clock.advance(61 * 60_000)
  await expect(adapter.edit(ref, sampleCard())).rejects.toMatchObject({ code: 'message_gone' })
  expect(server.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(1)
})

test('a channel that is gone is thread_gone, a deleted message is message_gone', async () => {
  const { server, adapter, place, thread } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  server.state.messages.delete(ref.split('/')[1] ?? '')
  await expect(adapter.edit(ref, sampleCard())).rejects.toMatchObject({ code: 'message_gone' })
  server.state.channels.delete(thread.id)
  await expect(adapter.post(place, sampleCard(), once('new'))).rejects.toMatchObject({ code: 'thread_gone' })
})

test.each([
  ['SEND_MESSAGES_IN_THREADS', 'post', '"Send Messages in Threads"'],
  ['VIEW_CHANNEL', 'post', '"View Channel"'],
  ['READ_MESSAGE_HISTORY', 'post', '"Read Message History"'],
  ['ATTACH_FILES', 'upload', '"Attach Files"'],
] as const)('without %s the sentence names what is missing', async (permission, doing, words) => {
  const { server, adapter, place, channel } = await begin()
  server.state.denied.set(channel.id, new Set([permission]))
  const trying =
    doing === 'post'
      ? adapter.post(place, sampleCard(), once('card'))
      : adapter.upload(place, [file('a.txt', 'a')], { key: 'f', comment: '' })
  await expect(trying).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining(words) })
})

test('a short rate limit is waited for, a long one is told, by route and for all routes', async () => {
  const { server, adapter, place, thread } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  server.faults.add({
    method: 'PATCH',
    path: /./,
    times: 1,
    fault: {
      kind: 'answer',
      status: 429,
      body: { retry_after: 0.05, global: false },
      headers: { 'retry-after': '0.05', 'x-ratelimit-reset-after': '0.05', 'x-ratelimit-remaining': '0' },
    },
  })
  await adapter.edit(ref, sampleCard({ headline: 'after a short wait' }))
  expect(server.messagesIn(thread.id)[0]?.frames).toHaveLength(1)
  server.faults.add({ method: 'PATCH', path: /./, times: 1, fault: rateLimited(30, 'route') })
  const error = await adapter.edit(ref, sampleCard()).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'rate_limited' })
  expect(Reflect.get(Object(error), 'retryAfterMs')).toBeGreaterThan(29_000)
  // Another route goes on.
  await adapter.post(place, sampleResult(), once('result'))
  server.faults.add({ method: 'POST', path: /./, times: 1, fault: rateLimited(30, 'global') })
  await expect(adapter.post(place, sampleRoot(), once('other'))).rejects.toMatchObject({ code: 'rate_limited' })
  await expect(adapter.upload(place, [file('a.txt', 'a')], { key: 'f', comment: '' })).rejects.toMatchObject({
    code: 'rate_limited',
  })
})

test('a 429 that does not say how long is not tried again at once', async () => {
  const { server, adapter, place } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  server.faults.add({ method: 'PATCH', path: /./, times: 3, fault: { kind: 'answer', status: 429, body: '<html>' } })
  await expect(adapter.edit(ref, sampleCard())).rejects.toMatchObject({ code: 'rate_limited' })
  expect(server.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(1)
})

test('the limits that Discord tells in its headers are kept, so that it never has to refuse', async () => {
  const { server, adapter, place, thread } = await begin()
  const { ref } = await adapter.post(place, sampleCard(), once('card'))
  server.limits.set({ requests: 2, windowMs: 300 })
  for (let at = 0; at < 6; at++) await adapter.edit(ref, sampleCard({ headline: `frame ${at}` }))
  expect(server.messagesIn(thread.id)[0]?.frames).toHaveLength(6)
})

test('when components are refused it posts content and an embed, with the same words and buttons, once', async () => {
  const { server, adapter, place, thread } = await begin()
  const refused = {
    kind: 'answer',
    status: 400,
    body: {
      code: 50035,
      message: 'Invalid Form Body',
      errors: { components: { _errors: [{ code: 'X', message: 'no' }] } },
    },
  } as const
  server.faults.add({ method: 'POST', path: /messages$/, times: 1, fault: refused })
  const first = await adapter.post(place, sampleCard(), once('card'))
  const [message] = server.messagesIn(thread.id)
  expect(JSON.stringify(message?.embeds)).toContain('command 3 of 3')
  expect(JSON.stringify(message?.components)).toContain('cancel:42')
  harness?.clock.advance(3_600_000)
  expect(await adapter.post(place, sampleCard(), once('card'))).toEqual(first)
  await adapter.edit(first.ref, sampleCard({ headline: 'edited' }))
  expect(JSON.stringify(message?.embeds)).toContain('edited')
})

test('content that Discord refuses either way is "invalid", with the field', async () => {
  const { server, adapter, place } = await begin()
  const refused = {
    kind: 'answer',
    status: 400,
    body: {
      code: 50035,
      message: 'Invalid Form Body',
      errors: { content: { _errors: [{ code: 'X', message: 'no' }] } },
    },
  } as const
  server.faults.add({ method: 'POST', path: /messages$/, times: 2, fault: refused })
  await expect(adapter.post(place, sampleCard(), once('card'))).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining('content'),
  })
})

test('files go up together, once per key also hours later, and are opened again for another try', async () => {
  const { server, adapter, place, thread, clock } = await begin()
  let opened = 0
  const counting: UploadFile = {
    ...file('summary.csv', 'a,b\n'),
    open: async () => {
      opened += 1
      return Readable.from([Buffer.from('a,b\n')])
    },
  }
  const files = [counting, file('../../etc/päss wd?.txt', 'x')]
  server.faults.add({ method: 'POST', path: /messages$/, times: 1, fault: rateLimited(30, 'route') })
  await expect(adapter.upload(place, files, { key: 'files', comment: 'Files of <@1> #42' })).rejects.toMatchObject({
    code: 'rate_limited',
  })
  const later = await harness?.restart()
  const ref = await later?.upload(place, files, { key: 'files', comment: 'Files of <@1> #42' })
  expect(opened).toBe(2)
  clock.advance(3_600_000)
  expect(await later?.upload(place, files, { key: 'files', comment: 'Files of <@1> #42' })).toBe(ref)
  const messages = server.messagesIn(thread.id)
  expect(messages).toHaveLength(1)
  expect(messages[0]).toMatchObject({ content: 'Files of \\<\\@1\\> #42', pinged: [], silent: true })
  expect(messages[0]?.attachments.map(({ bytes }) => bytes.toString())).toEqual(['a,b\n', 'x'])
})

test('a file that Discord finds too large is said to be', async () => {
  const { server, adapter, place } = await begin()
  server.state.maxFileBytes = 3
  await expect(adapter.upload(place, [file('a.bin', '12345')], { key: 'f', comment: '' })).rejects.toMatchObject({
    code: 'too_large',
  })
})

test('the root message carries the state as a reaction of ours, one at a time', async () => {
  const { server, adapter, place, thread, channel } = await begin()
  const running = sampleCard().status
  const pending = { status: 'pending', icon: '🕒', word: 'Queued' } as const
  await adapter.mark(place, pending, null)
  const root = server.messagesIn(channel.id).find((message) => message.id === thread.id)
  expect([...(root?.reactions.keys() ?? [])]).toEqual(['👀'])
  await adapter.mark(place, running, pending)
  expect([...(root?.reactions.keys() ?? [])]).toEqual(['⏳'])
})

test('a task that was claimed before its message had been marked as seen ends with one reaction', async () => {
  const { server, adapter, place, thread, channel } = await begin()
  const running = sampleCard().status
  const done = { status: 'done', icon: '✅', word: 'Done' } as const
  await adapter.mark(place, running, null)
  const root = server.messagesIn(channel.id).find((message) => message.id === thread.id)
  root?.reactions.set('👀', new Set([server.state.bot.id]))
  await adapter.mark(place, done, running)
  expect([...(root?.reactions.keys() ?? [])]).toEqual(['✅'])
})

test('what is no place or message of ours is refused as invalid', async () => {
  const { adapter, place } = await begin()
  await expect(adapter.post({ ...place, key: 'C123:456' }, sampleCard(), once('x'))).rejects.toMatchObject({
    code: 'invalid',
  })
  await expect(adapter.edit('../../users/@me', sampleCard())).rejects.toMatchObject({ code: 'invalid' })
  expect(encodeSpot({ kind: 'replies', channelId: '1', messageId: '2' })).toBe('r:1/2')
})

test('a token revoked meanwhile is "unauthorized", then and afterwards', async () => {
  const { server, adapter, place } = await begin()
  await adapter.post(place, sampleCard(), once('card'))
  server.faults.add({
    method: 'GET',
    path: /messages$/,
    times: 1,
    fault: { kind: 'answer', status: 401, body: { message: '401: Unauthorized', code: 0 } },
  })
  for (const key of ['a', 'b']) {
    await expect(adapter.post(place, sampleCard(), once(key))).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('DISCORD_TOKEN'),
    })
  }
})

function archive(thread: FakeChannel): void {
  if (thread.thread_metadata) thread.thread_metadata.archived = true
}

function file(name: string, content: string): UploadFile {
  const bytes = Buffer.from(content)
  return { name, sizeBytes: bytes.length, open: async () => Readable.from([bytes]) }
}
