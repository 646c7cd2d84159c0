/** How each chat is made from the settings. Its library is loaded only when its tokens are there. */
import type { DoctorCheck } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import { SetupError } from '../core/errors.ts'
import type { ChatAdapter } from '../ports/chat-adapter.ts'
import type { Presenter } from '../ports/presenter.ts'
import type { Parts } from './parts.ts'

const CHAT_NAMES = ['slack', 'discord'] as const
export type ChatName = (typeof CHAT_NAMES)[number]

export interface ChatProgram {
  title: string
  howToAsk: string
  hasTokens(config: Config): boolean
  create(parts: Parts, presenter: Presenter): Promise<ChatAdapter>
  /** Asks the platform about the tokens. */
  checkLive(parts: Parts): Promise<DoctorCheck[]>
}

export const chatPrograms: Readonly<Record<ChatName, ChatProgram>> = {
  slack: {
    title: 'Slack',
    howToAsk: 'mention the bot in a channel, write to it directly, or /task what you want',
    hasTokens: ({ slack }) => slack.botToken !== null,
    async create({ config, clock, logger }, presenter) {
      const { createSlackAdapter } = await import('../../adapters/slack/adapter.ts')
      const { slack, access } = config
      return createSlackAdapter({
        botToken: slack.botToken ?? '',
        mode: slackMode(slack),
        ...(slack.apiUrl === null ? {} : { apiUrl: slack.apiUrl }),
        clock,
        logger,
        presenter,
        userGroups: access.slack.groups,
      })
    },
    async checkLive({ config: { slack }, logger }) {
      const { checkTokens } = await import('../../adapters/slack/setup.ts')
      const tokens = {
        botToken: slack.botToken ?? '',
        appToken: slack.appToken ?? '',
        signingSecret: slack.signingSecret ?? '',
      }
      const checks = await checkTokens(tokens, { logger, ...(slack.apiUrl === null ? {} : { apiUrl: slack.apiUrl }) })
      return checks.map(({ name, ok, detail }) => ({
        name,
        state: ok ? 'ok' : 'failed',
        detail,
        fix: ok ? null : detail,
      }))
    },
  },
  discord: {
    title: 'Discord',
    howToAsk: 'mention the bot in a channel, write to it directly, or /task run',
    hasTokens: ({ discord }) => discord.token !== null,
    async checkLive({ config: { discord } }) {
      const { checkToken } = await import('../../adapters/discord/setup.ts')
      return checkToken(discord.token ?? '', discord.apiUrl === null ? {} : { apiUrl: discord.apiUrl })
    },
    async create({ config: { discord }, clock, logger, store }, presenter) {
      const { createDiscordAdapter } = await import('../../adapters/discord/discord-adapter.ts')
      return createDiscordAdapter({
        token: discord.token ?? '',
        ...(discord.apiUrl === null ? {} : { apiUrl: discord.apiUrl }),
        commandScope:
          discord.commandGuilds.length === 0 ? { kind: 'global' } : { kind: 'guilds', guildIds: discord.commandGuilds },
        clock,
        logger,
        presenter,
        notes: { get: (key) => store.getNote(key), set: (key, value) => store.setNote(key, value) },
      })
    },
  },
}

/** Chats that the settings switch on, whichever process they run in. */
export function chatsOn(config: Config): readonly ChatName[] {
  return CHAT_NAMES.filter((name) => chatPrograms[name].hasTokens(config))
}

/** The others. */
export function chatsOff(config: Config): readonly ChatName[] {
  return CHAT_NAMES.filter((name) => !chatPrograms[name].hasTokens(config))
}

function slackMode({ mode, appToken, signingSecret, port }: Config['slack']) {
  if (mode === 'http') {
    if (signingSecret !== null) return { kind: 'http', signingSecret, port } as const
    throw missingToken('SLACK_SIGNING_SECRET', 'SLACK_MODE=http')
  }
  if (appToken !== null) return { kind: 'socket', appToken } as const
  throw missingToken('SLACK_APP_TOKEN', 'Socket Mode')
}

function missingToken(name: string, mode: string): SetupError {
  return new SetupError('slack_token', `${name} is missing; ${mode} needs it.`, 'Run `npx assistant setup slack`.')
}
