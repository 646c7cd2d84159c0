/** What a Slack app needs, and what to do when it lacks it. The CLI asks, prints and writes; here is what it says and how it checks. */
import { webApi } from '@slack/bolt'
import { errorLine, SetupError } from '../../src/core/errors.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { missingScope, slackCode, toAdapterError } from './errors.ts'
import { clientOptions, SLACK_API_URL } from './wire.ts'

/** Without these the assistant cannot do its work. */
export const REQUIRED_SCOPES = ['app_mentions:read', 'chat:write', 'commands', 'users:read'] as const
/** Without one of these something is missing that the sentence names. */
export const WANTED_SCOPES: Readonly<Record<string, string>> = {
  'channels:history': 'replies in threads of public channels are not read',
  'channels:join': 'the button that adds it to a public channel does not work',
  'files:read': 'files attached to a request cannot be fetched',
  'files:write': 'outputs cannot be uploaded',
  'groups:history': 'replies in threads of private channels are not read',
  'im:history': 'direct messages are not read',
  'im:write': 'a task asked for where it is no member cannot go on as a direct message',
  'reactions:write': 'the status does not show as a reaction',
}

export const NEW_APP_PAGE = 'https://api.slack.com/apps?new_app=1'

/** A fault of the bot token, or of its scopes; undefined when there is none (or when Slack cannot be reached). */
export function tokenProblem(found: unknown): SetupError | undefined {
  if (found instanceof AdapterError) {
    if (found.code !== 'unauthorized') return undefined
    const fix = 'Copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions and set SLACK_BOT_TOKEN.'
    return new SetupError('slack_bot_token', `Slack does not accept the bot token. ${found.message}`, fix, {
      cause: found,
    })
  }
  if (!isIdentity(found)) return undefined
  if (!found.isBot) {
    return new SetupError(
      'slack_bot_token',
      'SLACK_BOT_TOKEN is not a bot token.',
      'Use the one that begins with xoxb-, from OAuth & Permissions.',
    )
  }
  const missing = REQUIRED_SCOPES.filter((scope) => !found.scopes.includes(scope))
  if (found.scopes.length === 0 || missing.length === 0) return undefined
  return new SetupError(
    'slack_scope',
    missingScope(missing.join(', ')),
    'Update the app from config/slack-manifest.yaml, then reinstall it.',
  )
}

function isIdentity(value: unknown): value is { scopes: readonly string[]; isBot: boolean } {
  return (
    typeof value === 'object' && value !== null && 'scopes' in value && Array.isArray(value.scopes) && 'isBot' in value
  )
}

export interface TokenCheck {
  name: 'SLACK_BOT_TOKEN' | 'SLACK_APP_TOKEN' | 'SLACK_SIGNING_SECRET'
  ok: boolean
  /** One sentence: what was found, or what to do. */
  detail: string
}

export interface SlackTokens {
  botToken: string
  /** '' in HTTP mode. */
  appToken: string
  /** '' in Socket Mode. */
  signingSecret: string
}

/** Asks Slack about each token. Never throws. */
export async function checkTokens(
  tokens: SlackTokens,
  options: { apiUrl?: string; logger: Logger },
): Promise<TokenCheck[]> {
  const { apiUrl = SLACK_API_URL, logger } = options
  const settings = clientOptions(apiUrl, logger)
  const checks = [await checkBotToken(new webApi.WebClient(tokens.botToken, { ...settings }))]
  if (tokens.appToken !== '') checks.push(await checkAppToken(new webApi.WebClient(tokens.appToken, { ...settings })))
  if (tokens.signingSecret !== '') checks.push(checkSecret(tokens.signingSecret))
  return checks
}

async function checkBotToken(client: webApi.WebClient): Promise<TokenCheck> {
  const name = 'SLACK_BOT_TOKEN'
  try {
    const answer = await client.auth.test()
    const scopes = answer.response_metadata?.scopes ?? []
    const problem = tokenProblem({ scopes, isBot: answer.bot_id !== undefined })
    if (problem !== undefined) return { name, ok: false, detail: `${problem.message} ${problem.fix}` }
    const lacking = Object.entries(WANTED_SCOPES).filter(([scope]) => scopes.length > 0 && !scopes.includes(scope))
    const notes = lacking.map(([scope, loss]) => ` Without ${scope}, ${loss}.`).join('')
    return {
      name,
      ok: true,
      detail: `Connected to ${answer.team ?? 'the workspace'} as ${answer.user ?? 'the assistant'}.${notes}`,
    }
  } catch (error) {
    const known = toAdapterError(error)
    const problem = tokenProblem(known)
    return { name, ok: false, detail: problem === undefined ? known.message : `${problem.message} ${problem.fix}` }
  }
}

async function checkAppToken(client: webApi.WebClient): Promise<TokenCheck> {
  const name = 'SLACK_APP_TOKEN'
  try {
    await client.apps.connections.open()
    return { name, ok: true, detail: 'Socket Mode can connect.' }
  } catch (error) {
    const isScope = slackCode(toAdapterError(error)) === 'missing_scope'
    const fix = 'Create an app-level token (xapp-…) with connections:write under Basic Information.'
    return {
      name,
      ok: false,
      detail: isScope ? `The app token lacks connections:write. ${fix}` : `${errorLine(toAdapterError(error))} ${fix}`,
    }
  }
}

function checkSecret(secret: string): TokenCheck {
  const ok = /^[0-9a-f]{32}$/.test(secret)
  const detail = ok
    ? 'It looks like a signing secret; only a request from Slack can prove it.'
    : 'A signing secret has 32 hex digits: Basic Information, App Credentials.'
  return { name: 'SLACK_SIGNING_SECRET', ok, detail }
}

export interface SetupSlackOptions {
  /** The text of config/slack-manifest.yaml. */
  manifest: string
  mode: 'socket' | 'http'
  print(line: string): void
  /** Asks for one secret; the answer is not shown. '' gives up. */
  prompt(question: string): Promise<string>
  /** Gets the settings once all of them work. */
  writeEnv(values: Readonly<Record<string, string>>): Promise<void>
  apiUrl?: string
  logger: Logger
}

/** `assistant setup slack`: true when everything works and is written. */
export async function setupSlack(options: SetupSlackOptions): Promise<boolean> {
  const { print, prompt, mode } = options
  for (const line of setupSteps(options.manifest, mode)) print(line)
  const botToken = (await prompt('Bot User OAuth Token (xoxb-…): ')).trim()
  const appToken = mode === 'socket' ? (await prompt('App-Level Token (xapp-…): ')).trim() : ''
  const signingSecret = mode === 'http' ? (await prompt('Signing Secret: ')).trim() : ''
  if (botToken === '' || (appToken === '' && signingSecret === '')) {
    print('Nothing was changed: a token is missing.')
    return false
  }
  const checks = await checkTokens({ botToken, appToken, signingSecret }, options)
  for (const check of checks) print(`${check.ok ? '✔' : '✖'} ${check.name}: ${check.detail}`)
  if (!checks.every((check) => check.ok)) {
    print('Nothing was changed.')
    return false
  }
  await options.writeEnv(envOf({ botToken, appToken, signingSecret }))
  print('Saved. Start it with `npm start`, then write to the assistant in Slack.')
  return true
}

export function setupSteps(manifest: string, mode: 'socket' | 'http'): string[] {
  const secret =
    mode === 'socket'
      ? '3. Basic Information, App-Level Tokens: generate one with the scope connections:write (xapp-…).'
      : '3. Basic Information, App Credentials: copy the Signing Secret. Turn Socket Mode off, and set the three request URLs to https://YOUR-HOST/slack/events.'
  return [
    `1. Open ${NEW_APP_PAGE}, choose "From a manifest", your workspace, and paste this:`,
    '',
    manifest.trimEnd(),
    '',
    '2. Install App: install it, and copy the Bot User OAuth Token (xoxb-…).',
    secret,
    '',
  ]
}

function envOf({ botToken, appToken, signingSecret }: SlackTokens): Record<string, string> {
  return {
    SLACK_BOT_TOKEN: botToken,
    ...(appToken === '' ? {} : { SLACK_APP_TOKEN: appToken }),
    ...(signingSecret === '' ? {} : { SLACK_SIGNING_SECRET: signingSecret }),
  }
}
