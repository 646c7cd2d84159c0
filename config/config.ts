/**
 * Settings, from three places, the first that has one wins: variables of the environment, `.env`, the settings file.
 * The only code that reads the environment. Every mistake is reported at once, by name, with what was read and what is expected.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { unescape as decodeLeniently } from 'node:querystring'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import type { z } from 'zod'
import { errorLine, SetupError } from '../src/core/errors.ts'
import { type Settings, settingsSchema } from './schema.ts'
import { SECRET_VARIABLES, VARIABLES } from './variables.ts'

const require = createRequire(import.meta.url)

export interface Config extends Settings {
  home: string
  databaseFile: string
  tasksFolder: string
  /** Small files of the program's own: sockets, sandbox state. Never inside tasks/. */
  stateFolder: string
  envFile: string
  settingsFile: string
  /** Every secret value the program knows; for the redactor only. */
  secrets: readonly string[]
  /** What is odd but not wrong, a sentence each. */
  warnings: readonly string[]
}

export interface ConfigSources {
  /** The clone: where `.env` and the settings file are. */
  root?: string
  /** Secrets are removed from it once read, so that no child inherits them. */
  environment?: NodeJS.ProcessEnv
}

/** A value as it may be shown, and where it was read. */
type Origin = { value: string; from: string }
type Tree = { [key: string]: unknown }

/** Reads and checks the settings. Throws SetupError listing every mistake. */
export function loadConfig(sources: ConfigSources = {}): Readonly<Config> {
  const root = sources.root ?? fileURLToPath(new URL('..', import.meta.url))
  const environment = sources.environment ?? process.env
  const envFile = resolve(root, environment.ASSISTANT_ENV_FILE ?? '.env')
  const settingsFile = resolve(root, environment.ASSISTANT_SETTINGS ?? 'config/settings.yaml')
  const origins = new Map<string, Origin>()
  const settings = readSettingsFile(settingsFile)
  const places = [
    { variables: readEnvFile(envFile), place: '.env' },
    { variables: readCredentials(environment), place: 'systemd credentials' },
    { variables: environment, place: 'the environment' },
  ]
  for (const { variables, place } of places) addVariables(settings, origins, variables, place)
  const parsed = settingsSchema.safeParse(settings)
  if (!parsed.success) throw mistakes(parsed.error, settings, origins, settingsFile)
  const known = [...places.map(({ variables }) => variables), parsed.data.sandbox.environment]
  const secrets = secretsOf(parsed.data, known)
  const warnings = warningsOf(envFile, environment)
  for (const name of SECRET_VARIABLES) delete environment[name]
  const home = resolve(root, parsed.data.home ?? '.')
  return Object.freeze({
    ...parsed.data,
    home,
    databaseFile: join(home, 'tasks.db'),
    tasksFolder: join(home, 'tasks'),
    stateFolder: join(home, 'run'),
    envFile,
    settingsFile,
    secrets,
    warnings,
  })
}

function readSettingsFile(file: string): Tree {
  if (!existsSync(file)) return {}
  try {
    // Most have no such file, and its parser takes longer to load than all of these settings.
    const { parse }: typeof import('yaml') = require('yaml')
    const read: unknown = parse(readFileSync(file, 'utf8')) ?? {}
    if (isTree(read)) return read
  } catch (error) {
    throw new SetupError('settings', `The settings file cannot be read: ${errorLine(error)}`, `Mend ${file}.`)
  }
  throw new SetupError('settings', 'The settings file holds no settings.', `Write "name: value" lines into ${file}.`)
}

function readEnvFile(file: string): NodeJS.Dict<string> {
  return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}
}

/** Secrets that systemd hands over as files (LoadCredential=), named as the variables are. */
function readCredentials(environment: NodeJS.ProcessEnv): NodeJS.Dict<string> {
  const folder = environment.CREDENTIALS_DIRECTORY
  if (folder === undefined) return {}
  const files = SECRET_VARIABLES.map((name) => [name, join(folder, name)] as const).filter(([, file]) =>
    existsSync(file),
  )
  return Object.fromEntries(files.map(([name, file]) => [name, readFileSync(file, 'utf8').trim()]))
}

function addVariables(
  settings: Tree,
  origins: Map<string, Origin>,
  variables: NodeJS.Dict<string>,
  place: string,
): void {
  for (const [name, path] of Object.entries(VARIABLES)) {
    const value = variables[name]
    if (value === undefined || value.trim() === '') continue
    setPath(settings, path.split('.'), value)
    const isSecret = SECRET_VARIABLES.some((each) => each === name)
    origins.set(path, { value: isSecret ? '(hidden)' : JSON.stringify(value), from: `${name} (${place})` })
  }
}

function setPath(tree: Tree, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path
  if (head === undefined) return
  if (rest.length === 0) {
    tree[head] = value
    return
  }
  const inner = tree[head]
  const next: Tree = isTree(inner) ? inner : {}
  tree[head] = next
  setPath(next, rest, value)
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mistakes(error: z.ZodError, settings: Tree, origins: Map<string, Origin>, file: string): SetupError {
  const lines = error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownSetting([...issue.path, key], file))
    const path = issue.path.map(String)
    const origin = originOf(origins, path.join('.'))
    const name = origin?.from ?? `${path.join('.') || 'settings'} (${file})`
    return [`  ${name}: read ${origin?.value ?? shown(valueAt(settings, path), path)}, ${issue.message}`]
  })
  const count = lines.length === 1 ? 'One setting is wrong' : `${lines.length} settings are wrong`
  return new SetupError('settings', `${count}:\n${lines.join('\n')}`, 'Correct what is listed and start again.')
}

function unknownSetting(path: readonly PropertyKey[], file: string): string {
  return `  ${path.map(String).join('.')} (${file}): there is no such setting`
}

const SECRET_PATHS: ReadonlySet<string> = new Set(SECRET_VARIABLES.map((name) => VARIABLES[name]))

/** A value as a mistake may show it: no secret, and never a whole group of settings, which could hold one. */
function shown(value: unknown, path: readonly string[]): string {
  if (value === undefined) return 'nothing'
  if (SECRET_PATHS.has(path.join('.'))) return '(hidden)'
  if (Array.isArray(value)) return 'a list'
  return isTree(value) ? 'a group of settings' : JSON.stringify(value)
}

/** The variable that set this path, or the part of it that is a list's or record's entry. */
function originOf(origins: Map<string, Origin>, path: string): Origin | undefined {
  for (const [known, origin] of origins) if (path === known || path.startsWith(`${known}.`)) return origin
  return undefined
}

function valueAt(tree: unknown, path: readonly string[]): unknown {
  let value = tree
  for (const key of path) value = isTree(value) || Array.isArray(value) ? Reflect.get(value, key) : undefined
  return value
}

const SECRET_NAME =
  /TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|(API|ACCESS|AUTH|ENCRYPTION|MASTER|SIGNING)_?KEY|CREDENTIAL|PRIVATE|WEBHOOK|(^|_)(PASS|PAT|DSN)$/i
const LEAST_SECRET_LENGTH = 8

/** The settings' own secrets, and whatever else in the environment, in `.env` or among what tasks are given is named like one. */
function secretsOf(settings: Settings, places: readonly NodeJS.Dict<string>[]): string[] {
  const own = [
    settings.api.token,
    settings.model.apiKey,
    settings.slack.botToken,
    settings.slack.appToken,
    settings.slack.signingSecret,
    settings.discord.token,
    passwordIn(settings.model.host),
  ]
  const values = [...own, ...places.flatMap(namedAsSecret)]
  return [...new Set(values)].filter((value): value is string => value != null && value.length >= LEAST_SECRET_LENGTH)
}

/** Values of names such as GITHUB_TOKEN, and passwords in addresses such as DATABASE_URL's. */
function namedAsSecret(variables: NodeJS.Dict<string>): (string | null)[] {
  return Object.entries(variables).flatMap(([name, value = '']) => {
    if (name.startsWith('npm_')) return []
    return SECRET_NAME.test(name) ? [value, passwordIn(value)] : [passwordIn(value)]
  })
}

function passwordIn(value: string): string | null {
  if (!value.includes('://') || !value.includes('@')) return null
  const { password = '' } = URL.parse(value) ?? {}
  return password === '' ? null : decodeLeniently(password)
}

function warningsOf(envFile: string, environment: NodeJS.ProcessEnv): string[] {
  const warnings: string[] = []
  if (existsSync(envFile) && (statSync(envFile).mode & 0o077) !== 0) {
    warnings.push('Other users of this machine can read .env: run `chmod 600 .env`.')
  }
  const known = new Set<string>([
    ...Object.keys(VARIABLES),
    'ASSISTANT_SETTINGS',
    'ASSISTANT_ENV_FILE',
    'ASSISTANT_TEST_REPORT',
  ])
  for (const name of [...Object.keys(environment), ...Object.keys(readEnvFile(envFile))]) {
    if (/^ASSISTANT_/.test(name) && !known.has(name)) warnings.push(`${name} is not a setting; it is ignored.`)
  }
  return [...new Set(warnings)]
}
