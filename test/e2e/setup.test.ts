/** `assistant setup` by the real program: the dialogue on a pipe, the platforms on loopback. */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { createDiscordServer } from '../fakes/discord-server.ts'
import { startSlackServer } from '../fakes/slack-server.ts'
import { createHome, type Home, run, start } from './program.ts'

const envFile = (home: Home) => join(home.folder, '.env')

function written(home: Home): NodeJS.Dict<string> {
  return parseEnv(readFileSync(envFile(home), 'utf8'))
}

test('slack: the manifest and the page are printed, tokens are checked, .env is written for its owner alone', async () => {
  await using slack = await startSlackServer()
  using home = createHome({ SLACK_API_URL: slack.apiUrl })
  const answers = 'xoxb-good\nxapp-good\nU0ANA\n'
  const { code, stdout, stderr } = await run(home, ['setup', 'slack'], answers)
  expect(code).toBe(0)
  expect(stderr).toMatch(/^Bot User OAuth Token .*App-Level Token .*Your member ID/)
  expect(stdout).toContain('https://api.slack.com/apps?new_app=1')
  expect(stdout).toContain('callback_id: run_as_task')
  expect(stdout).toContain('✔ SLACK_BOT_TOKEN: Connected to Tests as assistant.')
  expect(stdout).toContain('✔ SLACK_APP_TOKEN')
  expect(stdout).not.toMatch(/xoxb-good|xapp-good/)
  expect(written(home)).toEqual({
    SLACK_BOT_TOKEN: 'xoxb-good',
    SLACK_APP_TOKEN: 'xapp-good',
    SLACK_ALLOWED_USERS: 'U0ANA',
    SLACK_ADMINS: 'U0ANA',
  })
  expect(statSync(envFile(home)).mode & 0o777).toBe(0o600)

  // What was written is all that the program needs.
  await using program = start(home, ['chat'])
  expect(await program.printed('Ask for the first task')).toMatch(/● Slack +connected/)
})

test('slack: what else is in .env stays, and its mode becomes that of a secret', async () => {
  await using slack = await startSlackServer()
  using home = createHome({ SLACK_API_URL: slack.apiUrl })
  writeFileSync(envFile(home), '# mine\nASSISTANT_MODEL=llama\nexport SLACK_BOT_TOKEN=xoxb-old-one\n', { mode: 0o644 })
  expect((await run(home, ['setup', 'slack'], 'xoxb-good\nxapp-good\n*\n')).code).toBe(0)
  const text = readFileSync(envFile(home), 'utf8')
  expect(text.startsWith('# mine\nASSISTANT_MODEL=llama\nSLACK_BOT_TOKEN=xoxb-good\n')).toBe(true)
  expect(written(home)).toMatchObject({ SLACK_ALLOWED_USERS: '*' })
  expect(written(home).SLACK_ADMINS).toBeUndefined()
  expect(statSync(envFile(home)).mode & 0o777).toBe(0o600)
})

test.each([
  ['a wrong token', 'xoxb-wrong\nxapp-good\n', /✖ SLACK_BOT_TOKEN: .*OAuth & Permissions/],
  ['an app token without its scope', 'xoxb-good\nxapp-wrong\n', /✖ SLACK_APP_TOKEN: .*connections:write/],
  ['no answer', '', /a token is missing/],
])('slack: %s changes nothing and says what to do', async (_name, answers, words) => {
  await using slack = await startSlackServer()
  using home = createHome({ SLACK_API_URL: slack.apiUrl })
  const { code, stdout } = await run(home, ['setup', 'slack'], answers)
  expect(code).toBe(1)
  expect(stdout).toMatch(words)
  expect(stdout).toContain('Nothing was changed')
  expect(() => statSync(envFile(home))).toThrow('ENOENT')
})

test('slack: a missing scope is named, with what to do', async () => {
  await using slack = await startSlackServer()
  slack.world.bot.scopes.delete('chat:write')
  using home = createHome({ SLACK_API_URL: slack.apiUrl })
  const { code, stdout } = await run(home, ['setup', 'slack'], 'xoxb-good\nxapp-good\n')
  expect(code).toBe(1)
  expect(stdout).toMatch(/chat:write.*reinstall/)
})

test('discord: pages, switches and the invite are printed, the token is checked, .env is written', async () => {
  await using discord = await createDiscordServer()
  discord.setContentIntent(true)
  discord.people.addGuild('Workshop')
  using home = createHome({ DISCORD_API_URL: discord.apiUrl })
  const { code, stdout, stderr } = await run(home, ['setup', 'discord'], `${discord.token}\n*\n`)
  expect(code).toBe(0)
  expect(stderr).toMatch(/^Bot token: Your user ID/)
  expect(stdout).toContain('https://discord.com/developers/applications')
  expect(stdout).toContain('Message Content Intent')
  expect(stdout).toContain('The bot is in Workshop')
  expect(stdout).toContain('https://discord.com/oauth2/authorize?')
  expect(stdout).not.toContain(discord.token)
  expect(written(home)).toEqual({ DISCORD_TOKEN: discord.token, DISCORD_ALLOWED_USERS: '*' })
  expect(statSync(envFile(home)).mode & 0o777).toBe(0o600)
})

test('discord: a wrong token changes nothing; a switch that is off is a remark', async () => {
  await using discord = await createDiscordServer()
  discord.setContentIntent(false)
  using home = createHome({ DISCORD_API_URL: discord.apiUrl })
  const wrong = await run(home, ['setup', 'discord'], 'not-the-token-of-it\n')
  expect(wrong.code).toBe(1)
  expect(wrong.stdout).toMatch(/✖ DISCORD_TOKEN: .*\n.*Reset the token/)
  const right = await run(home, ['setup', 'discord'], `${discord.token}\n`)
  expect(right.code).toBe(0)
  expect(right.stdout).toContain('! Message Content')
  expect(right.stdout).toContain('Nobody is let in yet: set DISCORD_ALLOWED_USERS')
})
