/** Secrets planted everywhere the program reads them, and everything it writes searched for them. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { eventually } from '../eventually.ts'
import { openStage, type Stage } from './stage.ts'

const SECRETS = {
  slackBot: 'xoxb-20250101-planted-slack-bot-token',
  slackApp: 'xapp-1-planted-slack-app-token',
  // As the stand-in for Discord has it.
  discord: 'MTA0.loopback.token-for-tests',
  api: 'planted-api-token-0123456789',
  model: 'planted-model-server-key-0123',
  // What a shell, JSON and an address each write in another way.
  odd: 'planted/odd+token=&"quoted" \\end',
  database: 'planted-database-password',
  mail: 'planted mail password',
  task: 'planted-task-token-for-the-box',
} as const

const ALL = Object.values(SECRETS)

function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before, 'x'), bytes]).toString('base64')
    // Without the letters that its neighbours decide too.
    return text.slice(before === 0 ? 0 : 4, 4 * Math.floor((before + bytes.length) / 3))
  })
  const hex = bytes.toString('hex')
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), ...base64, hex, hex.toUpperCase()]
}

/** Where which secret stands, in any spelling. */
function leaks(places: ReadonlyMap<string, string>): string[] {
  return [...places].flatMap(([place, text]) =>
    Object.entries(SECRETS).flatMap(([name, secret]) =>
      spellings(secret).some((spelling) => text.includes(spelling)) ? [`${name} in ${place}`] : [],
    ),
  )
}

const OPTIONS = {
  slackTokens: { bot: SECRETS.slackBot, app: SECRETS.slackApp },
  apiToken: SECRETS.api,
  environment: {
    OLLAMA_API_KEY: SECRETS.model,
    SOME_SERVICE_TOKEN: SECRETS.odd,
    DATABASE_URL: `postgres://app:${SECRETS.database}@db.example/app`,
  },
  envFile: `MAIL_PASSWORD="${SECRETS.mail}"\n`,
  settings: `
sandbox:
  environment:
    TASK_TOKEN: ${SECRETS.task}
policy:
  rules:
    - name: touching
      decision: ask
      command: touch
      matches: [touch x]
      nonMatches: [ls]
`,
}

/** What a task prints in every way that it knows. */
const SPELLER = [
  'echo "$TASK_TOKEN"',
  'printf %s "$TASK_TOKEN" | base64 -w0; echo',
  'printf %s "x$TASK_TOKEN" | base64 -w0; echo',
  'printf %s "xy$TASK_TOKEN" | base64 -w0; echo',
  'printf %s "$TASK_TOKEN" | od -An -v -tx1 | tr -d \' \\n\'; echo',
  'printf %s "$TASK_TOKEN" | od -An -v -tx1 | tr -d \' \\n\' | tr a-f A-F; echo',
  'printf %s "$TASK_TOKEN" | while IFS= read -rn1 c; do printf %s "$c"; done; echo',
]

describe('secrets that the program knows', () => {
  it('are in no log, thread, answer, prompt or file, however a task, a model or a person writes them', async () => {
    const says = ALL.join(' and ')
    const plan = (commands: string[], more = {}) => JSON.stringify({ commands, summary: `Uses ${says}.`, ...more })
    const withSecret = plan([`curl -H 'x: ${SECRETS.task}' http://127.0.0.1/`])
    await using stage = await openStage(
      [
        // Slack: an unusable reply that is asked about again, a failing plan, its repair, the answer.
        `I will use ${says}`,
        plan(['false']),
        plan(['echo ok']),
        `The secrets are ${says}.`,
        // Discord: plans that hold a secret, in a command and in what they want the network for.
        withSecret,
        plan(['echo hello'], { network: true, network_reason: says, network_hosts: [`${SECRETS.database}.example`] }),
        withSecret,
        // The command line: an answer, then an error of the server's.
        JSON.stringify({ commands: [], answer: `It is ${says}.` }),
        { status: 500, body: JSON.stringify({ error: `bad key ${SECRETS.model}` }) },
        // A plan that waits.
        plan(['touch x']),
      ],
      OPTIONS,
    )
    const home = stage.home.folder
    const find = `cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; env; cat ${home}/.env ${home}/tasks.db; ls -laR ${home}`
    await stage.post('/tasks', { description: `!(${find}) 2>&1` })
    await stage.post('/tasks', { description: SPELLER.map((line) => `!${line}`).join('\n') })
    await stage.until(1)
    expect(await stage.until(2)).toBe('done')

    stage.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: `<@U0BOT> remember ${says}` })
    await expect.poll(() => taskCount(stage)).toBe(3)
    expect(await stage.until(3)).toBe('done')
    const { ana, guildChannel, discord } = stage
    discord.people.say({ user: ana, channelId: guildChannel.id, content: `<@${discord.state.bot.id}> use ${says}` })
    await expect.poll(() => taskCount(stage)).toBe(4)
    expect(await stage.until(4)).toBe('failed')
    expect(await (await stage.get('/tasks/4')).json()).toMatchObject({
      end: { reason: 'denied_by_policy', detail: expect.stringContaining('it holds a secret') },
    })

    await stage.cli('run', `what is ${says}?`)
    await stage.cli('run', 'fail, please')
    await stage.post('/tasks', { description: `!echo ${SECRETS.task}` })
    expect(await stage.until(7)).toBe('failed')
    await stage.post('/tasks', { description: 'touch x' })
    expect(await stage.until(8, 'awaiting_approval')).toBe('awaiting_approval')
    await stage.post('/tasks/8/reject', { note: `not with ${says}` })

    for (const id of [2, 3, 4, 5, 7, 8]) {
      for (const path of ['', '/logs', '/logs?format=json', '/logs?lines=all', '/logs?follow=1', '/outputs'])
        await stage.get(`/tasks/${id}${path}`)
      await stage.cli('show', String(id))
      await stage.cli('show', String(id), '--json')
      await stage.cli('logs', String(id))
    }
    for (const path of ['/tasks', '/audit', '/metrics', '/readyz', '/tasks/99', `/${SECRETS.task}`])
      await stage.get(path)
    for (const args of [['list'], ['list', '--json'], ['audit'], ['audit', '--json'], ['doctor', '--live']])
      await stage.cli(...args)
    await expect.poll(() => stage.slack.calls('chat.postMessage').length).toBeGreaterThan(1)

    // A file that vanishes while it is read was none that is kept.
    const places = await eventually(() => stage.everything())
    expect([...places.keys()].filter((place) => /tasks\.db(-wal)?$/.test(place)).length).toBeGreaterThan(0)
    expect(leaks(places)).toEqual([])
    // Something was there to be hidden.
    expect([...places.values()].join('\n').split('[secret hidden]').length).toBeGreaterThan(100)
    const counted = await (await stage.get('/tasks/2')).json()
    expect(counted).toMatchObject({ redactions: SPELLER.length })
    expect((await stage.cli('show', '2')).stdout).toContain(`${SPELLER.length} secrets hidden`)
  }, 180_000)

  it('are in the environment and command line of no child', async () => {
    await using stage = await openStage([], OPTIONS)
    await stage.post('/tasks', { description: '!echo started; sleep 300' })
    await expect.poll(async () => await (await stage.get('/tasks/1/logs')).text()).toMatch(/^started$/m)
    const children = descendants(stage.program.child.pid ?? 0)
    expect(children.length).toBeGreaterThan(0)
    // What the operator gives to tasks is theirs to see.
    const found = leaks(new Map(children.map((pid) => [String(pid), told(pid)]))).filter((leak) => !/^task /.test(leak))
    expect(found).toEqual([])
    await stage.post('/tasks/1/cancel')
    expect(await stage.until(1)).toBe('cancelled')
  })
})

async function taskCount(stage: Stage): Promise<number> {
  const page: unknown = await (await stage.get('/tasks')).json()
  return typeof page === 'object' && page !== null && 'tasks' in page && Array.isArray(page.tasks)
    ? page.tasks.length
    : 0
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const ppid = /^\d+ \(.*\) \S (\d+)/s.exec(readOr(`/proc/${name}/stat`))?.[1]
    if (ppid !== undefined) parents.set(Number(name), Number(ppid))
  }
  const isBelow = (pid: number): boolean => pid === root || (pid > 1 && isBelow(parents.get(pid) ?? 0))
  return [...parents.keys()].filter((pid) => pid !== root && isBelow(pid))
}

function told(pid: number): string {
  return `${readOr(`/proc/${pid}/environ`)}\n${readOr(`/proc/${pid}/cmdline`)}`.replaceAll('\0', '\n')
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // It has ended, or belongs to somebody who keeps it to themselves.
    return ''
  }
}
