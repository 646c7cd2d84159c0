import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../config/config.ts'
import { settingsSchema } from '../../config/schema.ts'
import { VARIABLES } from '../../config/variables.ts'
import { SetupError } from '../../src/core/errors.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'assistant-config-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function load(environment: Record<string, string> = {}) {
  return loadConfig({ root, environment })
}

function settingsFile(text: string): string {
  const file = join(root, 'settings.yaml')
  writeFileSync(file, text)
  return file
}

describe('settings', () => {
  it('have a default for everything', () => {
    const config = load()
    expect(config).toMatchObject({
      home: root,
      databaseFile: join(root, 'tasks.db'),
      tasksFolder: join(root, 'tasks'),
      api: { host: '127.0.0.1', port: 8420, token: null },
      model: { host: 'http://127.0.0.1:11434' },
      sandbox: { kind: 'bubblewrap', memory: 2 * 1024 ** 3 },
      worker: { repairRounds: 2, stepTimeout: 600_000 },
    })
    expect(config.secrets).toEqual([])
  })

  it('come from the environment before .env before the settings file', () => {
    const file = settingsFile('api:\n  port: 1\nmodel:\n  name: from-file\nworker:\n  concurrency: 3\n')
    writeFileSync(join(root, '.env'), 'ASSISTANT_API_PORT=2\nASSISTANT_MODEL=from-dotenv\n')
    const config = load({ ASSISTANT_SETTINGS: file, ASSISTANT_API_PORT: '3' })
    expect(config.api.port).toBe(3)
    expect(config.model.name).toBe('from-dotenv')
    expect(config.worker.concurrency).toBe(3)
  })

  it('are all wrong at once: each mistake has its name, what was read and what is expected', () => {
    const file = settingsFile('worker:\n  concurrency: many\nsurprise: 1\n')
    const environment = {
      ASSISTANT_SETTINGS: file,
      ASSISTANT_API_PORT: '80000',
      ASSISTANT_SANDBOX: 'docker',
      ASSISTANT_STEP_TIMEOUT: 'soon',
    }
    const error = thrown(() => load(environment))
    expect(error.message).toContain('5 settings are wrong')
    expect(error.message).toContain(
      'ASSISTANT_API_PORT (the environment): read "80000", expected a whole number from 0 to 65535',
    )
    expect(error.message).toContain('ASSISTANT_SANDBOX (the environment): read "docker"')
    expect(error.message).toMatch(
      /ASSISTANT_STEP_TIMEOUT \(the environment\): read "soon", expected a time such as "30 s"/,
    )
    expect(error.message).toContain(`worker.concurrency (${file}): read "many"`)
    expect(error.message).toContain('surprise')
  })

  it('a setting that does not exist is named alone: nothing that stands beside it is shown', () => {
    const file = settingsFile('modell: {}\napi:\n  portt: 5\n')
    const environment = {
      ASSISTANT_SETTINGS: file,
      ASSISTANT_API_TOKEN: 'token-nobody-may-see',
      SLACK_BOT_TOKEN: 'xoxb-nobody-may-see',
    }
    const { message } = thrown(() => load(environment))
    expect(message).toContain(`modell (${file}): there is no such setting`)
    expect(message).toContain(`api.portt (${file}): there is no such setting`)
    expect(message).not.toContain('nobody-may-see')
  })

  it('of the wrong kind are not shown where they could hold a secret', () => {
    const { message } = thrown(() =>
      load({
        ASSISTANT_SETTINGS: settingsFile('api:\n  token: [nobody-may-see]\nslack: nobody\ndiscord:\n  token: short\n'),
      }),
    )
    expect(message).toContain('api.token')
    expect(message).not.toContain('may-see')
    expect(message).not.toContain('short')
  })

  it('never show a secret in a mistake', () => {
    const error = thrown(() => load({ SLACK_BOT_TOKEN: 'xoxb-1' }))
    expect(error.message).toContain('SLACK_BOT_TOKEN')
    expect(error.message).not.toContain('xoxb-1')
  })

  it('collect every secret for the redactor and take them out of the environment that children would inherit', () => {
    const environment: Record<string, string> = {
      SLACK_BOT_TOKEN: 'xoxb-example-token',
      GITHUB_TOKEN: 'another-secret-value',
      PATH: '/usr/bin',
    }
    const config = load(environment)
    expect([...config.secrets].sort()).toEqual(['another-secret-value', 'xoxb-example-token'])
    expect(environment.SLACK_BOT_TOKEN).toBeUndefined()
    expect(environment.PATH).toBe('/usr/bin')
  })

  it('take secrets from systemd credentials', () => {
    writeFileSync(join(root, 'DISCORD_TOKEN'), 'discord-secret-token\n')
    expect(load({ CREDENTIALS_DIRECTORY: root }).discord.token).toBe('discord-secret-token')
  })

  it('warn of a .env that others can read and of a variable that means nothing', () => {
    writeFileSync(join(root, '.env'), '')
    chmodSync(join(root, '.env'), 0o644)
    writeFileSync(join(root, '.env'), 'ASSISTANT_CONCURENCY=3\n')
    const { warnings } = load({ ASSISTANT_PROT: '1' })
    expect(warnings.join('\n')).toContain('chmod 600 .env')
    expect(warnings.join('\n')).toContain('ASSISTANT_CONCURENCY is not a setting')
    expect(warnings.join('\n')).toContain('ASSISTANT_PROT is not a setting')
  })

  it.each([
    ['10 min', 600_000],
    ['30s', 30_000],
    ['1.5 h', 5_400_000],
  ])('read the time %s', (text, ms) => {
    expect(load({ ASSISTANT_STEP_TIMEOUT: text }).worker.stepTimeout).toBe(ms)
  })

  it('read OLLAMA_HOST as Ollama does', () => {
    expect(load({ OLLAMA_HOST: '0.0.0.0' }).model.host).toMatch(/^http:\/\/(127\.0\.0\.1|0\.0\.0\.0):11434$/)
    expect(load({ OLLAMA_HOST: 'https://models.example' }).model.host).toBe('https://models.example')
  })

  it('read lists from a variable', () => {
    expect(load({ SLACK_ALLOWED_USERS: 'U1, U2,' }).access.slack.users).toEqual(['U1', 'U2'])
  })

  it('say where a broken settings file is', () => {
    const file = settingsFile('api: [')
    expect(thrown(() => load({ ASSISTANT_SETTINGS: file })).fix).toContain(file)
  })
})

function thrown(action: () => unknown): SetupError {
  try {
    action()
  } catch (error) {
    if (error instanceof SetupError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('what people deploy with', () => {
  const folder = fileURLToPath(new URL('../../config/', import.meta.url))

  it('the example has the defaults, each under its right name', () => {
    const { settingsFile: _file, ...fromExample } = load({ ASSISTANT_SETTINGS: join(folder, 'settings.example.yaml') })
    const { settingsFile: _other, ...defaults } = load()
    expect(fromExample).toEqual(defaults)
  })

  it('the schema for editors is that of the settings (npm run vitest -- -u writes it anew)', async () => {
    const schema = z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' })
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(folder, 'settings.schema.json'))
  })

  it('the README lists every variable, and .env.example names no other', () => {
    const readme = readFileSync(join(folder, '../README.md'), 'utf8')
    const families = readme.replace(
      /`(\w+)_ALLOWED_USERS`, `…_CHANNELS`, `…_(GROUPS|ROLES)`, `…_(WORKSPACES|GUILDS)`/g,
      (_all, name, third, fourth) =>
        ['USERS', 'CHANNELS', third, fourth].map((list) => `${name}_ALLOWED_${list}`).join(' '),
    )
    const missing = Object.keys(VARIABLES).filter((name) => !families.includes(name))
    expect(missing).toEqual([])
    const example = readFileSync(join(folder, '../.env.example'), 'utf8')
    const named = [...example.matchAll(/^#?([A-Z][A-Z_]+)=/gm)].map((match) => match[1] ?? '')
    expect(named.filter((name) => !Object.hasOwn(VARIABLES, name))).toEqual([])
  })
})
