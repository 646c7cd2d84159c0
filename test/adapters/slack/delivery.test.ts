import { expect, test } from 'vitest'
import type { Place } from '../../../src/core/task.ts'
import { AdapterError } from '../../../src/ports/chat-adapter.ts'
import { findMessage, visibleText } from '../../fakes/slack-server-state.ts'
import { startHarness } from './harness.ts'
import { sampleApproval, sampleCard, sampleNotice, sampleResult, sampleRoot } from './views.ts'

const CHANNEL: Place = { platform: 'slack', key: 'T0TEAM/C0BUILDS', channelId: 'C0BUILDS', thread: false }

function once(key: string): { key: string; silent: boolean } {
  return { key, silent: true }
}

async function failure(work: Promise<unknown>): Promise<AdapterError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof AdapterError) return error
  throw new Error(`expected an AdapterError, got ${String(error)}`)
}

test('the root goes into the channel, everything after it into its thread', async () => {
  await using h = await startHarness()
  const root = await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  expect(root.place).toMatchObject({ thread: true, channelId: 'C0BUILDS' })
  const card = await h.adapter.post(root.place, sampleCard(), once('42:card'))
  expect(card.place).toEqual(root.place)
  const [first, second] = h.slack.world.messages
  expect(first?.threadTs).toBeUndefined()
  expect(second?.threadTs).toBe(first?.ts)
  expect(h.slack.world.messages.every((message) => !message.unfurl)).toBe(true)
})

test('an edit replaces the message, and its key stays findable', async () => {
  await using h = await startHarness()
  const { ref } = await h.adapter.post(CHANNEL, sampleCard(), once('42:card'))
  await h.adapter.edit(ref, sampleCard({ headline: 'Done in 2:04', tail: null, controls: [] }))
  const [message] = h.slack.world.messages
  expect(message?.edits).toBe(1)
  expect(visibleText(message?.blocks)).toContain('Done in 2:04')
  expect(message?.metadata).toEqual({ event_type: 'assistant_message', event_payload: { key: '42:card' } })
})

test('a post whose answer was lost is found by the next attempt, and not repeated', async () => {
  await using h = await startHarness()
  h.slack.faults.next('chat.postMessage', { kind: 'lost_answer' })
  expect((await failure(h.adapter.post(CHANNEL, sampleRoot(), once('42:root')))).code).toBe('unavailable')
  const found = await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  expect(h.slack.world.messages).toHaveLength(1)
  expect(found.ref).toContain(h.slack.world.messages[0]?.ts)
})

test('a post that an earlier process made is found after a restart, in a long thread too', async () => {
  await using h = await startHarness()
  const root = await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  const card = await h.adapter.post(root.place, sampleCard(), once('42:card'))
  for (let count = 0; count < 450; count += 1) {
    h.slack.user.say({
      user: 'U0BEN',
      channel: 'C0BUILDS',
      text: 'chatter',
      threadTs: h.slack.world.messages[0]?.ts ?? '',
      events: [],
    })
  }
  const result = await h.adapter.post(root.place, sampleResult(), once('42:result'))
  await h.adapter[Symbol.asyncDispose]()
  const second = await h.restart()
  expect(await second.post(root.place, sampleCard(), once('42:card'))).toEqual(card)
  expect(await second.post(root.place, sampleResult(), once('42:result'))).toEqual(result)
  expect(h.slack.calls('chat.postMessage')).toHaveLength(3)
})

test('for a task that this process created nothing is looked up first', async () => {
  await using h = await startHarness()
  h.slack.user.dm('U0ANA', 'make a file')
  await expect.poll(() => h.inbox.submitted.length).toBe(1)
  const place = h.inbox.submitted[0]?.place
  if (place === null || place === undefined) throw new Error('no place')
  await h.adapter.post(place, sampleCard({ taskId: 1 }), once('1:card'))
  expect(h.slack.calls('conversations.replies')).toHaveLength(0)
})

test('where the history may not be read, a message is posted all the same', async () => {
  await using h = await startHarness({ prepare: (slack) => void slack.world.bot.scopes.delete('channels:history') })
  await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  expect(h.slack.world.messages).toHaveLength(1)
})

test.each([
  ['invalid_blocks', { kind: 'error', error: 'invalid_blocks' }],
  ['msg_too_long', { kind: 'error', error: 'msg_too_long' }],
  ['msg_blocks_too_long', { kind: 'error', error: 'msg_blocks_too_long' }],
] as const)('a card that Slack refuses as %s goes out smaller, with its buttons', async (_name, fault) => {
  await using h = await startHarness()
  h.slack.faults.next('chat.postMessage', fault)
  const { ref } = await h.adapter.post(CHANNEL, sampleCard(), once('42:card'))
  const [message] = h.slack.world.messages
  expect(JSON.stringify(message?.blocks)).toContain('cancel:42')
  expect(visibleText(message?.blocks)).not.toContain('mogrify')
  h.slack.faults.next('chat.update', fault)
  await h.adapter.edit(ref, sampleCard({ headline: 'still here' }))
  expect(JSON.stringify(message?.blocks)).toContain('log:42')
  expect(visibleText(message?.blocks)).toContain('still here')
})

test.each([
  ['is_archived', 'thread_gone', 'archived'],
  ['thread_not_found', 'thread_gone', 'deleted'],
  ['restricted_action', 'forbidden', 'does not let the assistant write'],
  ['token_revoked', 'unauthorized', 'reinstall'],
  ['internal_error', 'unavailable', 'trouble'],
  ['something_new', 'invalid', 'something_new'],
] as const)('Slack saying %s on a post is %s, in words', async (error, code, words) => {
  await using h = await startHarness()
  h.slack.faults.next('chat.postMessage', { kind: 'error', error })
  const failed = await failure(h.adapter.post(CHANNEL, sampleRoot(), once('42:root')))
  expect(failed.code).toBe(code)
  expect(failed.message).toContain(words)
})

test.each([
  ['message_not_found', 'message_gone'],
  ['cant_update_message', 'message_gone'],
  ['edit_window_closed', 'message_gone'],
] as const)('an edit that Slack answers with %s is %s: a new message has to be posted', async (error, code) => {
  await using h = await startHarness()
  const { ref } = await h.adapter.post(CHANNEL, sampleCard(), once('42:card'))
  h.slack.faults.next('chat.update', { kind: 'error', error })
  expect((await failure(h.adapter.edit(ref, sampleCard()))).code).toBe(code)
})

test('a deleted message is gone, a deleted thread too', async () => {
  await using h = await startHarness()
  const root = await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  h.slack.world.messages.length = 0
  expect((await failure(h.adapter.edit(root.ref, sampleRoot()))).code).toBe('message_gone')
  expect((await failure(h.adapter.post(root.place, sampleCard(), once('42:card')))).code).toBe('thread_gone')
})

test('a missing scope is named, and that the app must be reinstalled', async () => {
  await using h = await startHarness()
  h.slack.world.bot.scopes.delete('chat:write')
  const failed = await failure(h.adapter.post(CHANNEL, sampleRoot(), once('42:root')))
  expect(failed.code).toBe('forbidden')
  expect(failed.message).toMatch(/chat:write.*reinstall/)
})

test('429 is passed on with the time to wait; nothing is retried meanwhile', async () => {
  await using h = await startHarness()
  const { ref } = await h.adapter.post(CHANNEL, sampleCard(), once('42:card'))
  h.slack.faults.next('chat.update', { kind: 'rate_limited', retryAfterS: 17 })
  const failed = await failure(h.adapter.edit(ref, sampleCard()))
  expect(failed).toMatchObject({ code: 'rate_limited', retryAfterMs: 17_000 })
  expect(h.slack.calls('chat.update')).toHaveLength(1)
})

test('while Slack is down everything is unavailable; when it is back, each message is there once and in order', async () => {
  await using h = await startHarness()
  const root = await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  h.slack.faults.down()
  expect((await failure(h.adapter.post(root.place, sampleCard(), once('42:card')))).code).toBe('unavailable')
  expect((await failure(h.adapter.edit(root.ref, sampleRoot()))).code).toBe('unavailable')
  h.slack.faults.up()
  await h.adapter.post(root.place, sampleCard(), once('42:card'))
  await h.adapter.post(root.place, sampleResult(), once('42:result'))
  const keys = h.slack.world.messages.map((message) => JSON.stringify(message.metadata))
  expect(keys.map((key) => /42:[a-z]+/.exec(key)?.[0])).toEqual(['42:root', '42:card', '42:result'])
})

test('HTTP 500 and 503 are unavailable', async () => {
  await using h = await startHarness()
  h.slack.faults.next('chat.postMessage', { kind: 'status', status: 500 }, { kind: 'status', status: 503 })
  expect((await failure(h.adapter.post(CHANNEL, sampleRoot(), once('a')))).message).toContain('500')
  expect((await failure(h.adapter.post(CHANNEL, sampleRoot(), once('a')))).message).toContain('503')
})

test('a place or a message of another platform is refused', async () => {
  await using h = await startHarness()
  const elsewhere: Place = { platform: 'discord', key: '1/2', channelId: '2', thread: false }
  expect((await failure(h.adapter.post(elsewhere, sampleRoot(), once('a')))).code).toBe('thread_gone')
  expect((await failure(h.adapter.edit('what is this', sampleRoot()))).code).toBe('message_gone')
})

test('where the assistant is no member, a command goes on as a direct message and says how to invite it', async () => {
  await using h = await startHarness()
  const place: Place = { platform: 'slack', key: 'T0TEAM/C0RANDOM+U0ANA', channelId: 'C0RANDOM', thread: false }
  const root = await h.adapter.post(place, sampleRoot(), once('42:root'))
  expect(root.place).toMatchObject({ channelId: 'D0ANA', thread: true })
  const [message] = h.slack.world.messages
  expect(message?.channel).toBe('D0ANA')
  expect(visibleText(message?.blocks)).toContain('/invite @assistant')
  await h.adapter.post(root.place, sampleCard(), once('42:card'))
  expect(h.slack.world.messages[1]?.threadTs).toBe(message?.ts)
  const again = await (await h.restart()).post(place, sampleRoot(), once('42:root'))
  expect(again).toEqual(root)
})

test('without a person to write to, not being a member is an error with the fix', async () => {
  await using h = await startHarness()
  const place: Place = { platform: 'slack', key: 'T0TEAM/C0RANDOM', channelId: 'C0RANDOM', thread: false }
  const failed = await failure(h.adapter.post(place, sampleRoot(), once('42:root')))
  expect(failed.code).toBe('forbidden')
  expect(failed.message).toContain('/invite')
})

test('the status is a reaction on the thread’s first message, one at a time', async () => {
  await using h = await startHarness()
  const { place } = await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  const queued = { status: 'pending', icon: '🕒', word: 'Queued' } as const
  const running = { status: 'running', icon: '⏳', word: 'Running' } as const
  await h.adapter.mark(place, queued, null)
  await h.adapter.mark(place, running, queued)
  await h.adapter.mark(place, running, queued)
  const [root] = h.slack.world.messages
  expect(root?.reactions.map((reaction) => reaction.name)).toEqual(['hourglass_flowing_sand'])
})

test('a reaction that fails for whatever reason throws nothing', async () => {
  await using h = await startHarness()
  const { place } = await h.adapter.post(CHANNEL, sampleRoot(), once('42:root'))
  h.slack.world.bot.scopes.delete('reactions:write')
  await h.adapter.mark(place, { status: 'done', icon: '✅', word: 'Done' }, null)
  h.slack.faults.down()
  await h.adapter.mark(place, { status: 'failed', icon: '❌', word: 'Failed' }, null)
  expect(findMessage(h.slack.world, 'C0BUILDS', h.slack.world.messages[0]?.ts ?? '')?.reactions).toEqual([])
})

test('mentions are only those of the view: text from outside calls nobody', async () => {
  await using h = await startHarness()
  const evil = '<!channel> <!here> <@U0BEN> <!subteam^S1> @everyone <https://evil|click>'
  await h.adapter.post(CHANNEL, sampleNotice({ text: evil, mentions: ['U0ANA', '<!channel>'] }), once('a'))
  await h.adapter.post(CHANNEL, sampleRoot({ title: evil, byLine: evil }), once('b'))
  await h.adapter.post(
    CHANNEL,
    sampleResult({ headline: evil, body: evil, notes: [evil], mention: '!channel' }),
    once('c'),
  )
  await h.adapter.post(
    CHANNEL,
    sampleApproval({ headline: evil, why: evil, terms: [evil], decided: evil, mentions: ['U0ANA'] }),
    once('d'),
  )
  for (const message of h.slack.world.messages) {
    const markup = JSON.stringify([message.text, message.blocks.filter((block) => block.type !== 'rich_text')])
    expect(markup.replaceAll('<@U0ANA>', '')).not.toMatch(/<[!@#h]/)
  }
})
