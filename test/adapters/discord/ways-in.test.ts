import { afterEach, expect, test, vi } from 'vitest'
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
  await vi.waitFor(() => expect(inbox.submitted).toHaveLength(1))
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
  await vi.waitFor(() => expect(server.people.seen(interaction)).toContain('Task #1 created'))
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
  await vi.waitFor(() => expect(server.people.seen(interaction)).toBe(`Your task is in <#${thread?.id}>.`))
})

test('a mention starts a thread from the message itself, and the card is posted there once and silently', async () => {
  const { server, inbox, adapter, channel, ana } = await begin()
  const message = server.people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> convert *all* PNGs`,
  })
  await vi.waitFor(() => expect(inbox.submitted).toHaveLength(1))
  const [request] = inbox.submitted
  expect(request).toMatchObject({ text: 'convert *all* PNGs', dedupeKey: `discord:${message.id}` })
  await vi.waitFor(() => expect([...message.reactions.keys()]).toEqual(['👀']))
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
