/** The real program between a Slack, a Discord and a model on loopback, in a home of its own; it can be killed and started again. */
import { expect, vi } from 'vitest'
import { createDiscordServer, type DiscordServer } from '../fakes/discord-server.ts'
import { textsOf } from '../fakes/discord-server-messages.ts'
import type { FakeChannel, FakeMessage, FakeUser } from '../fakes/discord-server-state.ts'
import { type ChatBody, type FakeOllamaServer, startOllamaServer } from '../fakes/ollama-server.ts'
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts'
import { buttonsOf, type SlackMessage, visibleText } from '../fakes/slack-server-state.ts'
import { createHome, freePort, type Home, type Running, start } from './program.ts'

// Real processes that wait for real retries, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000 })

export interface ChatWorld extends AsyncDisposable {
  slack: SlackServer
  discord: { server: DiscordServer; channel: FakeChannel; ana: FakeUser; boss: FakeUser }
  model: FakeOllamaServer
  home: Home
  api: string
  /** Starts the program and waits until it takes requests. */
  start(): Promise<Running>
  /** No warning, no time to finish anything. */
  kill(): Promise<void>
}

/** What the model plans for a request that has these words in it. */
export type Plans = Readonly<Record<string, { commands: readonly string[]; network?: boolean }>>

export async function createChatWorld(plans: Plans, environment: Record<string, string> = {}): Promise<ChatWorld> {
  // The platforms' own time stands still: a slow machine must not be late for their three seconds.
  const now = Date.now()
  const slack = await startSlackServer({ now: () => now })
  const discord = await createDiscord(now)
  const model = await startOllamaServer({ replies: Array.from({ length: 100 }, () => thinkOf(plans)) })
  const port = await freePort()
  const home = createHome({
    ASSISTANT_API_PORT: String(port),
    ASSISTANT_LEASE: '4 s',
    ASSISTANT_STOP_GRACE: '0 ms',
    OLLAMA_HOST: model.host,
    ASSISTANT_MODEL: 'test',
    ...slack.environment,
    SLACK_ALLOWED_USERS: 'U0ANA,U0BEN',
    SLACK_APPROVERS: 'U0BEN',
    ...discord.server.environment,
    DISCORD_ALLOWED_USERS: discord.ana.id,
    DISCORD_ADMINS: discord.boss.id,
    ...environment,
  })
  let running: Running | undefined
  return {
    ...{ slack, discord, model, home },
    api: `http://127.0.0.1:${port}`,
    async start() {
      running = start(home, ['start'])
      await running.printed('Ask for the first task')
      return running
    },
    async kill() {
      running?.child.kill('SIGKILL')
      await running?.ended
    },
    async [Symbol.asyncDispose]() {
      await running?.[Symbol.asyncDispose]()
      await model.close()
      await slack[Symbol.asyncDispose]()
      await discord.server[Symbol.asyncDispose]()
      home[Symbol.dispose]()
    },
  }
}

async function createDiscord(now: number): Promise<ChatWorld['discord']> {
  const server = await createDiscordServer({ now: () => now })
  server.setContentIntent(true)
  server.people.addGuild('Workshop')
  const channel = server.addChannel({ type: 0, name: 'jobs' })
  return { server, channel, ana: server.people.addUser('Ana'), boss: server.people.addUser('Boss') }
}

/** Answers with the plan for the newest words that it knows, and tells what came of it in the same sentence each time. */
function thinkOf(plans: Plans): (body: ChatBody) => string {
  return ({ messages }) => {
    if (messages[0]?.content.startsWith('You tell a person') === true) return 'It worked.'
    const said = messages.at(-1)?.content ?? ''
    const known = Object.entries(plans)
      .map(([words, plan]) => ({ at: said.lastIndexOf(words), plan }))
      .sort((a, b) => b.at - a.at)[0]
    if (known === undefined || known.at === -1) return '{"commands": [], "answer": "I do not know that."}'
    const network = known.plan.network === true ? { network: true, network_reason: 'to fetch it' } : {}
    return JSON.stringify({ commands: known.plan.commands, summary: 'Does what was asked.', ...network })
  }
}

/** What our messages in a Slack channel say, oldest first. */
export function slackMessages({ slack }: ChatWorld, channel = 'C0BUILDS'): SlackMessage[] {
  return slack.world.messages.filter((message) => message.channel === channel && message.botId !== undefined)
}

export function slackWords(message: SlackMessage): string {
  return [visibleText(message.blocks), ...message.files.map((file) => `[${file.name}]`)].join('\n')
}

/** The action id of the button with this label. Throws when there is none. */
export function slackButton(message: SlackMessage, label: string): string {
  const found = buttonsOf(message.blocks).find((button) => button.label === label)
  if (found === undefined) throw new Error(`no button "${label}" on: ${slackWords(message)}`)
  return found.actionId
}

/** What our messages in a Discord channel or thread say, oldest first. */
export function discordMessages({ discord: { server } }: ChatWorld, channelId: string): FakeMessage[] {
  return server.messagesIn(channelId).filter((message) => message.author.id === server.state.bot.id)
}

export function discordWords(message: FakeMessage): string {
  const files = message.attachments.map(({ filename }) => `[${filename}]`)
  return [message.content, ...textsOf(message.components), ...files].filter(Boolean).join('\n')
}

/** The one message of ours in the channel whose words have this. */
export function inSlack(world: ChatWorld, words: string, channel?: string) {
  const found = slackMessages(world, channel).filter((message) => slackWords(message).includes(words))
  expect(
    found.map(slackWords),
    `"${words}" among\n${slackMessages(world, channel).map(slackWords).join('\n---\n')}`,
  ).toHaveLength(1)
  return found[0] ?? expect.fail()
}

export const ANA = { user: 'U0ANA', channel: 'C0BUILDS' }
export const BEN = { user: 'U0BEN', channel: 'C0BUILDS' }

/** The one message of ours in the thread whose words have this. */
export function inThread(world: ChatWorld, threadId: string, words: string) {
  const all = discordMessages(world, threadId)
  const found = all.filter((message) => discordWords(message).includes(words))
  expect(found, `"${words}" among\n${all.map(discordWords).join('\n---\n')}`).toHaveLength(1)
  return found[0] ?? expect.fail()
}
