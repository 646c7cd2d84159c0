/** `assistant init` and `assistant setup`: what to copy from where, checked live, written to `.env`. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Dialogue } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import { createRedactor } from '../core/redact.ts'
import type { ChatName } from './chats.ts'
import { writeEnvFile } from './env-file.ts'
import { createProgramLog } from './program-log.ts'

const shipped = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

/** True when everything works and is written. */
export async function setup(platform: ChatName, config: Config, dialogue: Dialogue): Promise<boolean> {
  const isComplete = platform === 'slack' ? await setupSlack(config, dialogue) : await setupDiscord(config, dialogue)
  if (isComplete) await letIn(platform, config, dialogue)
  return isComplete
}

/** Writes `.env` and the settings file where there are none, from the examples. */
export async function init(config: Config, dialogue: Dialogue): Promise<boolean> {
  if (existsSync(config.envFile)) dialogue.say(`${config.envFile} is there already.`)
  else {
    writeEnvFile(config.envFile, {})
    dialogue.say(`Wrote ${config.envFile} (mode 0600). .env.example says what can be in it.`)
  }
  if (existsSync(config.settingsFile)) dialogue.say(`${config.settingsFile} is there already.`)
  else {
    copyFileSync(shipped('config/settings.example.yaml'), config.settingsFile)
    dialogue.say(`Wrote ${config.settingsFile}.`)
  }
  for (const platform of ['slack', 'discord'] as const) {
    const answer = await dialogue.ask(`Set up ${platform} now? (y/N) `)
    if (/^y(es)?$/i.test(answer?.trim() ?? '')) await setup(platform, config, dialogue)
  }
  dialogue.say('Start everything with `npm start`.')
  return true
}

async function setupSlack(config: Config, dialogue: Dialogue): Promise<boolean> {
  const { setupSlack: run } = await import('../../adapters/slack/setup.ts')
  return run({
    manifest: readFileSync(shipped('config/slack-manifest.yaml'), 'utf8'),
    mode: config.slack.mode,
    ...dialogueFor(config, dialogue),
    ...(config.slack.apiUrl === null ? {} : { apiUrl: config.slack.apiUrl }),
  })
}

async function setupDiscord(config: Config, dialogue: Dialogue): Promise<boolean> {
  const { setupDiscord: run } = await import('../../adapters/discord/setup.ts')
  return run({
    ...dialogueFor(config, dialogue),
    ...(config.discord.apiUrl === null ? {} : { apiUrl: config.discord.apiUrl }),
  })
}

function dialogueFor(config: Config, dialogue: Dialogue) {
  const redactor = createRedactor({ secrets: config.secrets })
  return {
    print: (line: string) => dialogue.say(line),
    prompt: async (question: string) => (await dialogue.ask(question, { secret: true })) ?? '',
    writeEnv: async (values: Readonly<Record<string, string>>) => writeEnvFile(config.envFile, values),
    logger: createProgramLog('error', redactor, (line) => dialogue.say(line.trimEnd())),
  }
}

const WHERE_IDS_ARE = {
  slack: 'Your member ID (your profile, ⋮, Copy member ID), or * for everybody in the workspace: ',
  discord: 'Your user ID (Developer Mode on, right-click your name, Copy User ID), or * for everybody in the servers: ',
} as const

/** Somebody has to be on a list, or nobody may ask. */
async function letIn(platform: ChatName, config: Config, dialogue: Dialogue): Promise<void> {
  const name = `${platform.toUpperCase()}_ALLOWED_USERS`
  const ids = (await dialogue.ask(WHERE_IDS_ARE[platform]))?.trim() ?? ''
  if (ids === '') {
    dialogue.say(`Nobody is let in yet: set ${name} in ${config.envFile}.`)
    return
  }
  writeEnvFile(config.envFile, { [name]: ids, ...(ids === '*' ? {} : { [`${platform.toUpperCase()}_ADMINS`]: ids }) })
  dialogue.say(`Saved ${name}=${ids}.`)
}
