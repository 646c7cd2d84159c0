/** A thousand requests at once, of ten people, one of whom asks for most of them. */
import { expect, it } from 'vitest'
import { startSlackServer } from '../fakes/slack-server.ts'
import { addChannel, addUser, visibleText } from '../fakes/slack-server-state.ts'
import { homeWithApi, startReady } from './fixture-home.ts'
import { openLook } from './look.ts'
import { footprint } from './processes.ts'

it('are accepted, taken in turn between people, and told where they stand; beyond a limit people are told so', async () => {
  await using slack = await startSlackServer()
  const users = Array.from({ length: 10 }, (_, index) => `U0MANY${index}`)
  for (const id of users) addUser(slack.world, id, id.toLowerCase())
  const channels = Array.from({ length: 8 }, (_, index) => `C0MANY${index}`)
  for (const id of channels) addChannel(slack.world, id, id.toLowerCase(), 'public', [...users, 'U0BOT'])
  const { home, api } = await homeWithApi({
    ...{
      SLACK_BOT_TOKEN: 'xoxb-good',
      SLACK_APP_TOKEN: 'xapp-good',
      SLACK_API_URL: slack.apiUrl,
      SLACK_ALLOWED_USERS: '*',
    },
    ...{ ASSISTANT_STOP_GRACE: '1 s', ASSISTANT_CONCURRENCY: '2' },
  })
  using _home = home
  await using program = await startReady(home)
  const look = openLook(home.folder)
  using _look = look
  const accepted = () => look?.tasks() ?? []

  // The first one has asked for more than anybody may, before the others come.
  const ask = (user: string, number: number) =>
    slack.user.say({
      ...{ user, channel: channels[number % channels.length] ?? '', events: ['app_mention'] },
      text: `<@U0BOT> !echo ${user} ${number}`,
    })
  const greedy = users[0] ?? ''
  for (let number = 0; number < 205; number += 1) ask(greedy, number)
  for (const user of users.slice(1)) for (let number = 0; number < 88; number += 1) ask(user, number)
  const refused = () => slack.world.ephemerals.filter(({ text }) => text.includes('as many as one person may')).length
  // Those of the first that ended meanwhile made room for as many.
  await expect.poll(() => accepted().length + refused(), { timeout: 90_000, interval: 250 }).toBe(205 + 9 * 88)
  expect(accepted().length).toBeGreaterThanOrEqual(200 + 9 * 88)

  // From here on everybody waits, and everybody gets a turn.
  const claimed = () =>
    (look?.events(0) ?? []).filter(({ event }) => event.kind === 'claimed').map(({ taskId }) => taskId)
  const before = claimed().length
  await expect.poll(() => claimed().length, { timeout: 60_000, interval: 250 }).toBeGreaterThan(before + 40)
  const who = new Map(accepted().map(({ id, description }) => [id, /U0MANY[0-9]/.exec(description)?.[0] ?? '']))
  const turns = Map.groupBy(claimed().slice(before, before + 40), (id) => who.get(id) ?? '')
  expect(turns.size).toBe(10)
  for (const [user, ids] of turns) expect(ids.length, user).toBeLessThanOrEqual(8)

  // A card in the queue says where it stands.
  const waiting = () =>
    slack.world.messages.map(({ blocks }) => visibleText(blocks)).filter((text) => /in line/.test(text))
  await expect.poll(() => waiting().length, { timeout: 30_000, interval: 250 }).toBeGreaterThan(0)
  expect(waiting().some((text) => /[0-9]+(?:st|nd|rd|th) in line/.test(text))).toBe(true)
  // It answers others meanwhile, and its memory does not grow with the queue.
  const asked = Date.now()
  expect((await fetch(`http://127.0.0.1:${api.port}/healthz`)).status).toBe(200)
  expect(Date.now() - asked).toBeLessThan(5000)
  expect(footprint(program.child.pid ?? 0)?.residentBytes).toBeLessThan(600 * 1024 ** 2)
  program.child.kill('SIGTERM')
  expect((await program.ended).code).toBe(0)
}, 180_000)
