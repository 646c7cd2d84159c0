import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { createHarness, type Harness, type HarnessOptions } from './harness.ts'
import { sampleCard, sampleRoot } from './samples.ts'

let harness: Harness | undefined

async function begin(options?: HarnessOptions): Promise<Harness> {
  harness = await createHarness(options)
  return harness
}

afterEach(async () => {
  await harness?.[Symbol.asyncDispose]()
  harness = undefined
})

test('"/task run" is acknowledged privately, submitted with verified fields, and answered with a link to its thread', async () => {
  const { server, inbox, adapter, channel, ana, guildId } = await begin()
  const interaction = server.people.slash({
    user: ana,
    channelId: channel.id,
    roles: ['987654321'],
    sub: 'run',
    options: [
      { name: 'prompt', type: 3, value: 'convert PNGs' },
      { name: 'model', type: 3, value: 'qwen3:8b' },
    ],
  })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  expect(interaction.callback).toMatchObject({ type: 5, data: { flags: 64 } })
  const [request] = inbox.submitted
  expect(request).toMatchObject({
    text: 'convert PNGs',
    model: 'qwen3:8b',
    dedupeKey: `discord:${interaction.id}`,
    actor: {
      platform: 'discord',
      scope: guildId,
      channelId: channel.id,
      userId: ana.id,
      name: 'Ana',
      groups: ['987654321'],
      isBot: false,
      isDirect: false,
    },
    place: { platform: 'discord', channelId: channel.id, thread: false },
  })
  await eventually(() => expect(server.people.seen(interaction)).toContain('Task #1 created'))
  const place = request?.place
  if (!place) throw new Error('no place')
  const posted = await adapter.post(place, { ...sampleRoot(), taskId: 1 }, { key: 'root:1', silent: true })
  expect(posted.place.thread).toBe(true)
  const [thread] = server.threads()
  expect(thread).toMatchObject({
    name: '#1 convert all PNGs here to WebP',
    parent_id: channel.id,
    thread_metadata: { auto_archive_duration: 1440 },
  })
  expect(server.state.threadMembers.get(thread?.id ?? '')).toContain(ana.id)
  await eventually(() => expect(server.people.seen(interaction)).toBe(`Your task is in <#${thread?.id}>.`))
})

test('a mention starts a thread from the message itself, and the card is posted there once and silently', async () => {
  const { server, inbox, adapter, channel, ana } = await begin()
  const message = server.people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> convert *all* PNGs`,
  })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  const [request] = inbox.submitted
  expect(request).toMatchObject({ text: 'convert *all* PNGs', dedupeKey: `discord:${message.id}` })
  await eventually(() => expect([...message.reactions.keys()]).toEqual(['👀']))
  const place = request?.place
  if (!place) throw new Error('no place')
  const root = await adapter.post(place, sampleRoot(), { key: 'root', silent: true })
  expect(server.threads().map((thread) => thread.id)).toEqual([message.id])
  expect(server.messagesIn(channel.id)).toHaveLength(1)
  const card = await adapter.post(root.place, sampleCard(), { key: 'card', silent: true })
  const again = await adapter.post(root.place, sampleCard(), { key: 'card', silent: true })
  expect(again).toEqual(card)
  const [posted] = server.messagesIn(message.id)
  expect(posted).toMatchObject({ silent: true, pinged: [] })
  await adapter.edit(card.ref, sampleCard({ headline: 'Running · 1:15' }))
  expect(posted?.frames).toHaveLength(1)
  await adapter.edit(root.ref, sampleRoot())
})

test('a direct message is a task, its control words go to the latest one, and no thread is opened', async () => {
  const { server, inbox, adapter, ana } = await begin()
  const direct = server.addChannel({ type: 1, recipients: [ana] })
  server.people.say({ user: ana, channelId: direct.id, content: 'how much disk is free?' })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  expect(inbox.submitted[0]).toMatchObject({
    actor: { scope: '', isDirect: true, channelId: direct.id },
    place: { key: `c:${direct.id}`, thread: true, channelId: direct.id },
  })
  const place = inbox.submitted[0]?.place
  if (!place) throw new Error('no place')
  expect((await adapter.post(place, sampleCard(), { key: 'card', silent: true })).place).toEqual(place)
  inbox.next.reply.push(() => ({ kind: 'done', task: sampleTask(), sentence: 'Stopping.' }))
  server.people.say({ user: ana, channelId: direct.id, content: 'Cancel!' })
  await eventually(() => expect(inbox.replies).toHaveLength(1))
  expect(inbox.replies[0]).toMatchObject({ addressed: true, text: 'Cancel!' })
  expect(inbox.submitted).toHaveLength(1)
})

test('"Run as task" opens a form with the words of the message, and its files come along', async () => {
  const { server, inbox, channel, ana, ben } = await begin()
  const target = server.people.say({
    user: ben,
    channelId: channel.id,
    content: 'please rename these',
    files: [{ name: 'list.txt', bytes: Buffer.from('a\nb\n'), type: 'text/plain' }],
  })
  const menu = server.people.menu({ user: ana, channelId: channel.id, command: 'Run as task', messageId: target.id })
  await eventually(() => expect(menu.callback?.type).toBe(9))
  expect(JSON.stringify(menu.callback?.data)).toContain('please rename these')
  const form = server.people.submitModal({
    user: ana,
    channelId: channel.id,
    customId: String(menu.callback?.data.custom_id),
    fields: { field0: 'rename these, please' },
  })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  expect(form.callback).toMatchObject({ type: 5, data: { flags: 64 } })
  expect(inbox.submitted[0]).toMatchObject({
    text: 'rename these, please',
    actor: { userId: ana.id },
    attachments: [{ name: 'list.txt', sizeBytes: 4, mimeType: 'text/plain' }],
  })
})

test('an attachment is fetched through its message, also when the address in the message has expired', async () => {
  const { server, inbox, adapter, channel, ana, clock } = await begin()
  server.people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> count the lines`,
    files: [{ name: 'list.txt', bytes: Buffer.from('a\nb\n') }],
  })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  const source = inbox.submitted[0]?.attachments[0]?.source
  if (source?.kind !== 'chat') throw new Error('no chat source')
  clock.advance(2 * 3_600_000)
  expect(await text(await adapter.fetchInput(source.ref, new AbortController().signal))).toBe('a\nb\n')
  server.state.messages.clear()
  await expect(adapter.fetchInput(source.ref, new AbortController().signal)).rejects.toMatchObject({
    code: 'message_gone',
  })
})

test('a file given with a command is fetched from its address while that holds, and no other host is ever asked', async () => {
  const { server, inbox, adapter, channel, ana, clock } = await begin()
  server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'count the lines' }],
    files: [{ name: 'list.txt', bytes: Buffer.from('one\n') }],
  })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  const source = inbox.submitted[0]?.attachments[0]?.source
  if (source?.kind !== 'chat') throw new Error('no chat source')
  const signal = new AbortController().signal
  expect(await text(await adapter.fetchInput(source.ref, signal))).toBe('one\n')
  clock.advance(2 * 3_600_000)
  await expect(adapter.fetchInput(source.ref, signal)).rejects.toMatchObject({ code: 'message_gone' })
  for (const ref of ['u:http://169.254.169.254/latest', 'u:file:///etc/passwd', 'nonsense']) {
    await expect(adapter.fetchInput(ref, signal)).rejects.toMatchObject({ code: 'invalid' })
  }
})

test('replies in the thread go on with its task; what is noted, done, refused or asked for is shown there', async () => {
  const { server, inbox, presenter, ana, channel } = await begin()
  const thread = threadIn(channel.id)
  const reply = (content: string) => server.people.say({ user: ana, channelId: thread.id, content })
  inbox.next.reply.push(() => ({ kind: 'done', task: sampleTask({ kind: 'refine' }), sentence: 'Noted.' }))
  const noted = reply('use quality 80')
  await eventually(() => expect([...noted.reactions.keys()]).toEqual(['📝']))
  expect(inbox.replies[0]).toMatchObject({
    place: { key: `c:${thread.id}`, channelId: channel.id, thread: true },
    actor: { channelId: channel.id },
    addressed: false,
    dedupeKey: `discord:${noted.id}`,
    at: Number(BigInt(noted.id) >> 22n) + 1_420_070_400_000,
  })
  inbox.next.reply.push(() => ({ kind: 'forbidden', sentence: 'Only Ana may do this.' }))
  const refused = reply('cancel')
  await eventually(() => expect([...refused.reactions.keys()]).toEqual(['🚫']))
  inbox.next.reply.push(() => ({ kind: 'conflict', sentence: 'Task #1 has <already> ended.', task: sampleTask() }))
  reply('cancel')
  await eventually(() => expect(botMessages(thread.id).at(-1)?.content).toBe('Task #1 has \\<already\\> ended.'))
  for (const what of ['log', 'files', 'help', 'status'] as const) {
    inbox.next.reply.push(() => ({ kind: 'show', what, task: sampleTask() }))
    const before = botMessages(thread.id).length
    reply(what)
    await eventually(() => expect(botMessages(thread.id)).toHaveLength(before + 1))
  }
  expect(presenter.asked).toEqual([`log 1 c:${thread.id}`, `files 1 c:${thread.id}`])
  expect(botMessages(thread.id).every((message) => message.silent && message.pinged.length === 0)).toBe(true)
})

test('a mention in a thread that is no task of ours starts a task right there, without another thread', async () => {
  const { server, inbox, adapter, ana, ben, channel } = await begin()
  const thread = threadIn(channel.id, ben.id)
  server.people.say({ user: ana, channelId: thread.id, content: `<@${server.state.bot.id}> sum this up` })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  const place = inbox.submitted[0]?.place
  if (!place) throw new Error('no place')
  expect(place).toMatchObject({ key: `c:${thread.id}`, thread: true })
  await adapter.post(place, sampleCard(), { key: 'card', silent: true })
  expect(server.threads()).toHaveLength(1)
})

test('bots, webhooks, our own messages, edits and joins are not taken for people', async () => {
  const { server, inbox, adapter, ana, channel } = await begin()
  const robot = server.people.addUser('Robot', { bot: true })
  const hello = `<@${server.state.bot.id}> run this`
  server.people.say({ user: robot, channelId: channel.id, content: hello })
  server.people.say({ user: ana, channelId: channel.id, content: hello, webhook: true })
  server.people.say({ user: server.state.bot, channelId: channel.id, content: hello })
  const joined = server.people.say({ user: ana, channelId: channel.id, content: 'nothing for us' })
  server.state.emit('MESSAGE_UPDATE', { id: joined.id, channel_id: channel.id, content: hello })
  server.people.say({ user: ana, channelId: channel.id, content: `${hello} please` })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  expect(inbox.submitted[0]?.text).toBe('run this please')
  expect(inbox.replies).toEqual([])
  expect(adapter.health()).toEqual({ ok: true, problem: '' })
})

test('a mention without words is answered with what can be done', async () => {
  const { server, inbox, ana, channel } = await begin()
  server.people.say({ user: ana, channelId: channel.id, content: `<@${server.state.bot.id}>` })
  await eventually(() => expect(botMessages(channel.id).at(-1)?.content).toContain('/task run'))
  expect(inbox.submitted).toEqual([])
})

test('a word that means a task is no request where there is none', async () => {
  const { server, inbox, ana, channel } = await begin()
  const say = (word: string) =>
    server.people.say({ user: ana, channelId: channel.id, content: `<@${server.state.bot.id}> ${word}` })
  say('help')
  await eventually(() => expect(botMessages(channel.id).at(-1)?.content).toContain('/task run'))
  say('cancel!')
  await eventually(() => expect(botMessages(channel.id).at(-1)?.content).toContain('There is no task here.'))
  expect(inbox.submitted).toEqual([])
})

test('a refusal to a mention is said where it was asked', async () => {
  const { server, inbox, ana, channel } = await begin()
  inbox.refuse = () => 'You are not on the list of people who may use the assistant here.'
  server.people.say({ user: ana, channelId: channel.id, content: `<@${server.state.bot.id}> hello` })
  await eventually(() => expect(botMessages(channel.id).at(-1)?.content).toContain('not on the list'))
})

test('a broken store loses no word silently', async () => {
  const { server, inbox, ana, channel } = await begin()
  inbox.next.submit.push(() => {
    throw new Error('disk full')
  })
  server.people.say({ user: ana, channelId: channel.id, content: `<@${server.state.bot.id}> hello` })
  await eventually(() => expect(botMessages(channel.id).at(-1)?.content).toContain('Try again in a minute'))
})

test('without the intent for message content the bot says once per thread how to go on', async () => {
  const { server, inbox, ana, channel } = await begin({ contentIntent: false })
  const thread = threadIn(channel.id)
  server.people.say({ user: ana, channelId: thread.id, content: 'use quality 80' })
  await eventually(() => expect(botMessages(thread.id)).toHaveLength(1))
  expect(botMessages(thread.id)[0]?.content).toContain("can't read replies")
  server.people.say({ user: ana, channelId: thread.id, content: 'hello?' })
  server.people.say({ user: ana, channelId: channel.id, content: 'talk that is none of ours' })
  server.people.say({ user: ana, channelId: thread.id, content: `<@${server.state.bot.id}> retry` })
  await eventually(() => expect(inbox.replies).toHaveLength(1))
  expect(inbox.replies[0]).toMatchObject({ text: 'retry', addressed: true })
  expect(botMessages(thread.id).filter((message) => message.content.includes("can't read"))).toHaveLength(1)
})

function threadIn(parentId: string, ownerId?: string) {
  if (harness === undefined) throw new Error('not begun')
  const { server } = harness
  return server.addChannel({
    type: 11,
    name: 'a thread',
    parent_id: parentId,
    owner_id: ownerId ?? server.state.bot.id,
    thread_metadata: { archived: false, locked: false, auto_archive_duration: 1440, archive_timestamp: '' },
  })
}

function botMessages(channelId: string) {
  if (harness === undefined) throw new Error('not begun')
  const { server } = harness
  return server
    .messagesIn(channelId)
    .filter(
      (message) =>
        message.author.id === server.state.bot.id &&
        message.webhook_id === undefined &&
        message.content !== `<@${server.state.bot.id}> run this`,
    )
}
