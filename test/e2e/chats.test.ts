/** Slack and Discord by the real program: real clients, store, sandbox and worker, and a model server that speaks Ollama's protocol. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import {
  ANA,
  BEN,
  createChatWorld,
  discordMessages,
  discordWords,
  inSlack,
  inThread,
  slackButton,
  slackMessages,
  slackWords,
} from './chat-world.ts'
import { run } from './program.ts'

test('Slack: a mention with a file is planned, run, told in one card and one result, and its outputs come along', async () => {
  await using world = await createChatWorld({
    'sort this': { commands: ['sort inputs/data.csv > sorted.csv', 'cat sorted.csv'] },
    'other way': { commands: ['sort -r sorted.csv > reversed.csv'] },
  })
  await world.start()
  const said = world.slack.user.say({
    ...ANA,
    text: '<@U0BOT> sort this',
    files: [{ name: 'data.csv', bytes: Buffer.from('b\na\n'), mimetype: 'text/csv' }],
  })
  world.slack.user.sayAgain(ANA.channel, said.ts)
  await eventually(() => inSlack(world, '[sorted.csv]'))
  const result = inSlack(world, 'Task #1 done')
  expect(slackWords(result)).toContain('It worked.')
  await eventually(() => expect(slackWords(inSlack(world, 'Done in'))).toContain('sort inputs/data.csv'))
  expect(slackMessages(world).every((message) => message.threadTs === said.ts)).toBe(true)
  expect(slackMessages(world)).toHaveLength(3)

  const reply = world.slack.user.say({ ...ANA, text: 'now the other way', threadTs: said.ts })
  await eventually(() => inSlack(world, '[reversed.csv]'))
  await eventually(() => expect(slackWords(inSlack(world, 'Continued in #2'))).toContain('Done in'))
  const replied = world.slack.world.messages.find((message) => message.ts === reply.ts)
  await eventually(() => expect(replied?.reactions.map(({ name }) => name)).toEqual(['memo']))
  // Somebody else's talk is no order.
  world.slack.user.say({ ...BEN, text: 'nice, the other way indeed', threadTs: said.ts })

  world.slack.user.click({ ...ANA, ts: result.ts, actionId: slackButton(result, 'Full log') })
  const log = await eventually(() => inSlack(world, '[task-1.log]'))
  expect(log.files[0]?.bytes.toString()).toContain('a\nb\n')
  expect((await run(world.home, ['list', '--json'])).stdout.match(/"parent_id":/g)).toHaveLength(2)
})

test('Slack: a plan that asks is edited in a form, approved by an approver, and the commands as edited run', async () => {
  await using world = await createChatWorld({
    'fetch the page': { commands: ['curl -sf https://example.com/page'], network: true },
  })
  await world.start()
  world.slack.user.say({ ...ANA, text: '<@U0BOT> fetch the page' })
  const approval = await eventually(() => {
    const called = slackMessages(world).find((message) => message.text.includes('<@U0BEN>'))
    return called ?? expect.fail('nobody is called')
  })
  expect(slackWords(approval)).toContain('curl -sf https://example.com/page')
  world.slack.user.click({ ...ANA, ts: approval.ts, actionId: slackButton(approval, 'Approve') })
  await eventually(() => {
    const told = [...world.slack.world.responseUrls.values()].flatMap(({ uses }) => uses)
    expect(JSON.stringify(told)).toContain('Only an approver')
  })
  world.slack.user.click({ ...BEN, ts: approval.ts, actionId: slackButton(approval, 'Edit plan') })
  const form = await eventually(() => {
    return [...world.slack.world.views.values()].find((view) => view.open)?.id ?? expect.fail('no form')
  })
  await world.slack.user.submitModal(BEN.user, form, { 'command-0': 'echo from the edited plan' }).acked
  await eventually(() => expect(slackWords(approval)).toContain('echo from the edited plan'))
  world.slack.user.click({ ...BEN, ts: approval.ts, actionId: slackButton(approval, 'Approve') })
  await eventually(() => inSlack(world, 'Task #1 done'))
  await eventually(() => expect(slackWords(approval)).toContain('Approved by ben'))
  // What it was edited to needs none.
  expect(slackWords(approval)).not.toContain('the network')
  expect((await run(world.home, ['logs', '1'])).stdout).toContain('from the edited plan')
})

test('Slack: /task and its private answers, App Home, and "Run as task" on a message of somebody else', async () => {
  await using world = await createChatWorld({ 'say hello': { commands: ['echo hello > hello.txt'] } })
  await world.start()
  const { user, world: slack } = world.slack
  const answer = async (text: string) => {
    const { responseUrl } = user.command({ ...ANA, text })
    return eventually(() => {
      const uses = slack.responseUrls.get(responseUrl)?.uses ?? []
      expect(uses.length).toBeGreaterThan(0)
      expect(uses.every((use) => use.response_type === 'ephemeral')).toBe(true)
      return JSON.stringify(uses.at(-1))
    })
  }
  expect(await answer('say hello')).toContain('Task #1')
  await eventually(() => inSlack(world, '[hello.txt]'))
  expect(await answer('list')).toContain('say hello')
  expect(await answer('status 1')).toContain('Done in')
  expect(await answer('files 1')).toContain('hello.txt')
  expect(await answer('cancel 1')).toContain('already ended')
  expect(await answer('log 99')).toContain('no task #99')
  expect(await answer('help')).toContain('/task')
  expect(await answer('retry 1')).toContain('Task #2')
  await eventually(() => inSlack(world, 'Task #2 done'))

  user.openHome(ANA.user)
  await eventually(() => expect(JSON.stringify(slack.homes.get(ANA.user))).toContain('say hello'))
  user.clickHome(ANA.user, 'retry:2')
  await eventually(() => inSlack(world, 'Task #3 done'))

  const idea = user.say({ ...BEN, text: 'somebody should say hello' })
  user.messageShortcut(ANA.user, ANA.channel, idea.ts, 'run_as_task')
  const form = await eventually(() => [...slack.views.values()].find((view) => view.open)?.id ?? expect.fail('no form'))
  await user.submitModal(ANA.user, form, {}).acked
  const result = await eventually(() => inSlack(world, 'Task #4 done'))
  expect(result.threadTs).toBe(idea.ts)
})

test('Slack: killed while a command runs, it says so after the restart, resumes on demand, and nothing is there twice', async () => {
  await using world = await createChatWorld({
    'wait for it': { commands: ['echo begun > first.txt', 'until [ -e go ]; do sleep 0.1; done; cat first.txt'] },
    'say hello': { commands: ['echo hello'] },
  })
  await world.start()
  const said = world.slack.user.say({ ...ANA, text: '<@U0BOT> wait for it' })
  await eventually(() => inSlack(world, 'command 2 of 2'))
  // Killed with an answer on its way: the message is there, and the program does not know it.
  world.slack.faults.next('chat.postMessage', { kind: 'lost_answer' })
  const second = world.slack.user.say({ ...ANA, text: '<@U0BOT> say hello' })
  await eventually(() => expect(slackMessages(world).some(({ threadTs }) => threadTs === second.ts)).toBe(true))
  await eventually(async () =>
    expect((await run(world.home, ['show', '2', '--json'])).stdout).toContain('"status":"done"'),
  )
  await world.kill()
  await world.start()
  const result = await eventually(() => inSlack(world, 'was interrupted'))
  await eventually(() => inSlack(world, 'Task #2 done'))
  expect(result.threadTs).toBe(said.ts)
  world.slack.user.click({ ...ANA, ts: result.ts, actionId: slackButton(result, 'Resume from 2') })
  await eventually(() => expect(slackWords(inSlack(world, 'Continued in #3'))).toContain('Interrupted'))
  await eventually(() => {
    const card = slackMessages(world).findLast(({ threadTs }) => threadTs === said.ts)
    expect(card === undefined ? '' : slackWords(card)).toContain('Running')
  })
  await writeFile(join(world.home.folder, 'tasks', 'task-3', 'work', 'go'), '')
  await eventually(() => inSlack(world, 'Task #3 done'))
  expect((await run(world.home, ['logs', '3'])).stdout).toContain('begun')
  const keys = slackMessages(world).map((message) => JSON.stringify(message.metadata?.event_payload ?? message.ts))
  expect(new Set(keys).size).toBe(keys.length)
})

test('a task asked for in Slack is followed, cancelled and retried from the CLI and the API, and shown in Discord to admins only', async () => {
  await using world = await createChatWorld({ 'count for long': { commands: ['echo counting; sleep 1000'] } })
  await world.start()
  const said = world.slack.user.say({ ...ANA, text: '<@U0BOT> count for long' })
  await eventually(() => inSlack(world, 'counting'))
  const log = await (await fetch(`${world.api}/tasks/1/logs?lines=20`)).text()
  expect(log).toContain('counting')
  expect((await run(world.home, ['show', '1'])).stdout).toContain('count for long')
  expect((await run(world.home, ['cancel', '1'])).code).toBe(0)
  const card = await eventually(() => inSlack(world, 'Cancelled by'))
  expect(card.threadTs).toBe(said.ts)

  const retried = await fetch(`${world.api}/tasks/1/retry`, { method: 'POST' })
  expect(retried.status).toBeLessThan(300)
  await eventually(() => expect(slackWords(inSlack(world, 'Continued in #2'))).toContain('Cancelled by'))
  await eventually(() => expect(slackWords(inSlack(world, '▶'))).toContain('Running'))

  const { people } = world.discord.server
  const where = { channelId: world.discord.channel.id, sub: 'show', options: [{ name: 'id', type: 4, value: 2 }] }
  const admin = people.slash({ ...where, user: world.discord.boss })
  await eventually(() => expect(people.seen(admin)).toContain('Running'))
  const refused = people.slash({ ...where, user: world.discord.ana })
  await eventually(() => expect(people.seen(refused)).not.toBe(''))
  expect(people.seen(refused)).not.toMatch(/count|Running/)
  expect(discordMessages(world, world.discord.channel.id).map(discordWords)).toEqual([])

  expect((await fetch(`${world.api}/tasks/2/cancel`, { method: 'POST' })).status).toBeLessThan(300)
  await eventually(() =>
    expect(slackMessages(world).filter((message) => slackWords(message).includes('Cancelled by'))).toHaveLength(2),
  )
  expect(slackMessages(world).filter(({ threadTs }) => threadTs === said.ts)).toHaveLength(2)
})

test('Discord: a mention with a file becomes a thread; a reply refines in it, a slash command cancels, the menu makes a task', async () => {
  await using world = await createChatWorld({
    'sort this': { commands: ['sort inputs/list.txt > sorted.txt'] },
    'wait for long': { commands: ['cat sorted.txt; sleep 1000'] },
    'say hello': { commands: ['echo hello'] },
  })
  await world.start()
  const { server, channel, ana } = world.discord
  const { people } = server
  const said = people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> sort this`,
    files: [{ name: 'list.txt', bytes: Buffer.from('b\na\n') }],
  })
  const upload = await eventually(() => inThread(world, said.id, '[sorted.txt]'))
  expect(upload.attachments[0]?.bytes.toString()).toBe('a\nb\n')
  expect(inThread(world, said.id, 'Task #1 done')).toMatchObject({ silent: false, pinged: [] })
  await eventually(() => expect(inThread(world, said.id, 'Done in').silent).toBe(true))

  people.say({ user: ana, channelId: said.id, content: 'and now wait for long' })
  const card = await eventually(() => inThread(world, said.id, '· #2'))
  await eventually(() => expect(discordWords(card)).toContain('last output'))
  const typed = people.autocomplete({ user: ana, channelId: said.id, sub: 'cancel', value: 'wait' })
  await eventually(() => expect(JSON.stringify(typed.callback?.data)).toContain('#2'))
  people.slash({ user: ana, channelId: said.id, sub: 'cancel' })
  await eventually(() => expect(discordWords(card)).toContain('Cancelled by Ana'))
  await eventually(() => inThread(world, said.id, 'Continued in #2'))

  const idea = people.say({ user: world.discord.boss, channelId: channel.id, content: 'somebody say hello' })
  const menu = people.menu({ user: ana, channelId: channel.id, command: 'Run as task', messageId: idea.id })
  await eventually(() => expect(menu.callback?.type).toBe(9))
  const customId = String(menu.callback?.data.custom_id)
  people.submitModal({ user: ana, channelId: channel.id, customId, fields: { field0: 'say hello' } })
  await eventually(() => {
    const thread = server.threads().find(({ name }) => name.includes('#3'))
    inThread(world, thread?.id ?? '', 'Task #3 done')
  })
})

test('Discord: a plan that asks is edited in a form and approved; killed meanwhile, its buttons work after the restart', async () => {
  await using world = await createChatWorld({
    'fetch the page': { commands: ['curl -sf https://example.com/page'], network: true },
  })
  await world.start()
  const { server, channel, ana } = world.discord
  const { people } = server
  const asked = people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'fetch the page' }],
  })
  await eventually(() => expect(people.seen(asked)).toMatch(/<#\d+>/))
  const threadId = server.threads()[0]?.id ?? expect.fail('no thread')
  const approval = await eventually(() => inThread(world, threadId, 'needs approval'))
  expect(approval).toMatchObject({ silent: false, pinged: [ana.id] })
  await world.kill()
  await world.start()
  const where = { user: ana, channelId: threadId, messageId: approval.id }
  const edit = people.pressLabel({ ...where, label: 'Edit plan' })
  await eventually(() => expect(edit.callback?.type).toBe(9))
  const customId = String(edit.callback?.data.custom_id)
  people.submitModal({ ...where, customId, fields: { field0: 'echo from the edited plan' } })
  await eventually(() => expect(discordWords(approval)).toContain('echo from the edited plan'))
  people.pressLabel({ ...where, label: 'Approve' })
  await eventually(() => inThread(world, threadId, 'Task #1 done'))
  await eventually(() => expect(discordWords(approval)).toContain('Approved by Ana'))
  await eventually(() => inThread(world, threadId, 'Done in'))
  expect(discordMessages(world, threadId)).toHaveLength(3)
  expect((await run(world.home, ['logs', '1'])).stdout).toContain('from the edited plan')
})

test('Discord is away while a command ends and the program dies: back again, all of it is told once, in order', async () => {
  await using world = await createChatWorld({
    'wait for it': { commands: ['echo begun; until [ -e go ]; do sleep 0.1; done; echo over'] },
  })
  await world.start()
  const { server, channel, ana } = world.discord
  const said = server.people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> wait for it`,
  })
  await eventually(() => inThread(world, said.id, 'begun'))
  await server.down()
  await writeFile(join(world.home.folder, 'tasks', 'task-1', 'work', 'go'), '')
  await eventually(async () => expect((await run(world.home, ['show', '1', '--json'])).stdout).toContain('"done"'), 300)
  await world.kill()
  const screen = await (await world.start()).printed('Discord')
  expect(screen).toMatch(/✖ Discord +Discord cannot be reached .* Trying again\./)
  expect((await fetch(`${world.api}/readyz`)).status).toBe(503)
  expect((await run(world.home, ['doctor'])).stdout).toMatch(/not connected: discord/)
  await server.up()
  await eventually(() => inThread(world, said.id, 'Task #1 done'))
  await eventually(async () => expect((await fetch(`${world.api}/readyz`)).status).toBe(200))
  await eventually(() =>
    expect(discordMessages(world, said.id).map((message) => discordWords(message).split('\n')[0])).toEqual([
      expect.stringContaining('Done in'),
      expect.stringContaining('Task #1 done'),
    ]),
  )
})
