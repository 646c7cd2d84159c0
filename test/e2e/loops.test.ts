/** A task whose result makes the next one, by the real program: somebody's automation answers each result in the name of a person. */
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { addUser } from '../fakes/slack-server-state.ts'
import { ANA, type ChatWorld, createChatWorld, inSlack, slackMessages, slackWords } from './chat-world.ts'
import { run } from './program.ts'

/** As many as one thread may ask for within ten minutes. */
const MOST = 20

async function tasksIn(world: ChatWorld): Promise<number> {
  const { tasks } = JSON.parse((await run(world.home, ['list', '--json', '--limit', '50'])).stdout)
  return tasks.length
}

/** What people are told in private when a loop is stopped. */
function refusals({ slack }: ChatWorld): number {
  return slack.world.ephemerals.filter(({ text }) => text.includes('looks like a loop')).length
}

test('is stopped, on record, until a person resets it, also after a restart; bots and its own words begin none', async () => {
  await using world = await createChatWorld({})
  await world.start()
  const { user } = world.slack
  addUser(world.slack.world, 'U0ROBO', 'robo').isBot = true
  user.say({ ...ANA, user: 'U0ROBO', text: '<@U0BOT> !echo from a bot' })
  const { people, state } = world.discord.server
  const robo = people.addUser('Robo', { bot: true })
  people.say({ user: robo, channelId: world.discord.channel.id, content: `<@${state.bot.id}> !echo from a bot` })

  // What a task prints, though it is a mention of the program, is no request; the automation makes it one.
  const { ts: threadTs } = user.say({ ...ANA, text: "<@U0BOT> !echo '<@U0BOT> !echo 1'" })
  const answered = new Set<string>()
  const automation = () => {
    for (const message of slackMessages(world)) {
      if (answered.has(message.ts) || !/Task #\d+ done/.test(slackWords(message))) continue
      answered.add(message.ts)
      user.say({ ...ANA, threadTs, text: `<@U0BOT> !echo '<@U0BOT> !echo ${answered.size + 1}'` })
    }
  }
  await eventually(() => {
    automation()
    expect(refusals(world)).toBe(1)
  }, 100)
  expect(answered.size).toBe(MOST)
  expect(await tasksIn(world)).toBe(MOST)

  await world.kill()
  await world.start()
  user.say({ ...ANA, threadTs, text: '<@U0BOT> !echo by hand' })
  await eventually(() => expect(refusals(world)).toBe(2))
  // Who asks elsewhere is not held up.
  user.say({ ...ANA, text: '<@U0BOT> !echo elsewhere' })
  await eventually(() => inSlack(world, `Task #${MOST + 1} done`))

  const why = `more than ${MOST} tasks within 10 minutes in one thread`
  expect((await run(world.home, ['breaker'])).stdout).toContain(why)
  expect((await run(world.home, ['doctor'])).stdout).toContain(why)
  expect((await run(world.home, ['audit'])).stdout.match(/breaker/g)).toHaveLength(1)
  expect((await run(world.home, ['breaker', '--reset'])).stderr).toContain('They go on')
  user.say({ ...ANA, threadTs, text: '<@U0BOT> !echo by hand again' })
  await eventually(() => inSlack(world, `Task #${MOST + 2} done`))
  expect(await tasksIn(world)).toBe(MOST + 2)
  expect(refusals(world)).toBe(2)
})
