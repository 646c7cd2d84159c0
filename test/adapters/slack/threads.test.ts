import { expect, test } from 'vitest'
import { StoreError } from '../../../src/ports/store.ts'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { buttonsOf, visibleText } from '../../fakes/slack-server-state.ts'
import { type Harness, startHarness } from './harness.ts'
import { sampleCard } from './views.ts'

/** A thread of Ana's with a task in it. */
async function withTask(h: Harness): Promise<string> {
  const said = h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> make a file' })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  return said.ts
}

function reply(h: Harness, threadTs: string, text: string, user = 'U0ANA') {
  return h.slack.user.say({ user, channel: 'C0BUILDS', text, threadTs })
}

function lastPrivate(h: Harness): string {
  return visibleText(h.slack.world.ephemerals.at(-1)?.blocks)
}

test('a reply in the thread reaches the inbox with the thread, the words and its own identity', async () => {
  await using h = await startHarness()
  const ts = await withTask(h)
  const said = reply(h, ts, 'use quality 80', 'U0BEN')
  await eventually(() => expect(h.inbox.replies).toHaveLength(1))
  expect(h.inbox.replies[0]).toMatchObject({
    text: 'use quality 80',
    addressed: false,
    dedupeKey: `slack:T0TEAM:C0BUILDS:${said.ts}`,
    at: Math.floor(Number(said.ts) * 1000),
    place: { key: `T0TEAM/C0BUILDS/${ts}`, thread: true },
    actor: { userId: 'U0BEN' },
  })
})

test('a reply that mentions the assistant is addressed to it, and is one reply although two events come', async () => {
  await using h = await startHarness()
  const ts = await withTask(h)
  const said = reply(h, ts, '<@U0BOT> use quality 80', 'U0BEN')
  await Promise.all(said.deliveries.map((delivery) => delivery.acked))
  await eventually(() => expect(h.inbox.replies).toHaveLength(1))
  expect(h.inbox.replies[0]).toMatchObject({ text: 'use quality 80', addressed: true })
})

test('a refinement that was taken gets a note as reaction, a control word a nod', async () => {
  await using h = await startHarness()
  const ts = await withTask(h)
  h.inbox.next.reply.push(() => ({ kind: 'done', task: sampleTask({ id: 2 }), sentence: 'ok' }))
  const refinement = reply(h, ts, 'use quality 80')
  const reactions = (at: string) =>
    h.slack.world.messages.find((message) => message.ts === at)?.reactions.map((each) => each.name)
  await eventually(() => expect(reactions(refinement.ts)).toEqual(['memo']))
  h.inbox.next.reply.push(() => ({ kind: 'done', task: sampleTask(), sentence: 'ok' }))
  const word = reply(h, ts, 'Cancel!')
  await eventually(() => expect(reactions(word.ts)).toEqual(['ok_hand']))
  expect(h.slack.world.ephemerals).toHaveLength(0)
})

test('a refinement while the task runs is noted, with a button to apply it now', async () => {
  await using h = await startHarness()
  const ts = await withTask(h)
  h.inbox.next.reply.push(() => ({ kind: 'queued', task: sampleTask({ id: 43 }), sentence: 'Noted as task #43.' }))
  const said = reply(h, ts, 'use quality 80')
  await eventually(() => expect(h.slack.world.ephemerals).toHaveLength(1))
  expect(h.slack.world.ephemerals[0]).toMatchObject({ user: 'U0ANA', threadTs: ts })
  expect(lastPrivate(h)).toContain('Noted as task #43.')
  expect(buttonsOf(h.slack.world.ephemerals[0]?.blocks).map((button) => button.actionId)).toEqual(['apply:43'])
  expect(h.slack.world.messages.find((message) => message.ts === said.ts)?.reactions[0]?.name).toBe('memo')
})

test('a refusal is said privately', async () => {
  await using h = await startHarness()
  const ts = await withTask(h)
  h.inbox.next.reply.push(() => ({ kind: 'forbidden', sentence: 'Only an approver may decide on this plan.' }))
  reply(h, ts, 'approve', 'U0BEN')
  await eventually(() => expect(lastPrivate(h)).toContain('Only an approver'))
  expect(h.slack.world.ephemerals[0]?.user).toBe('U0BEN')
})

test.each([
  ['status', 'mogrify'],
  ['log', 'The log of task #1 is in the thread.'],
  ['files', 'a.txt'],
  ['help', 'Run as task'],
] as const)('"%s" in the thread is answered privately', async (what, words) => {
  await using h = await startHarness()
  const ts = await withTask(h)
  h.presenter.cards.set(1, sampleCard({ taskId: 1 }))
  h.presenter.listed = [{ path: 'a.txt', sizeBytes: 3 }]
  h.inbox.next.reply.push(() => ({ kind: 'show', what, task: sampleTask() }))
  reply(h, ts, what)
  await eventually(() => expect(JSON.stringify(h.slack.world.ephemerals)).toContain(words))
  expect(h.slack.world.ephemerals[0]).toMatchObject({ user: 'U0ANA', threadTs: ts })
})

test('talk of others that is not for the assistant goes unanswered', async () => {
  await using h = await startHarness()
  const ts = await withTask(h)
  const said = reply(h, ts, 'nice weather', 'U0BEN')
  const elsewhere = h.slack.user.say({ user: 'U0BEN', channel: 'C0BUILDS', text: 'lunch?' })
  await Promise.all([...said.deliveries, ...elsewhere.deliveries].map((delivery) => delivery.acked))
  await eventually(() => expect(h.inbox.replies).toHaveLength(1))
  expect(h.inbox.submitted).toHaveLength(1)
  expect(h.slack.world.ephemerals).toHaveLength(0)
})

test('a mention in a thread without a task begins one there', async () => {
  await using h = await startHarness()
  const root = h.slack.user.say({ user: 'U0BEN', channel: 'C0BUILDS', text: 'we should count these', events: [] })
  reply(h, root.ts, '<@U0BOT> count the files')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  expect(h.inbox.submitted[0]?.place?.key).toBe(`T0TEAM/C0BUILDS/${root.ts}`)
})

test('a reply in a thread of direct messages refines; a new message asks', async () => {
  await using h = await startHarness()
  const first = h.slack.user.dm('U0ANA', 'make a file')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  h.slack.user.dm('U0ANA', 'name it b.txt', first.ts)
  await eventually(() => expect(h.inbox.replies).toHaveLength(1))
  expect(h.inbox.replies[0]?.addressed).toBe(true)
  h.slack.user.dm('U0ANA', 'another thing')
  await eventually(() => expect(h.inbox.submitted).toHaveLength(2))
})

test('bots, our own messages, edits, deletions and joins are no requests', async () => {
  await using h = await startHarness()
  h.slack.world.users.set('U0WEB', {
    id: 'U0WEB',
    name: 'hook',
    teamId: 'T0TEAM',
    isBot: true,
    isRestricted: false,
    isUltraRestricted: false,
  })
  const text = '<@U0BOT> make a file'
  const ignored = [
    h.slack.user.say({ user: 'U0WEB', channel: 'C0BUILDS', text, more: { bot_id: 'B0WEB' } }),
    h.slack.user.say({ user: 'U0WEB', channel: 'C0BUILDS', text }),
    h.slack.user.say({ user: 'U0BOT', channel: 'C0BUILDS', text }),
    h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text, more: { subtype: 'message_changed' } }),
    h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text, more: { subtype: 'message_deleted', hidden: true } }),
    h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text, more: { subtype: 'channel_join' } }),
    h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text, more: { edited: { user: 'U0ANA', ts: '1.2' } } }),
  ]
  await Promise.all(ignored.flatMap((said) => said.deliveries.map((delivery) => delivery.acked)))
  await withTask(h)
  expect(h.inbox.submitted).toHaveLength(1)
})

test('guests are known as guests, people of another workspace too', async () => {
  await using h = await startHarness()
  const guest = { name: 'guest', teamId: 'T0TEAM', isBot: false, isRestricted: false, isUltraRestricted: true }
  h.slack.world.users.set('U0GUEST', { ...guest, id: 'U0GUEST' })
  h.slack.world.users.set('U0OTHER', { ...guest, id: 'U0OTHER', teamId: 'T0OTHER', isUltraRestricted: false })
  for (const user of ['U0GUEST', 'U0OTHER'])
    h.slack.user.say({ user, channel: 'C0BUILDS', text: '<@U0BOT> hi there', events: ['app_mention'] })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(2))
  expect(h.inbox.submitted.map((request) => request.actor.isGuest)).toEqual([true, true])
})

test('user groups are asked for only where the settings name some', async () => {
  await using h = await startHarness({
    options: { userGroups: ['S0OPS', 'S0GONE'] },
    prepare: (slack) => {
      slack.world.bot.scopes.add('usergroups:read')
      slack.world.userGroups.set('S0OPS', ['U0ANA'])
    },
  })
  await withTask(h)
  expect(h.inbox.submitted[0]?.actor.groups).toEqual(['S0OPS'])
  expect(h.log.some((entry) => entry.level === 'warn' && entry.message.includes('user group'))).toBe(true)
})

test('when Slack does not say who somebody is, nobody is let in, and the person is told to try again', async () => {
  await using h = await startHarness()
  h.slack.faults.next('users.info', { kind: 'status', status: 503 })
  const said = h.slack.user.say({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: '<@U0BOT> make a file',
    events: ['app_mention'],
  })
  await eventually(() => expect(lastPrivate(h)).toContain('That did not work'))
  expect(h.inbox.submitted).toHaveLength(0)
  h.slack.user.sayAgain('C0BUILDS', said.ts)
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
})

test('a store that cannot be used is said, not hidden; the next delivery of the message is taken', async () => {
  await using h = await startHarness()
  h.inbox.next.submit.push(() => {
    throw new StoreError('busy', 'disk I/O error in /var/lib')
  })
  const said = h.slack.user.say({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: '<@U0BOT> make a file',
    events: ['message'],
  })
  await eventually(() => expect(lastPrivate(h)).toContain('cannot store it now'))
  expect(lastPrivate(h)).not.toContain('/var/lib')
  expect(h.log.some((entry) => entry.level === 'error')).toBe(true)
  h.slack.user.sayAgain('C0BUILDS', said.ts)
  await eventually(() => expect(h.inbox.tasks.size).toBe(1))
})
