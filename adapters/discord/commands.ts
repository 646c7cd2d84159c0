/** The commands that Discord offers for us, and telling Discord of them only when they have changed. */
import { createHash } from 'node:crypto'
import {
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ApplicationIntegrationType,
  InteractionContextType,
  type RESTPostAPIApplicationCommandsJSONBody,
} from 'discord.js'
import type { DiscordApi } from './discord-api.ts'
import type { Notes } from './notes.ts'

export const TASK_COMMAND = 'task'
export const MENU_COMMAND = 'Run as task'
export const SUBCOMMANDS = [
  'run',
  'list',
  'show',
  'logs',
  'files',
  'cancel',
  'retry',
  'refine',
  'approve',
  'reject',
  'help',
] as const
export type Subcommand = (typeof SUBCOMMANDS)[number]

const { Attachment, Integer, String: Text, Subcommand: Sub } = ApplicationCommandOptionType

const id = {
  type: Integer,
  name: 'id',
  description: 'The task; in its own thread it can be left out',
  min_value: 1,
  autocomplete: true,
} as const

const lines = {
  type: Integer,
  name: 'lines',
  description: 'How many lines (20)',
  min_value: 1,
  max_value: 200,
} as const
const prompt = {
  type: Text,
  name: 'prompt',
  description: 'What to do, in plain words',
  required: true,
  max_length: 4000,
} as const
const file = { type: Attachment, name: 'file', description: 'A file to work on' } as const
const model = { type: Text, name: 'model', description: 'Another model than the usual one', max_length: 100 } as const
const text = {
  type: Text,
  name: 'text',
  description: 'What should be different',
  required: true,
  max_length: 4000,
} as const
const reason = { type: Text, name: 'reason', description: 'Why not; the model is told', max_length: 1000 } as const

const where = {
  contexts: [InteractionContextType.Guild, InteractionContextType.BotDM],
  integration_types: [ApplicationIntegrationType.GuildInstall],
}

export const COMMANDS: readonly RESTPostAPIApplicationCommandsJSONBody[] = [
  {
    type: ApplicationCommandType.ChatInput,
    name: TASK_COMMAND,
    description: 'Have something done on the computer',
    ...where,
    options: [
      { type: Sub, name: 'run', description: 'Start a task', options: [prompt, file, model] },
      { type: Sub, name: 'list', description: 'Your latest tasks' },
      { type: Sub, name: 'show', description: 'How a task is doing', options: [id] },
      { type: Sub, name: 'logs', description: 'The last lines a task printed', options: [id, lines] },
      { type: Sub, name: 'files', description: 'The files a task made', options: [id] },
      { type: Sub, name: 'cancel', description: 'Stop a task', options: [id] },
      { type: Sub, name: 'retry', description: 'Do a task once more', options: [id] },
      { type: Sub, name: 'refine', description: 'Go on from a task with a change', options: [text, id, file] },
      { type: Sub, name: 'approve', description: 'Let a plan run', options: [id] },
      { type: Sub, name: 'reject', description: 'Refuse a plan', options: [id, reason] },
      { type: Sub, name: 'help', description: 'What can be done here' },
    ],
  },
  { type: ApplicationCommandType.Message, name: MENU_COMMAND, ...where },
]

/** Everywhere the bot is, or only in these guilds. Never both: then people would see each command twice. */
export type CommandScope = { kind: 'global' } | { kind: 'guilds'; guildIds: readonly string[] }

export interface RegisterOptions {
  api: Pick<DiscordApi, 'putCommands'>
  notes: Notes
  applicationId: string
  scope: CommandScope
}

const EMPTY = hashOf([])

/** Registers what has changed since last time, and takes away what an earlier setting had registered elsewhere. Throws AdapterError. */
export async function registerCommands({ api, notes, applicationId, scope }: RegisterOptions): Promise<void> {
  const wanted: readonly (string | null)[] = scope.kind === 'global' ? [null] : scope.guildIds
  const before = await registeredIn(notes, applicationId)
  const gone = before.filter((guildId) => !wanted.includes(guildId))
  for (const guildId of gone) await put(guildId, [])
  for (const guildId of wanted) await put(guildId, COMMANDS)
  if (gone.length > 0 || wanted.some((guildId) => !before.includes(guildId))) {
    await notes.set(scopesKey(applicationId), wanted.map((guildId) => guildId ?? 'global').join(','))
  }

  async function put(guildId: string | null, commands: readonly object[]): Promise<void> {
    const key = `discord:commands:${applicationId}:${guildId ?? 'global'}`
    const hash = hashOf(commands)
    if (((await notes.get(key)) ?? EMPTY) === hash) return
    await api.putCommands({ guildId }, commands)
    await notes.set(key, hash)
  }
}

async function registeredIn(notes: Notes, applicationId: string): Promise<(string | null)[]> {
  const scopes = (await notes.get(scopesKey(applicationId))) ?? ''
  return scopes
    .split(',')
    .filter((name) => name !== '')
    .map((name) => (name === 'global' ? null : name))
}

function scopesKey(applicationId: string): string {
  return `discord:commands:${applicationId}:scopes`
}

function hashOf(commands: readonly object[]): string {
  return createHash('sha256').update(JSON.stringify(commands)).digest('hex')
}
