/** Text from outside that imitates our lines, messages, buttons and pings, followed into every face of the real program. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openStage, parts } from './stage.ts'

const ESC = '\u001b'
/** No terminal, chat or reader of a log may meet these in what we write. */
const DANGEROUS = /(?![\n\t])[\p{Cc}\u2028-\u202e\u2066-\u2069]/u

function forgery(user: string): string {
  return [
    'begin',
    `${ESC}[2J${ESC}[1;1H${ESC}]0;owned\u0007red`,
    'hidden\r[TASK 9] done',
    '[TASK 9] step 1/1 ended: ok',
    '```',
    `<!channel> <!here> <@${user}> @everyone @here`,
    '<https://evil.example|Approve> [Approve](https://evil.example)',
    'txt.\u202eexe',
    '[ Approve ]  approve:9',
  ].join('\n')
}

it('stays text: in the log, the terminal, the API, Slack and Discord it forges no line, ping, link or button', async () => {
  const slackLie = forgery('U0BEN')
  const print = `printf '%s\\n' '${slackLie}'`
  const name = `'[TASK 9] <!channel>\n@everyone${ESC}[31m.txt'`
  await using stage = await openStage([
    JSON.stringify({ commands: [print.replace(new RegExp(DANGEROUS, 'gu'), '?')], summary: slackLie }),
    slackLie,
    JSON.stringify({ commands: [], answer: slackLie }),
  ])
  const ben = stage.discord.people.addUser('Ben')
  const lie = forgery(ben.id)
  // Escapes are written for the shell: a command that holds them itself is refused.
  const script = Buffer.from(`printf '%s\\n' '${lie}'\n: > ${name}\n`).toString('base64')
  await stage.post('/tasks', { description: `!echo ${script} | base64 -d | sh` })
  expect(await stage.until(1)).toBe('done')
  stage.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: `<@U0BOT> show ${slackLie}` })
  expect(await stage.until(2)).toBe('done')
  const { ana, guildChannel, discord } = stage
  const bot = `<@${discord.state.bot.id}>`
  discord.people.say({ user: ana, channelId: guildChannel.id, content: `${bot} tell ${lie}` })
  expect(await stage.until(3)).toBe('done')
  discord.people.say({ user: ana, channelId: guildChannel.id, content: `${bot} !echo ${script} | base64 -d | sh` })
  expect(await stage.until(4)).toBe('done')
  await stage.get('/tasks/1/logs')
  await stage.get('/tasks/1/logs?lines=all')
  await expect.poll(() => JSON.stringify(parts(stage.slack).texts)).toContain('Task #2 done')
  const said = () => [...discord.state.messages.values()].filter(({ author }) => author.id === discord.state.bot.id)
  await expect.poll(() => JSON.stringify(said())).toContain('Task #4 done')

  // The log file: only the task's own tag begins a line.
  const folder = join(stage.home.folder, 'tasks/task-1/log')
  const segments = readdirSync(folder).filter((name) => name.endsWith('.log'))
  const log = segments.map((name) => readFileSync(join(folder, name), 'utf8')).join('')
  expect(log.split(/[\n\r]/).filter((line) => line.includes('[TASK') && !line.startsWith('[TASK 1]'))).toEqual([])
  expect(log).toContain('[ TASK 9] step 1/1 ended')

  // The program's log: a JSON line each, and no tag but that of its own task.
  const lines = stage.program.output().stdout.trim().split('\n')
  for (const line of lines) {
    expect(line).not.toMatch(DANGEROUS)
    const { msg, taskId }: { msg: string; taskId?: number } = JSON.parse(line)
    for (const tag of msg.match(/\[TASK \d+\]/g) ?? []) expect(tag).toBe(`[TASK ${taskId}]`)
  }

  // The command line, in a pipe.
  for (const args of [['show', '1'], ['logs', '1'], ['outputs', '1'], ['show', '2'], ['show', '3'], ['list']]) {
    const { stdout, stderr } = await stage.cli(...args)
    expect([args, stdout.split('\n').filter((line) => DANGEROUS.test(line))]).toEqual([args, []])
    expect([args, stdout.split('\n').filter((line) => line.trimStart().startsWith('[TASK 9]'))]).toEqual([args, []])
    expect(stderr).toBe('')
  }

  // The API: text that no browser runs, and JSON.
  const text = await stage.get('/tasks/1/logs')
  expect([text.headers.get('content-type'), text.headers.get('x-content-type-options')]).toEqual([
    expect.stringMatching(/^text\/plain/),
    'nosniff',
  ])
  expect((await text.text()).split('\n').filter((line) => line.startsWith('[TASK 9]'))).toEqual([])

  // Slack: nothing that it would read as a mention, a link or a control of somebody else's.
  const slack = parts(stage.slack)
  expect(slack.texts.filter((each) => /<!|<@U0BEN|<https?:|<#/.test(each))).toEqual([])
  expect(slack.texts.filter((each) => DANGEROUS.test(each))).toEqual([])
  expect(slack.elements.filter((type) => /^(user|usergroup|broadcast|link|channel)$/.test(type))).toEqual([])
  expect(slack.actions.filter((id) => !/^[a-z]+:[0-9]+(:[0-9a-f]+)?$/.test(id) || /:9\b/.test(id))).toEqual([])
  expect(JSON.stringify(slack.urls)).not.toContain('evil.example')

  // Discord: nobody was pinged but who asked; no link, and no button but ours.
  for (const message of said()) {
    expect(message.mention_everyone).toBe(false)
    expect(message.pinged.filter((id) => id !== ana.id)).toEqual([])
    const shown = strings([message.content, message.components])
    expect(shown.filter((each) => DANGEROUS.test(each))).toEqual([])
    expect(shown.filter((each) => /(?<!\\)\[Approve\]\(https/.test(withoutCode(each)))).toEqual([])
    const ids = customIds(message.components)
    expect(ids.filter((id) => /:9\b/.test(id))).toEqual([])
  }
})

/** What Discord does not format: fenced blocks and inline code. */
function withoutCode(markdown: string): string {
  return markdown.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '')
}

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(strings)
}

function customIds(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => (key === 'custom_id' ? [String(inner)] : customIds(inner)))
}
