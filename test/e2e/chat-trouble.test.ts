/** Slack and Discord in trouble, by the real program: what the person in the thread sees, and what the operator sees. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { rateLimited } from '../fakes/discord-server-faults.ts'
import {
  ANA,
  type ChatWorld,
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

const PLANS = {
  'wait for it': { commands: ['echo begun; until [ -e go ]; do sleep 0.1; done; echo over > over.txt'] },
}

async function letGo(world: ChatWorld, taskId: number): Promise<void> {
  await writeFile(join(world.home.folder, 'tasks', `task-${taskId}`, 'work', 'go'), '')
}

function ready(world: ChatWorld, status: number): Promise<unknown> {
  return eventually(async () => expect((await fetch(`${world.api}/readyz`)).status).toBe(status))
}

async function ended(world: ChatWorld, taskId: number): Promise<void> {
  await eventually(
    async () => expect((await run(world.home, ['show', String(taskId), '--json'])).stdout).toContain('"done"'),
    300,
  )
}

test('Slack: a deleted card is there again; a revoked token is red and loud and stops no task; the upload can be tried again', async () => {
  await using world = await createChatWorld(PLANS)
  const program = await world.start()
  const { slack } = world
  const said = slack.user.say({ ...ANA, text: '<@U0BOT> wait for it' })
  const card = await eventually(() => inSlack(world, 'begun'))
  slack.world.messages.splice(slack.world.messages.indexOf(card), 1)
  await eventually(() => expect(inSlack(world, 'Running')).not.toBe(card))

  slack.world.bot.revoked = true
  await letGo(world, 1)
  await program.printed('The Slack token was revoked: reinstall the app and set SLACK_BOT_TOKEN anew.')
  await ready(world, 503)
  await ended(world, 1)
  slack.faults.next('files.getUploadURLExternal', {
    kind: 'error',
    error: 'missing_scope',
    more: { needed: 'files:write' },
  })
  slack.world.bot.revoked = false
  await eventually(() => inSlack(world, 'Task #1 done'))
  await ready(world, 200)
  const notice = await eventually(() => inSlack(world, 'could not be uploaded'))
  expect(slackWords(notice)).toContain('lacks the scope files:write')
  slack.user.click({ ...ANA, ts: notice.ts, actionId: slackButton(notice, 'Retry upload') })
  await eventually(() => inSlack(world, '[over.txt]'))
  await eventually(() => expect(slackWords(notice)).toContain('are uploaded now'))
  expect(slackMessages(world).map(({ threadTs }) => threadTs)).toEqual(Array(4).fill(said.ts))
})

test('Slack: asked to slow down, with errors on HTTP 200 and with lost answers, it tells everything once and in order', async () => {
  await using world = await createChatWorld(PLANS)
  await world.start()
  const { slack } = world
  const limited = { kind: 'rate_limited', retryAfterS: 1 } as const
  slack.faults.next('chat.postMessage', limited, { kind: 'lost_answer' })
  slack.faults.next('reactions.add', limited)
  const said = slack.user.say({ ...ANA, text: '<@U0BOT> wait for it' })
  await eventually(() => inSlack(world, 'begun'))
  slack.faults.next(
    'chat.update',
    { kind: 'error', error: 'internal_error' },
    { kind: 'error', error: 'invalid_blocks' },
  )
  slack.faults.next('files.completeUploadExternal', { kind: 'lost_answer' })
  await letGo(world, 1)
  await eventually(() => inSlack(world, '[over.txt]'))
  await eventually(() => inSlack(world, 'Done in'))
  const words = slackMessages(world).map((message) => slackWords(message))
  expect(words).toEqual([
    expect.stringContaining('Done in'),
    expect.stringContaining('Task #1 done'),
    expect.stringContaining('[over.txt]'),
  ])
  expect(slackMessages(world).every(({ threadTs }) => threadTs === said.ts)).toBe(true)
})

test('Slack: a deleted thread ends the telling, not the task; doctor names it', async () => {
  await using world = await createChatWorld(PLANS)
  await world.start()
  world.slack.user.say({ ...ANA, text: '<@U0BOT> wait for it' })
  await eventually(() => inSlack(world, 'begun'))
  world.slack.world.messages.splice(0)
  await letGo(world, 1)
  await ended(world, 1)
  await eventually(
    async () => expect((await run(world.home, ['doctor'])).stdout).toContain('The thread has been deleted'),
    500,
  )
  expect(slackMessages(world)).toEqual([])
})

test('Discord: a deleted card is there again, asked to slow down all is told once, and the upload can be tried again', async () => {
  await using world = await createChatWorld(PLANS)
  await world.start()
  const { server, channel, ana } = world.discord
  const content = `<@${server.state.bot.id}> wait for it`
  const said = server.people.say({ user: ana, channelId: channel.id, content })
  const card = await eventually(() => inThread(world, said.id, 'begun'))
  server.state.messages.delete(card.id)
  await eventually(() => expect(inThread(world, said.id, 'Running')).not.toBe(card))

  const path = new RegExp(`^/channels/${said.id}/messages`)
  server.faults.add({ method: 'PATCH', path, times: 1, fault: rateLimited(1, 'route') })
  server.faults.add({ method: 'POST', path, times: 1, fault: { kind: 'lost' } })
  server.state.denied.set(channel.id, new Set(['ATTACH_FILES']))
  await letGo(world, 1)
  const notice = await eventually(() => inThread(world, said.id, 'could not be uploaded'))
  expect(discordWords(notice)).toContain('"Attach Files"')
  server.state.denied.clear()
  server.people.pressLabel({ user: ana, channelId: said.id, messageId: notice.id, label: 'Retry upload' })
  await eventually(() => inThread(world, said.id, '[over.txt]'))
  await eventually(() => expect(discordWords(notice)).toContain('are uploaded now'))
  await eventually(() => inThread(world, said.id, 'Done in'))
  expect(discordMessages(world, said.id)).toHaveLength(4)
})

test('Discord: where the bot may not post, who asked is told what is missing and has it tried again', async () => {
  await using world = await createChatWorld({ 'say hello': { commands: ['echo hello'] } })
  await world.start()
  const { server, channel, ana } = world.discord
  server.state.denied.set(channel.id, new Set(['SEND_MESSAGES']))
  const asked = server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'say hello' }],
  })
  await eventually(() => expect(server.people.seen(asked)).toContain('"Send Messages"'))
  await ended(world, 1)
  server.state.denied.clear()
  const reply = asked.replies.at(-1) ?? expect.fail('no answer')
  expect(JSON.stringify(reply.components)).toContain('"Try again"')
  server.people.press({ user: ana, channelId: channel.id, messageId: reply.id, customId: 'redeliver:1' })
  await eventually(() => inThread(world, server.threads()[0]?.id ?? '', 'Task #1 done'))
})
