/** What a Discord bot needs, and what to do when it lacks it. The CLI asks, prints and writes; here is what it says and how it checks. */
import { PermissionFlagsBits, type REST, Routes } from 'discord.js'
import { z } from 'zod'
import { errorLine } from '../../src/core/errors.ts'
import { toAdapterError } from './errors.ts'
import { type Identity, identify } from './identity.ts'
import { createRest, DISCORD_API } from './rest.ts'

export const DEVELOPER_PORTAL = 'https://discord.com/developers/applications'

/** What it cannot do without, and nothing more. */
const PERMISSIONS = [
  PermissionFlagsBits.ViewChannel,
  PermissionFlagsBits.SendMessages,
  PermissionFlagsBits.SendMessagesInThreads,
  PermissionFlagsBits.CreatePublicThreads,
  PermissionFlagsBits.EmbedLinks,
  PermissionFlagsBits.AttachFiles,
  PermissionFlagsBits.ReadMessageHistory,
  PermissionFlagsBits.AddReactions,
]

/** GatewayMessageContent and GatewayMessageContentLimited: the switch is on, for large and for small bots. */
const CONTENT_FLAGS = (1 << 18) | (1 << 19)

/** The address that adds the bot to a server, with the least permissions. */
export function inviteUrl(applicationId: string): string {
  const permissions = PERMISSIONS.reduce((sum, bit) => sum | bit, 0n)
  const query = new URLSearchParams({
    client_id: applicationId,
    scope: 'bot applications.commands',
    permissions: String(permissions),
  })
  return `https://discord.com/oauth2/authorize?${query}`
}

export interface DiscordCheck {
  name: string
  state: 'ok' | 'warning' | 'failed'
  /** One sentence: what was found. */
  detail: string
  /** What to do; null when there is nothing to do. */
  fix: string | null
}

const guildsSchema = z.array(z.object({ id: z.string(), name: z.string() }))

/** Asks Discord about the token, the switch for message content and the servers. Never throws. */
export async function checkToken(
  token: string,
  { apiUrl = DISCORD_API }: { apiUrl?: string } = {},
): Promise<DiscordCheck[]> {
  const rest = createRest(token, apiUrl)
  try {
    const identity = await identify(rest)
    const detail = `Discord knows the bot (application ${identity.applicationId}).`
    return [
      { name: 'DISCORD_TOKEN', state: 'ok', detail, fix: null },
      checkContent(identity),
      await checkGuilds(rest, identity),
    ]
  } catch (error) {
    const known = toAdapterError(error, 'read')
    const fix =
      known.code === 'unauthorized' ? `Reset the token at ${DEVELOPER_PORTAL}, Bot, and copy it.` : 'Try again.'
    return [{ name: 'DISCORD_TOKEN', state: 'failed', detail: errorLine(known), fix }]
  } finally {
    rest.clearHashSweeper()
    rest.clearHandlerSweeper()
  }
}

function checkContent({ flags, applicationId }: Identity): DiscordCheck {
  const name = 'Message Content'
  if ((flags & CONTENT_FLAGS) !== 0) return { name, state: 'ok', detail: 'Replies in threads can be read.', fix: null }
  return {
    name,
    state: 'warning',
    detail: 'Replies in threads cannot be read; mentions, buttons and commands work.',
    fix: `Turn on "Message Content Intent" at ${DEVELOPER_PORTAL}/${applicationId}/bot.`,
  }
}

async function checkGuilds(rest: REST, { applicationId }: Identity): Promise<DiscordCheck> {
  const name = 'Servers'
  const guilds = guildsSchema.parse(await rest.get(Routes.userGuilds()))
  const names = guilds.slice(0, 5).map((guild) => `${guild.name} (${guild.id})`)
  const detail = `The bot is in ${names.join(', ')}. To add it to another: ${inviteUrl(applicationId)}`
  if (guilds.length > 0) return { name, state: 'ok', detail, fix: null }
  return { name, state: 'warning', detail: 'The bot is in no server yet.', fix: `Open ${inviteUrl(applicationId)}` }
}

export interface SetupDiscordOptions {
  print(line: string): void
  /** Asks for one secret; the answer is not shown. '' gives up. */
  prompt(question: string): Promise<string>
  /** Gets the settings once they work. */
  writeEnv(values: Readonly<Record<string, string>>): Promise<void>
  apiUrl?: string
}

/** `assistant setup discord`: true when the token works and is written. */
export async function setupDiscord(options: SetupDiscordOptions): Promise<boolean> {
  const { print, prompt } = options
  for (const line of SETUP_STEPS) print(line)
  const token = (await prompt('Bot token: ')).trim().replace(/^Bot\s+/i, '')
  if (token === '') {
    print('Nothing was changed: the token is missing.')
    return false
  }
  const checks = await checkToken(token, options)
  for (const check of checks) for (const line of linesOf(check)) print(line)
  if (checks.some((check) => check.state === 'failed')) {
    print('Nothing was changed.')
    return false
  }
  await options.writeEnv({ DISCORD_TOKEN: token })
  print('Saved. Start it with `npm start`, then mention the bot or type /task run in Discord.')
  return true
}

const MARKS = { ok: '✔', warning: '!', failed: '✖' } as const

function linesOf({ name, state, detail, fix }: DiscordCheck): string[] {
  return [`${MARKS[state]} ${name}: ${detail}`, ...(fix === null ? [] : [`  ${fix}`])]
}

/** The pages and switches, in the order in which a person meets them. */
export const SETUP_STEPS: readonly string[] = [
  `1. Open ${DEVELOPER_PORTAL}, New Application, and give it a name.`,
  '2. Bot: turn on "Message Content Intent", so that replies in threads can be read. The other two switches stay off.',
  '3. Bot: turn "Public Bot" off, unless others are to add it to their servers.',
  '4. Bot: Reset Token, and copy it. It is shown once.',
  '   The address that adds the bot to your server comes when the token works.',
  '',
]
