import { afterEach, expect, test } from 'vitest'
import { encodeSpot } from '../../../adapters/discord/place.ts'
import type { Task } from '../../../src/core/task.ts'
import { eventually } from '../../eventually.ts'
import type { FakeChannel, FakeInteraction } from '../../fakes/discord-server-state.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { createHarness, type Harness, type HarnessOptions } from './harness.ts'
import { sampleApproval, sampleCard, sampleRoot } from './samples.ts'

let harness: Harness | undefined

async function begin(options?: HarnessOptions): Promise<Harness & { thread: FakeChannel; task: Task }> {
  harness = await createHarness(options)
  const { server, channel, inbox, ana, guildId } = harness
  const thread = server.addChannel({
    type: 11,
    name: '#42 convert',
    parent_id: channel.id,
    owner_id: server.state.bot.id,
    thread_metadata: { archived: false, locked: false, auto_archive_duration: 1440, archive_timestamp: '' },
  })
  const place = {
    platform: 'discord',
    key: encodeSpot({ kind: 'channel', channelId: thread.id }),
    channelId: channel.id,
    thread: true,
  } as const
  const task = sampleTask({
    id: 42,
    place,
    requester: { platform: 'discord', scope: guildId, userId: ana.id, name: 'Ana' },
  })
  inbox.tasks.set(42, task)
  inbox.logs.set(42, 'line one\n``` closing?\nline three\n')
  inbox.files.set(42, [
    { file: { path: 'out.zip', sizeBytes: 3, mimeType: 'application/zip', modifiedAt: 0 }, bytes: Buffer.from('zip') },
  ])
  return { ...harness, thread, task }
}

afterEach(async () => {
  await harness?.[Symbol.asyncDispose]()
  harness = undefined
})

function seen(interaction: FakeInteraction): string {
  return harness?.server.people.seen(interaction) ?? ''
}

test.each([
  ['cancel', 'cancel'],
  ['retry', 'retry'],
  ['approve', 'approve'],
  ['reject', 'reject'],
] as const)('"/task %s" in the thread of a task needs no id', async (sub, verb) => {
  const { server, inbox, ana, thread } = await begin()
  const interaction = server.people.slash({ user: ana, channelId: thread.id, sub })
  await eventually(() => expect(seen(interaction)).toContain(`Done: ${verb} of task #42`))
  expect(interaction.callback).toMatchObject({ type: 5, data: { flags: 64 } })
  expect(inbox.acts).toMatchObject([
    {
      control: { verb, taskId: 42, hash: null },
      details: { dedupeKey: `discord:${interaction.id}` },
      actor: { channelId: thread.parent_id },
    },
  ])
})

test('outside of a thread a command without an id says that it needs one, and with an id it works', async () => {
  const { server, inbox, ana, channel } = await begin()
  const without = server.people.slash({ user: ana, channelId: channel.id, sub: 'cancel' })
  await eventually(() => expect(seen(without)).toContain('use the option "id"'))
  const withId = server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'cancel',
    options: [{ name: 'id', type: 4, value: 42 }],
  })
  await eventually(() => expect(seen(withId)).toContain('Done: cancel'))
  expect(inbox.acts).toHaveLength(1)
})

test('list, show, logs, refine and help answer privately', async () => {
  const { server, inbox, ana, thread } = await begin()
  const ask = (sub: string, options: Parameters<typeof server.people.slash>[0]['options'] = []) =>
    server.people.slash({ user: ana, channelId: thread.id, sub, options })
  const answers: [FakeInteraction, string][] = [
    [ask('list'), `🕒 **#42** convert all PNGs here to WebP <#${thread.id}>`],
    [ask('show'), 'command 3 of 3'],
    [ask('logs', [{ name: 'lines', type: 4, value: 2 }]), 'ˋˋˋ closing?\nline three'],
    [ask('refine', [{ name: 'text', type: 3, value: 'use quality 80' }]), 'Noted.'],
    [ask('help'), '/task run'],
  ]
  for (const [interaction, words] of answers) {
    await eventually(() => expect(seen(interaction)).toContain(words))
    expect(interaction.ephemeral).toBe(true)
  }
  expect(inbox.refined).toMatchObject([{ taskId: 42, text: 'use quality 80' }])
})

test('an id is completed from the own tasks of whoever types, by number or words', async () => {
  const { server, inbox, ana, ben, channel } = await begin()
  inbox.tasks.set(
    43,
    sampleTask({
      id: 43,
      description: 'x'.repeat(300),
      requester: { platform: 'discord', scope: '', userId: ben.id, name: 'Ben' },
    }),
  )
  const mine = server.people.autocomplete({ user: ana, channelId: channel.id, sub: 'show', value: 'png' })
  await eventually(() =>
    expect(mine.callback?.data.choices).toEqual([{ name: '🕒 #42 convert all PNGs here to WebP', value: 42 }]),
  )
  const other = server.people.autocomplete({ user: ana, channelId: channel.id, sub: 'show', value: '43' })
  await eventually(() => expect(other.callback?.data.choices).toEqual([]))
  const long = server.people.autocomplete({ user: ben, channelId: channel.id, sub: 'show', value: '' })
  await eventually(() => expect(long.callback).toMatchObject({ type: 8, data: { choices: [{ value: 43 }] } }))
})

test('completion answers with nothing rather than too late', async () => {
  const { server, inbox, ana, channel, clock } = await begin()
  const gate = Promise.withResolvers<Awaited<ReturnType<typeof inbox.list>>>()
  inbox.list = () => gate.promise
  const slow = server.people.autocomplete({ user: ana, channelId: channel.id, sub: 'show', value: '' })
  await eventually(() => expect(clock.waiting).toBe(1))
  clock.advance(2000)
  await eventually(() => expect(slow.callback?.data.choices).toEqual([]))
  gate.resolve({ kind: 'page', tasks: [], nextBeforeId: null })
})

test('everything is acknowledged before the inbox is asked, and nothing is done when Discord no longer waits', async () => {
  const { server, inbox, ana, channel, clock } = await begin()
  const gate = Promise.withResolvers<void>()
  server.faults.add({ method: 'POST', path: /callback$/, times: 1, fault: { kind: 'gate', gate: gate.promise } })
  const late = server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'late' }],
  })
  await eventually(() => expect(server.requests.some(({ path }) => path.endsWith('/callback'))).toBe(true))
  expect(inbox.submitted).toEqual([])
  clock.advance(3001)
  gate.resolve()
  await eventually(() => expect(harness?.logged.some((line) => line.includes('could not be acknowledged'))).toBe(true))
  expect(late.callback).toBeNull()
  expect(inbox.submitted).toEqual([])
})

test('an acknowledgement whose answer was lost counts', async () => {
  const { server, inbox, ana, channel } = await begin()
  server.faults.add({
    method: 'POST',
    path: /callback$/,
    times: 1,
    fault: {
      kind: 'answer',
      status: 400,
      body: { code: 40060, message: 'Interaction has already been acknowledged.' },
    },
  })
  server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'go' }],
  })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
})

test('after fifteen minutes the answer goes to the channel, with a mention, and the dead token is not used', async () => {
  const { server, inbox, ana, channel, clock } = await begin()
  const gate = Promise.withResolvers<{ kind: 'full'; sentence: string }>()
  inbox.next.submit.push(() => gate.promise)
  const interaction = server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'go' }],
  })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
  clock.advance(15 * 60_000)
  gate.resolve({ kind: 'full', sentence: 'You have three tasks under way.' })
  await eventually(() => expect(server.messagesIn(channel.id)).toHaveLength(1))
  expect(server.messagesIn(channel.id)[0]).toMatchObject({
    content: `<@${ana.id}> You have three tasks under way.`,
    pinged: [ana.id],
  })
  expect(server.requests.some(({ path }) => path.includes(interaction.token) && path.startsWith('/webhooks'))).toBe(
    false,
  )
})

test('a token that Discord has dropped early is replaced by the channel too', async () => {
  const { server, inbox, ana, channel } = await begin()
  inbox.next.submit.push(() => {
    server.faults.add({
      method: 'PATCH',
      path: /^\/webhooks/,
      times: 1,
      fault: { kind: 'answer', status: 401, body: { code: 50027, message: 'Invalid Webhook Token' } },
    })
    return { kind: 'full', sentence: 'Too many.' }
  })
  server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'go' }],
  })
  await eventually(() => expect(server.messagesIn(channel.id)[0]?.content).toContain('Too many.'))
})

test('buttons that act show their effect on the card; only a refusal is said, privately, and an old card is drawn anew', async () => {
  const { server, inbox, adapter, ana, ben, thread, task } = await begin()
  const place = task.place
  if (place === null) throw new Error('no place')
  const { ref } = await adapter.post(place, sampleCard(), { key: 'card', silent: true })
  const messageId = ref.split('/')[1] ?? ''
  const pressed = server.people.pressLabel({ user: ana, channelId: thread.id, messageId, label: 'Cancel' })
  await eventually(() => expect(inbox.acts).toHaveLength(1))
  expect(pressed.callback).toMatchObject({ type: 6 })
  expect(pressed.replies).toEqual([])
  inbox.next.act.push(() => ({ kind: 'conflict', sentence: 'Task #42 has already ended: done.', task }))
  const stale = server.people.pressLabel({ user: ben, channelId: thread.id, messageId, label: 'Cancel' })
  await eventually(() => expect(seen(stale)).toContain('already ended'))
  expect(stale.replies[0]?.flags).toSatisfy((flags: number) => (flags & 64) !== 0)
  await eventually(() => expect(server.state.messages.get(messageId)?.frames).toHaveLength(1))
})

test('"Full log" and "Files" post in the thread of the task, and go to one person alone elsewhere', async () => {
  const { server, adapter, presenter, ana, thread, task, channel } = await begin()
  const place = task.place
  if (place === null) throw new Error('no place')
  const { ref } = await adapter.post(place, sampleCard(), { key: 'card', silent: true })
  const messageId = ref.split('/')[1] ?? ''
  const log = server.people.press({ user: ana, channelId: thread.id, messageId, customId: 'log:42' })
  await eventually(() => expect(seen(log)).toContain('The log is below.'))
  const files = server.people.press({ user: ana, channelId: thread.id, messageId, customId: 'files:42' })
  await eventually(() => expect(seen(files)).toContain('Files of task #42'))
  const options = JSON.stringify(files.replies[0]?.components)
  expect(options).toContain('All (2)')
  const value = /"label":"out.zip","value":"([^"]+)"/.exec(options)?.[1] ?? ''
  const chosen = server.people.press({
    user: ana,
    channelId: thread.id,
    messageId,
    customId: 'choose:42',
    values: [value],
  })
  await eventually(() => expect(seen(chosen)).toContain('out.zip is below.'))
  expect(presenter.asked).toEqual([`log 42 ${place.key}`, `file 42 out.zip ${place.key}`])
  const elsewhere = server.people.press({
    user: ana,
    channelId: channel.id,
    messageId,
    customId: 'choose:42',
    values: [value],
  })
  await eventually(() =>
    expect(elsewhere.replies.some((reply) => reply.attachments[0]?.bytes.toString() === 'zip')).toBe(true),
  )
  expect(elsewhere.replies.every((reply) => (reply.flags & 64) !== 0)).toBe(true)
  expect(presenter.asked).toHaveLength(2)
  expect(server.messagesIn(channel.id)).toEqual([])
})

test('a task from elsewhere is shown only to who may, and only to them', async () => {
  const { server, inbox, ana, ben, channel } = await begin()
  inbox.tasks.set(7, sampleTask({ id: 7, place: { platform: 'slack', key: 'C1', channelId: 'C1', thread: true } }))
  inbox.logs.set(7, 'from slack\n')
  inbox.refuse = (actor, _action, taskId) =>
    taskId === 7 && actor.userId === ben.id ? 'Task #7 is not one that you can see.' : null
  const mine = server.people.press({ user: ana, channelId: channel.id, messageId: '1', customId: 'log:7' })
  await eventually(() =>
    expect(mine.replies.some((reply) => reply.attachments[0]?.bytes.toString() === 'from slack\n')).toBe(true),
  )
  const theirs = server.people.slash({
    user: ben,
    channelId: channel.id,
    sub: 'show',
    options: [{ name: 'id', type: 4, value: 7 }],
  })
  await eventually(() => expect(seen(theirs)).toContain('not one that you can see'))
  expect(theirs.replies[0]?.flags).toSatisfy((flags: number) => (flags & 64) !== 0)
})

test('reject asks for a reason in a form that is the first answer, and the reason reaches the inbox', async () => {
  const { server, inbox, adapter, ana, thread, task } = await begin()
  if (task.place === null) throw new Error('no place')
  const { ref } = await adapter.post(task.place, sampleApproval(), { key: 'approval', silent: false })
  const messageId = ref.split('/')[1] ?? ''
  const pressed = server.people.pressLabel({ user: ana, channelId: thread.id, messageId, label: 'Reject' })
  await eventually(() => expect(pressed.callback?.type).toBe(9))
  expect(inbox.acts).toEqual([])
  const form = server.people.submitModal({
    user: ana,
    channelId: thread.id,
    customId: String(pressed.callback?.data.custom_id),
    fields: { field0: 'too much' },
    messageId,
  })
  await eventually(() => expect(seen(form)).toContain('Done: reject'))
  expect(inbox.acts).toMatchObject([
    { control: { verb: 'reject', taskId: 42, hash: '7f3a9c01' }, details: { note: 'too much' } },
  ])
})

test('edit opens a form with the commands of the plan, one to a line, and sends back what was changed', async () => {
  const { server, inbox, ana, thread, task } = await begin()
  inbox.tasks.set(42, withCommands(task, ['ls -l', 'wc -l *']))
  const pressed = server.people.press({ user: ana, channelId: thread.id, messageId: '1', customId: 'edit:42:7f3a9c01' })
  await eventually(() => expect(pressed.callback?.type).toBe(9))
  expect(JSON.stringify(pressed.callback?.data)).toContain('ls -l\\nwc -l *')
  const form = server.people.submitModal({
    user: ana,
    channelId: thread.id,
    customId: 'edit:42:7f3a9c01',
    fields: { field0: 'ls -la\n\nwc -l *.txt\n' },
  })
  await eventually(() => expect(seen(form)).toContain('Done: edit'))
  expect(inbox.acts[0]?.details?.commands).toEqual(['ls -la', 'wc -l *.txt'])
})

test('a plan with a command of several lines gets a field for each command, and one that does not fit says so', async () => {
  const { server, inbox, ana, thread, task } = await begin()
  inbox.tasks.set(42, withCommands(task, ['cat <<EOF\na\nEOF', 'ls']))
  const press = () =>
    server.people.press({ user: ana, channelId: thread.id, messageId: '1', customId: 'edit:42:7f3a9c01' })
  const several = press()
  await eventually(() => expect(several.callback?.data.components).toHaveLength(3))
  const form = server.people.submitModal({
    user: ana,
    channelId: thread.id,
    customId: 'edit:42:7f3a9c01',
    fields: { field0: 'cat <<EOF\nb\nEOF', field1: 'ls' },
  })
  await eventually(() => expect(seen(form)).toContain('Done: edit'))
  expect(inbox.acts[0]?.details?.commands).toEqual(['cat <<EOF\nb\nEOF', 'ls'])
  inbox.tasks.set(42, withCommands(task, ['x'.repeat(5000)]))
  const tooLong = press()
  await eventually(() => expect(seen(tooLong)).toContain('does not fit'))
})

test('a plan of one command with several lines stays one command', async () => {
  const { server, inbox, ana, thread, task } = await begin()
  inbox.tasks.set(42, withCommands(task, ['cat <<EOF\na\nEOF']))
  const pressed = server.people.press({ user: ana, channelId: thread.id, messageId: '1', customId: 'edit:42:7f3a9c01' })
  await eventually(() => expect(pressed.callback?.data.components).toHaveLength(2))
  server.people.submitModal({
    user: ana,
    channelId: thread.id,
    customId: 'edit:42:7f3a9c01',
    fields: { field0: 'cat <<EOF\na\nb\nEOF', field1: '' },
  })
  await eventually(() => expect(inbox.acts[0]?.details?.commands).toEqual(['cat <<EOF\na\nb\nEOF']))
})

test('edit gives up in time when the store is slow', async () => {
  const { server, inbox, ana, thread, clock } = await begin()
  inbox.get = () => new Promise(() => undefined)
  const pressed = server.people.press({ user: ana, channelId: thread.id, messageId: '1', customId: 'edit:42:7f3a9c01' })
  await eventually(() => expect(clock.waiting).toBe(1))
  clock.advance(2000)
  await eventually(() => expect(seen(pressed)).toContain('Press the button again'))
})

test('ids that are not ours, from old versions or made up, are answered and do nothing', async () => {
  const { server, inbox, ana, thread } = await begin()
  for (const customId of ['nonsense', 'cancel:', 'cancel:-1', 'drop:42', 'cancel:42:xyz', 'x'.repeat(100)]) {
    const pressed = server.people.press({ user: ana, channelId: thread.id, messageId: '1', customId })
    await eventually(() => expect(seen(pressed)).toContain('I do not know this one'))
  }
  expect(inbox.acts).toEqual([])
})

test('where the bot may not post, the person who asked is told why and can have it tried again', async () => {
  const { server, inbox, adapter, presenter, ana, channel } = await begin()
  server.state.denied.set(channel.id, new Set(['SEND_MESSAGES']))
  const interaction = server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'go' }],
  })
  await eventually(() => expect(seen(interaction)).toContain('created'))
  const place = inbox.submitted[0]?.place
  if (!place) throw new Error('no place')
  await expect(adapter.post(place, sampleRoot(), { key: 'root', silent: true })).rejects.toMatchObject({
    code: 'forbidden',
  })
  await eventually(() => expect(seen(interaction)).toContain('"Send Messages"'))
  const again = server.people.press({ user: ana, channelId: channel.id, messageId: '1', customId: 'redeliver:42' })
  await eventually(() => expect(seen(again)).toContain('Trying again.'))
  expect(presenter.asked).toContain('redeliver 42')
  server.state.denied.clear()
  await adapter.post(place, sampleRoot(), { key: 'root', silent: true })
  await eventually(() => expect(seen(interaction)).toContain('Your task is in <#'))
})

function withCommands(task: Task, commands: string[]): Task {
  return sampleTask({
    ...task,
    rounds: [
      {
        number: 1,
        plan: { commands, summary: 's', network: null },
        author: { kind: 'verbatim' },
        verdict: { decision: 'ask', reasons: [], steps: [] },
        hash: '7f3a9c01',
        repairOf: null,
        steps: [],
        plannedAt: 0,
      },
    ],
  })
}
