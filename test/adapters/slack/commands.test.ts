import { expect, test } from 'vitest'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { buttonsOf, visibleText } from '../../fakes/slack-server-state.ts'
import { type Harness, startHarness } from './harness.ts'
import { sampleCard, sampleRoot } from './views.ts'

/** Types `/task …` and answers the text of the last private answer. */
async function command(h: Harness, text: string, answers = 1): Promise<string> {
  const { delivery, responseUrl } = h.slack.user.command({ user: 'U0ANA', channel: 'C0BUILDS', text })
  await delivery.acked
  const uses = () => h.slack.world.responseUrls.get(responseUrl)?.uses ?? []
  await eventually(() => expect(uses().length).toBeGreaterThanOrEqual(answers))
  for (const use of uses()) expect(use.response_type).toBe('ephemeral')
  return visibleText(uses().at(-1)?.blocks)
}

test('once the thread is there, the private answer has the link to it', async () => {
  await using h = await startHarness()
  const { responseUrl } = h.slack.user.command({ user: 'U0ANA', channel: 'C0BUILDS', text: 'make a file' })
  const uses = () => h.slack.world.responseUrls.get(responseUrl)?.uses ?? []
  await eventually(() => expect(uses()).toHaveLength(1))
  const place = h.inbox.submitted[0]?.place
  if (place === null || place === undefined) throw new Error('no place')
  await h.adapter.post(place, sampleRoot({ taskId: 1 }), { key: '1:root', silent: true })
  await eventually(() => expect(uses()).toHaveLength(2))
  expect(uses()[1]?.replace_original).toBe(true)
  const ts = h.slack.world.messages[0]?.ts.replace('.', '')
  expect(visibleText(uses()[1]?.blocks)).toContain(`/archives/C0BUILDS/p${ts}|Open the thread>`)
})

test('where it is no member the answer says how to invite it, with a button that joins; the task goes on directly', async () => {
  await using h = await startHarness()
  const { responseUrl } = h.slack.user.command({ user: 'U0ANA', channel: 'C0RANDOM', text: 'make a file' })
  const uses = () => h.slack.world.responseUrls.get(responseUrl)?.uses ?? []
  await eventually(() => expect(uses()).toHaveLength(1))
  const place = h.inbox.submitted[0]?.place
  if (place === null || place === undefined) throw new Error('no place')
  await h.adapter.post(place, sampleRoot({ taskId: 1 }), { key: '1:root', silent: true })
  await eventually(() => expect(uses()).toHaveLength(2))
  expect(visibleText(uses()[1]?.blocks)).toContain('/invite @assistant')
  expect(buttonsOf(uses()[1]?.blocks).map((button) => button.actionId)).toEqual(['join-channel'])
  h.slack.user.clickEphemeral({ user: 'U0ANA', channel: 'C0RANDOM', actionId: 'join-channel' })
  await eventually(() => expect(h.slack.world.channels.get('C0RANDOM')?.members.has('U0BOT')).toBe(true))
})

test('a private channel cannot be joined: the button says what to type', async () => {
  await using h = await startHarness()
  const { responseUrl } = h.slack.user.clickEphemeral({ user: 'U0ANA', channel: 'G0SECRET', actionId: 'join-channel' })
  const uses = () => h.slack.world.responseUrls.get(responseUrl)?.uses ?? []
  await eventually(() => expect(visibleText(uses()[0]?.blocks)).toContain('/invite @assistant'))
})

test('a refused task is said privately', async () => {
  await using h = await startHarness()
  h.inbox.refuse = () => 'You are not on the list of people who may use the assistant here.'
  expect(await command(h, 'make a file')).toContain('You are not on the list')
  expect(h.inbox.tasks.size).toBe(0)
})

test('the same command delivered again is the same task', async () => {
  await using h = await startHarness()
  const { delivery } = h.slack.user.command({ user: 'U0ANA', channel: 'C0BUILDS', text: 'make a file' })
  delivery.redeliver()
  await eventually(() => expect(h.inbox.submitted).toHaveLength(2))
  expect(h.inbox.tasks.size).toBe(1)
})

test('help, and nothing at all, explain how to use it', async () => {
  await using h = await startHarness()
  expect(await command(h, 'help')).toContain('Ask for work in plain words')
  expect(await command(h, '')).toContain('Run as task')
  expect(h.inbox.submitted).toHaveLength(0)
})

test('list shows the asker’s own tasks with icon and number', async () => {
  await using h = await startHarness()
  expect(await command(h, 'list')).toContain('You have no tasks yet')
  const requester = { platform: 'slack', scope: 'T0TEAM', userId: 'U0ANA', name: 'ana' } as const
  h.inbox.tasks.set(7, sampleTask({ id: 7, requester, description: 'count <b> tags' }))
  expect(await command(h, 'list')).toContain('🕒 *#7* count &lt;b&gt; tags')
})

test('status, log and files of a task are shown privately', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(
    7,
    sampleTask({
      id: 7,
      place: { platform: 'slack', key: 'T0TEAM/C0BUILDS/1.2', channelId: 'C0BUILDS', thread: true },
    }),
  )
  h.presenter.cards.set(7, sampleCard({ taskId: 7 }))
  expect(await command(h, 'status 7')).toContain('command 3 of 3')
  expect(await command(h, 'files #7')).toContain('Task #7 has no files.')
  h.presenter.listed = Array.from({ length: 40 }, (_, index) => ({
    path: `out/${index}<&>.txt`,
    sizeBytes: 1000 + index,
  }))
  expect(await command(h, 'files 7')).toContain('… 30 more')
  expect(await command(h, 'log 7')).toContain('The log of task #7')
  expect(h.presenter.asked).toEqual(['log 7 T0TEAM/C0BUILDS/1.2'])
})

test('a task that may not be seen is not shown, whatever is asked', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(7, sampleTask({ id: 7 }))
  h.inbox.refuse = (_actor, action) => (action === 'view' ? 'Task #7 is not one that you can see.' : null)
  for (const text of ['status 7', 'log 7', 'files 7'])
    expect(await command(h, text)).toContain('not one that you can see')
  expect(h.presenter.asked).toEqual([])
})

test.each([
  ['cancel 7', 'cancel', ''],
  ['Retry #7', 'retry', ''],
  ['approve 7', 'approve', ''],
  ['reject 7 too risky\nfor now', 'reject', 'too risky\nfor now'],
] as const)('"%s" acts on that task', async (text, verb, note) => {
  await using h = await startHarness()
  h.inbox.tasks.set(7, sampleTask({ id: 7 }))
  expect(await command(h, text)).toContain(`Done: ${verb} of task #7.`)
  expect(h.inbox.acts[0]).toMatchObject({ control: { verb, taskId: 7, hash: null }, details: { note } })
})

test.each(['cancel', 'status', 'reject'])('"%s" without a number asks which task', async (text) => {
  await using h = await startHarness()
  expect(await command(h, text)).toContain(`/task ${text} 42`)
  expect(h.inbox.submitted).toHaveLength(0)
})

test.each(['cancel 3 of my meetings', 'status of the build', 'list all files', 'log 7 lines of /etc/motd'])(
  'work that only begins like a command is work: "%s"',
  async (text) => {
    await using h = await startHarness()
    await command(h, text)
    expect(h.inbox.submitted[0]?.text).toBe(text)
  },
)

test('after a mention or in a direct message the same commands work', async () => {
  await using h = await startHarness()
  h.inbox.tasks.set(7, sampleTask({ id: 7 }))
  h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> cancel 7' })
  await eventually(() => expect(h.inbox.acts).toHaveLength(1))
  h.slack.user.dm('U0ANA', 'help')
  await eventually(() => expect(JSON.stringify(h.slack.world.ephemerals.at(-1))).toContain('Run as task'))
  expect(h.inbox.submitted).toHaveLength(0)
})

test('when the response URL has run out the answer comes as an ephemeral message', async () => {
  await using h = await startHarness()
  h.slack.faults.next('response_url', { kind: 'status', status: 404 })
  h.slack.user.command({ user: 'U0ANA', channel: 'C0BUILDS', text: 'help' })
  await eventually(() => expect(JSON.stringify(h.slack.world.ephemerals)).toContain('Run as task'))
})
