import { expect, test } from 'vitest'
import type { Plan } from '../../../src/core/plan.ts'
import type { Task } from '../../../src/core/task.ts'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { waitingRound } from '../../fakes/sample-task.ts'
import { isJson, type Json, visibleText } from '../../fakes/slack-server-state.ts'
import { type Harness, startHarness } from './harness.ts'
import { sampleApproval, sampleCard, sampleResult } from './views.ts'

const CHANNEL = { platform: 'slack', key: 'T0TEAM/C0BUILDS', channelId: 'C0BUILDS', thread: false } as const

/** Posts the views as one thread; answers the timestamps. */
async function thread(h: Harness, ...views: Parameters<Harness['adapter']['post']>[1][]): Promise<string[]> {
  let place: typeof CHANNEL | Awaited<ReturnType<Harness['adapter']['post']>>['place'] = CHANNEL
  for (const [index, view] of views.entries()) {
    place = (await h.adapter.post(place, view, { key: `42:${index}`, silent: true })).place
  }
  return h.slack.world.messages.map((message) => message.ts)
}

function press(h: Harness, ts: string | undefined, actionId: string, user = 'U0ANA') {
  return h.slack.user.click({ user, channel: 'C0BUILDS', ts: ts ?? '', actionId })
}

async function answer(h: Harness, responseUrl: string): Promise<string> {
  const uses = () => h.slack.world.responseUrls.get(responseUrl)?.uses ?? []
  await eventually(() => expect(uses()).toHaveLength(1))
  return visibleText(uses()[0]?.blocks)
}

function openModal(h: Harness): { id: string; view: Json } | undefined {
  const entry = [...h.slack.world.views.values()].find((each) => each.open)
  return entry === undefined ? undefined : { id: entry.id, view: entry.view }
}

function waitingTask(commands: string[]): Task {
  const round = waitingRound()
  const plan: Plan = { ...round.plan, commands }
  const approval = {
    round: 1,
    hash: round.hash,
    requestedAt: 0,
    expiresAt: 1,
    remindedAt: null,
    decision: null,
    by: null,
    decidedAt: null,
    note: null,
  }
  return { ...sampleTask({ id: 42, rounds: [{ ...round, plan }] }), status: 'awaiting_approval', approval }
}

test('a button acts with the ids that it carries, in the thread where it is', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, sampleTask({ id: 42 }))
  const [ts] = await thread(h, sampleCard())
  await press(h, ts, 'cancel:42', 'U0BEN').delivery.acked
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  expect(h.inbox.acts[0]).toMatchObject({
    actor: { userId: 'U0BEN', channelId: 'C0BUILDS' },
    control: { verb: 'cancel', taskId: 42, hash: null },
    details: { place: { key: `T0TEAM/C0BUILDS/${ts}` } },
  })
})

test('buttons work after a restart', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, sampleTask({ id: 42 }))
  const [ts] = await thread(h, sampleApproval())
  await h.adapter[Symbol.asyncDispose]()
  await h.restart()
  press(h, ts, 'approve:42:7f3a9c01')
  await eventually(() => expect(h.inbox.acts[0]?.control).toEqual({ verb: 'approve', taskId: 42, hash: '7f3a9c01' }))
})

test('pressed twice in a hurry, or delivered twice, it acts once', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, sampleTask({ id: 42 }))
  const [ts] = await thread(h, sampleResult())
  const first = press(h, ts, 'retry:42')
  const second = press(h, ts, 'retry:42')
  first.delivery.redeliver()
  await Promise.all([first.delivery.acked, second.delivery.acked])
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  h.clock.advance(60_000)
  press(h, ts, 'retry:42')
  await eventually(() => expect(h.inbox.acts).toHaveLength(2))
})

test('a stale button says privately what has happened since, and that message loses its buttons', async () => {
  await using h = await startHarness()
  const [ts] = await thread(h, sampleApproval())
  h.inbox.next.act.push(() => ({
    kind: 'conflict',
    sentence: 'The plan of task #42 was already approved by Ben.',
    task: sampleTask(),
  }))
  const { responseUrl } = press(h, ts, 'approve:42:7f3a9c01')
  expect(await answer(h, responseUrl)).toContain('already approved by Ben')
  const [message] = h.slack.world.messages
  expect(JSON.stringify(message?.blocks)).not.toContain('approve:42')
  expect(visibleText(message?.blocks)).toContain('already approved by Ben')
})

test('a refusal is private and leaves the message as it is', async () => {
  await using h = await startHarness()
  const [ts] = await thread(h, sampleApproval())
  h.inbox.next.act.push(() => ({ kind: 'forbidden', sentence: 'Only an approver may decide on this plan.' }))
  const { responseUrl } = press(h, ts, 'approve:42:7f3a9c01')
  expect(await answer(h, responseUrl)).toContain('Only an approver')
  expect(h.slack.calls('chat.update')).toHaveLength(0)
})

test('Full log and Retry upload are done by the presenter, for those who may see the task', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, sampleTask({ id: 42 }))
  const retry = {
    control: { verb: 'upload', taskId: 42, hash: null },
    label: 'Retry upload',
    style: 'plain',
    confirm: null,
  } as const
  const [ts] = await thread(h, sampleCard({ controls: [...sampleCard().controls, retry] }))
  expect(await answer(h, press(h, ts, 'log:42').responseUrl)).toContain('is in the thread')
  expect(await answer(h, press(h, ts, 'upload:42').responseUrl)).toContain('Uploaded.')
  expect(h.presenter.asked).toEqual([`log 42 T0TEAM/C0BUILDS/${ts}`, 'upload 42'])
  h.inbox.refuse = () => 'Task #42 is not one that you can see.'
  h.clock.advance(60_000)
  expect(await answer(h, press(h, ts, 'upload:42', 'U0BEN').responseUrl)).toContain('not one that you can see')
  expect(h.presenter.asked).toHaveLength(2)
})

test('Files opens a private menu; a pick or the button posts into the task’s thread', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, sampleTask({ id: 42, place: { ...CHANNEL, key: 'T0TEAM/C0BUILDS/1.5', thread: true } }))
  h.presenter.listed = [
    { path: 'out/a.txt', sizeBytes: 5 },
    { path: 'x'.repeat(300), sizeBytes: 1 },
  ]
  const [ts] = await thread(h, sampleResult())
  const { responseUrl } = press(h, ts, 'files:42')
  expect(await answer(h, responseUrl)).toContain('Task #42: 2 files')
  const pick = h.slack.user.clickEphemeral({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    actionId: 'file:42',
    option: 'out/a.txt',
  })
  expect(await answer(h, pick.responseUrl)).toContain('out/a.txt is in the thread')
  const all = h.slack.user.clickEphemeral({ user: 'U0ANA', channel: 'C0BUILDS', actionId: 'all-files:42' })
  expect(await answer(h, all.responseUrl)).toContain('The files are in the thread')
  expect(h.presenter.asked).toEqual(['file 42 out/a.txt T0TEAM/C0BUILDS/1.5', 'files 42 T0TEAM/C0BUILDS/1.5'])
})

test('Edit plan has one field for each command, so that commands of several lines survive', async () => {
  await using h = await startHarness()
  const heredoc = 'cat > a.txt <<EOF\nline 1\n\n  line 3\nEOF'
  const commands = [heredoc, 'wc -l a.txt', 'rm a.txt', `echo ${'x'.repeat(4000)}`]
  h.inbox.tasks.set(42, waitingTask(commands))
  const [ts] = await thread(h, sampleApproval())
  press(h, ts, 'edit:42:7f3a9c01')
  await eventually(() => expect(openModal(h)).toBeDefined())
  const modal = openModal(h)
  expect(visibleText(modal?.view)).toContain('too long for a form (4005 characters)')
  h.slack.user.submitModal('U0ANA', modal?.id ?? '', {
    'command-0': heredoc.replaceAll('\n', '\r\n'),
    'command-1': 'wc -c a.txt',
    'command-2': '',
    'command-4': 'ls -l',
  })
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  expect(h.inbox.acts[0]?.control).toEqual({ verb: 'edit', taskId: 42, hash: '7f3a9c01' })
  expect(h.inbox.acts[0]?.details?.commands).toEqual([heredoc, 'wc -c a.txt', commands[3], 'ls -l'])
  await eventually(() => expect(openModal(h)).toBeUndefined())
})

test('what is wrong with an edited plan is shown in the form, which stays open', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, waitingTask(['ls']))
  const [ts] = await thread(h, sampleApproval())
  press(h, ts, 'edit:42:7f3a9c01')
  await eventually(() => expect(openModal(h)).toBeDefined())
  const id = openModal(h)?.id ?? ''
  const empty = await h.slack.user.submitModal('U0ANA', id, { 'command-0': '' }).acked
  expect(empty).toMatchObject({
    response_action: 'errors',
    errors: { 'command-0': expect.stringContaining('at least one') },
  })
  h.inbox.next.act.push(() => ({ kind: 'invalid', sentence: 'The policy does not allow this: it needs root.' }))
  const denied = await h.slack.user.submitModal('U0ANA', id, { 'command-0': 'mount /dev/sda1 /mnt' }).acked
  expect(JSON.stringify(denied)).toContain('it needs root')
  expect(openModal(h)).toBeDefined()
})

test('a form whose plan has changed meanwhile closes, and the person is told privately', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, waitingTask(['ls']))
  const [ts] = await thread(h, sampleApproval())
  press(h, ts, 'edit:42:7f3a9c01')
  await eventually(() => expect(openModal(h)).toBeDefined())
  h.inbox.next.act.push(() => ({ kind: 'conflict', sentence: 'The plan has been changed since.', task: sampleTask() }))
  await h.slack.user.submitModal('U0ANA', openModal(h)?.id ?? '', { 'command-0': 'pwd' }).acked
  await eventually(() => expect(JSON.stringify(h.slack.world.ephemerals)).toContain('has been changed since'))
})

test('a store that takes too long closes the form in time, and the outcome follows privately', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, waitingTask(['ls']))
  const [ts] = await thread(h, sampleApproval())
  press(h, ts, 'edit:42:7f3a9c01')
  await eventually(() => expect(openModal(h)).toBeDefined())
  const gate = Promise.withResolvers<void>()
  h.inbox.next.act.push(async () => {
    await gate.promise
    return { kind: 'invalid', sentence: 'The policy does not allow this.' }
  })
  const sent = h.slack.user.submitModal('U0ANA', openModal(h)?.id ?? '', { 'command-0': 'pwd' })
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  h.clock.advance(2500)
  expect(await sent.acked).toEqual({})
  gate.resolve()
  await eventually(() => expect(JSON.stringify(h.slack.world.ephemerals)).toContain('The policy does not allow this.'))
})

test('Reject asks for the reason, which may stay empty', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, waitingTask(['ls']))
  const [ts] = await thread(h, sampleApproval())
  press(h, ts, 'reject:42:7f3a9c01')
  await eventually(() => expect(openModal(h)).toBeDefined())
  await h.slack.user.submitModal('U0ANA', openModal(h)?.id ?? '', { text: 'use the mirror instead' }).acked
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  expect(h.inbox.acts[0]).toMatchObject({
    control: { verb: 'reject', taskId: 42, hash: '7f3a9c01' },
    details: { note: 'use the mirror instead' },
  })
})

test('who may not decide gets no form, only the reason', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, waitingTask(['ls']))
  const [ts] = await thread(h, sampleApproval())
  h.inbox.refuse = (_actor, action) => (action === 'reject' ? 'Only an approver may decide.' : null)
  h.inbox.next.act.push(() => ({ kind: 'forbidden', sentence: 'Only an approver may decide.' }))
  expect(await answer(h, press(h, ts, 'reject:42:7f3a9c01', 'U0BEN').responseUrl)).toContain('Only an approver')
  expect(openModal(h)).toBeUndefined()
})

test('a form that Slack will not open any more is said', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(42, waitingTask(['ls']))
  const [ts] = await thread(h, sampleApproval())
  h.slack.faults.next('views.open', { kind: 'error', error: 'expired_trigger_id' })
  expect(await answer(h, press(h, ts, 'edit:42:7f3a9c01').responseUrl)).toContain('press the button again')
})

test('Run as task takes the message and its files, and the thread is that of the message', async () => {
  await using h = await startHarness()
  const said = h.slack.user.say({
    user: 'U0BEN',
    channel: 'C0BUILDS',
    text: 'somebody should sort &lt;this&gt;',
    files: [{ name: 'data.csv', bytes: Buffer.from('b\na\n'), mimetype: 'text/csv' }],
    events: [],
  })
  const shortcut = h.slack.user.messageShortcut('U0ANA', 'C0BUILDS', said.ts, 'run_as_task')
  await shortcut.acked
  await eventually(() => expect(openModal(h)).toBeDefined())
  const modal = openModal(h)
  expect(JSON.stringify(modal?.view)).toContain('somebody should sort <this>')
  const empty = await h.slack.user.submitModal('U0ANA', modal?.id ?? '', { text: ' ' }).acked
  expect(empty.response_action).toBe('errors')
  const sent = h.slack.user.submitModal('U0ANA', modal?.id ?? '', { text: 'sort this' })
  sent.redeliver()
  await sent.acked
  await eventually(() => expect(h.inbox.tasks.size).toBe(1))
  expect(h.inbox.submitted[0]).toMatchObject({
    text: 'sort this',
    actor: { userId: 'U0ANA', channelId: 'C0BUILDS' },
    place: { key: `T0TEAM/C0BUILDS/${said.ts}+U0ANA`, thread: true },
    attachments: [{ name: 'data.csv', sizeBytes: 4, mimeType: 'text/csv' }],
  })
})

test('inside a thread, Run as task stays in that thread; a long message is cut to what a form holds', async () => {
  await using h = await startHarness()
  const root = h.slack.user.say({ user: 'U0BEN', channel: 'C0BUILDS', text: 'root', events: [] })
  const said = h.slack.user.say({
    user: 'U0BEN',
    channel: 'C0BUILDS',
    text: 'y'.repeat(9000),
    threadTs: root.ts,
    events: [],
  })
  h.slack.user.messageShortcut('U0ANA', 'C0BUILDS', said.ts, 'run_as_task')
  await eventually(() => expect(openModal(h)).toBeDefined())
  await h.slack.user.submitModal('U0ANA', openModal(h)?.id ?? '', {}).acked
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  expect(h.inbox.submitted[0]?.place?.key).toBe(`T0TEAM/C0BUILDS/${root.ts}+U0ANA`)
  expect(h.inbox.submitted[0]?.text).toHaveLength(3000)
})

test('App Home shows what runs, what was, what waits, how to use it, and its buttons work', async () => {
  await using h = await startHarness()
  const requester = { platform: 'slack', scope: 'T0TEAM', userId: 'U0ANA', name: 'ana' } as const
  const place = { ...CHANNEL, thread: true }
  h.inbox.tasks.set(1, { ...sampleTask({ id: 1, requester }), status: 'done', answer: 'ok' })
  h.inbox.tasks.set(2, sampleTask({ id: 2, requester, description: 'count <b> & more' }))
  h.inbox.tasks.set(42, { ...waitingTask(['ls']), place, requester: { ...requester, userId: 'U0BEN' } })
  h.slack.user.openHome('U0ANA')
  await eventually(() => expect(h.slack.world.homes.has('U0ANA')).toBe(true))
  const home = () => visibleText(h.slack.world.homes.get('U0ANA'))
  for (const words of ['All is well', '#42', 'count &lt;b&gt; &amp; more', '*#1*', 'Run as task'])
    expect(home()).toContain(words)
  h.slack.user.clickHome('U0ANA', 'cancel:2')
  await eventually(() => expect(h.inbox.acts[0]?.control).toEqual({ verb: 'cancel', taskId: 2, hash: null }))
  await eventually(() => expect(h.slack.world.messages.at(-1)?.channel).toBe('D0ANA'))
  await eventually(() => expect(h.slack.calls('views.publish')).toHaveLength(2))
})

test('App Home of somebody who may not use it says so', async () => {
  await using h = await startHarness()
  h.inbox.refuse = () => 'no'
  h.slack.user.openHome('U0BEN')
  await eventually(() => expect(visibleText(h.slack.world.homes.get('U0BEN'))).toContain('not on the list'))
})

test('buttons that are not ours are acknowledged and ignored', async () => {
  await using h = await startHarness()
  for (const actionId of ['cancel:0', 'launch:42', 'approve:42:zzzz', '::', 'file:x', '']) {
    if (actionId === '') continue
    const { delivery } = h.slack.user.clickEphemeral({ user: 'U0ANA', channel: 'C0BUILDS', actionId })
    expect(isJson(await delivery.acked)).toBe(true)
  }
  expect(h.inbox.acts).toEqual([])
})
