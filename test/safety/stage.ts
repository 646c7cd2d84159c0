/**
 * The real program with everything around it: Slack, Discord and the model server on loopback, the API and the command line.
 * What it said anywhere is collected, so that a test can look for what must not be there.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createHome, type Ended, freePort, type Home, type Running, run, start } from '../e2e/program.ts'
import { createDiscordServer, type DiscordServer } from '../fakes/discord-server.ts'
import type { FakeChannel, FakeUser } from '../fakes/discord-server-state.ts'
import { type FakeOllamaServer, type FakeReply, startOllamaServer } from '../fakes/ollama-server.ts'
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts'

export interface StageOptions {
  environment?: Record<string, string>
  /** Lines of `.env`. */
  envFile?: string
  settings?: string
  slackTokens?: { bot: string; app: string }
  apiToken?: string
}

export interface Stage extends AsyncDisposable {
  home: Home
  program: Running
  ollama: FakeOllamaServer
  slack: SlackServer
  discord: DiscordServer
  guildChannel: FakeChannel
  ana: FakeUser
  api: string
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body?: object): Promise<Response>
  /** Answers the status once the task has one of these. */
  until(taskId: number, ...statuses: string[]): Promise<string>
  cli(...args: string[]): Promise<Ended>
  /** Everything that left the program or was kept by it, by where it is. */
  everything(): Map<string, string>
}

const FINAL = ['done', 'failed', 'cancelled']

export async function openStage(replies: readonly FakeReply[], options: StageOptions = {}): Promise<Stage> {
  const ollama = await startOllamaServer({ replies })
  const slack = await startSlackServer()
  if (options.slackTokens !== undefined) {
    slack.world.bot.token = options.slackTokens.bot
    slack.world.appToken = options.slackTokens.app
  }
  const discord = await createDiscordServer()
  discord.setContentIntent(true)
  const guild = discord.people.addGuild('Workshop')
  const guildChannel = discord.addChannel({ type: 0, name: 'jobs' })
  const ana = discord.people.addUser('Ana')
  const port = await freePort()
  const token = options.apiToken ?? ''
  const home = createHome({
    ASSISTANT_API_PORT: String(port),
    ...(token === '' ? {} : { ASSISTANT_API_TOKEN: token }),
    ASSISTANT_MODEL: 'test',
    OLLAMA_HOST: ollama.host,
    ...slack.environment,
    ...discord.environment,
    DISCORD_ALLOWED_GUILDS: guild.id,
    ...options.environment,
  })
  if (options.envFile !== undefined) writeFileSync(join(home.folder, '.env'), options.envFile, { mode: 0o600 })
  if (options.settings !== undefined) writeFileSync(join(home.folder, 'settings.yaml'), options.settings)
  const program = start(home, ['start'])
  await program.printed(/Slack .*connected[\s\S]*Discord .*connected|Discord .*connected[\s\S]*Slack .*connected/)
  const api = `http://127.0.0.1:${port}`
  const said: { where: string; text: string }[] = []
  const authorization: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` }

  async function ask(path: string, init: RequestInit): Promise<Response> {
    const response = await fetch(`${api}${path}`, init)
    const headers = [...response.headers].map((pair) => pair.join(': ')).join('\n')
    said.push({ where: `HTTP ${init.method ?? 'GET'} ${path}`, text: `${headers}\n${await response.clone().text()}` })
    return response
  }

  const stage: Stage = {
    home,
    program,
    ollama,
    slack,
    discord,
    guildChannel,
    ana,
    api,
    get: (path, headers = {}) => ask(path, { headers: { ...authorization, ...headers } }),
    post: (path, body) =>
      ask(path, {
        method: 'POST',
        headers: { ...authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async until(taskId, ...statuses) {
      const wanted = statuses.length === 0 ? FINAL : [...statuses, ...FINAL]
      let status = ''
      await expect
        .poll(async () => {
          const response = await fetch(`${api}/tasks/${taskId}`, { headers: authorization })
          const task: unknown = await response.json()
          status = typeof task === 'object' && task !== null && 'status' in task ? String(task.status) : ''
          return wanted.includes(status)
        })
        .toBe(true)
      return status
    },
    async cli(...args) {
      const ended = await run(home, args)
      said.push({ where: `assistant ${args.join(' ')}`, text: ended.stdout + ended.stderr })
      return ended
    },
    everything() {
      const found = new Map(said.map(({ where, text }, index) => [`${index} ${where}`, text]))
      const { stdout, stderr } = program.output()
      found.set('the program itself', stdout + stderr)
      for (const file of filesIn(home.folder)) {
        if (!/\.env$|settings\.yaml$/.test(file)) found.set(file, readFileSync(file, 'latin1'))
      }
      for (const [place, text] of [...whatSlackGot(slack), ...whatDiscordGot(discord)]) found.set(place, text)
      for (const [at, request] of ollama.requests.entries()) found.set(`prompt ${at}`, request.body)
      return found
    },
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]()
      await slack[Symbol.asyncDispose]()
      await discord[Symbol.asyncDispose]()
      await ollama[Symbol.asyncDispose]()
      home[Symbol.dispose]()
    },
  }
  return stage
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
}

/** What the app sent, not what people wrote there themselves. */
function* whatSlackGot({ world }: SlackServer): Iterable<[string, string]> {
  for (const [at, { method, args }] of world.calls.entries()) yield [`Slack ${at} ${method}`, JSON.stringify(args)]
  for (const [at, message] of world.messages.entries()) {
    if (message.botId !== undefined) yield [`Slack message ${at}`, JSON.stringify({ ...message, files: [] })]
    for (const file of message.files) {
      if (message.botId !== undefined) yield [`Slack file ${at} ${file.name}`, file.bytes.toString('latin1')]
    }
  }
  for (const [id, view] of world.views) yield [`Slack view ${id}`, JSON.stringify(view)]
  for (const [at, each] of world.ephemerals.entries()) yield [`Slack ephemeral ${at}`, JSON.stringify(each)]
  for (const each of world.responseUrls.values()) yield [`Slack response ${each.url}`, JSON.stringify(each.uses)]
}

function* whatDiscordGot({ requests, state }: DiscordServer): Iterable<[string, string]> {
  for (const [at, request] of requests.entries()) {
    yield [`Discord ${at} ${request.line}`, JSON.stringify([request.body])]
    for (const file of request.files) yield [`Discord ${at} file`, `${file.name}\n${file.bytes.toString('latin1')}`]
  }
  for (const message of state.messages.values()) {
    if (message.author.id === state.bot.id) yield [`Discord message ${message.id}`, JSON.stringify(message)]
  }
}

/** What Slack would read as markup, which elements and buttons it would draw, and where links lead. */
export function parts({ world }: SlackServer): {
  texts: string[]
  elements: string[]
  actions: string[]
  urls: unknown[]
} {
  const found = { texts: [] as string[], elements: [] as string[], actions: [] as string[], urls: [] as unknown[] }
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const each of value) visit(each)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return
    const node = new Map(Object.entries(value))
    const type = String(node.get('type') ?? '')
    found.elements.push(type)
    // plain_text and the text of rich_text are shown as they are.
    if (type === 'mrkdwn') found.texts.push(String(node.get('text')))
    if (node.has('action_id')) found.actions.push(String(node.get('action_id')))
    if (node.has('url')) found.urls.push(node.get('url'))
    for (const inner of node.values()) visit(inner)
  }
  for (const message of world.messages.filter(({ botId }) => botId !== undefined)) {
    found.texts.push(message.text)
    visit(message.blocks)
  }
  return found
}
