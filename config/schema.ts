/** Every setting: its place in the settings file, its default, its bounds. Variables of the environment are listed in variables.ts. */
import { z } from 'zod'
import { parseOllamaHost } from '../src/core/ollama-host.ts'
import { duration, list, onOff, size, wholeNumber } from './units.ts'

const accessList = z
  .strictObject({
    scopes: list().describe('Workspace (Slack) or guild (Discord) ids; empty: the one that the token belongs to'),
    channels: list().describe('Channel ids in which everybody may use the assistant'),
    users: list().describe('User ids; * for everybody'),
    groups: list().describe('User group (Slack) or role (Discord) ids'),
    admins: list().describe('User ids who may do everything'),
    approvers: list().describe('User ids who decide on plans; empty: the requester, unless the plan is high-risk'),
  })
  .prefault({})

const ollamaHost = z.string().transform((text, context) => {
  const host = parseOllamaHost(text)
  if (host !== undefined) return host
  context.addIssue({
    code: 'custom',
    message: 'expected an address such as "127.0.0.1:11434" or "http://gpu-box:11434"',
  })
  return z.NEVER
})

const secret = z.string().min(8, 'expected at least 8 characters').nullable().default(null)

const apiToken = z.strictObject({
  name: z.string().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the token in 64 hex digits'),
  scopes: z.array(z.enum(['read', 'submit', 'approve', 'admin'])).min(1),
})

export const settingsSchema = z.strictObject({
  home: z.string().min(1).nullable().default(null).describe('Folder of tasks.db and tasks/; default: the clone'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .nullable()
    .default(null)
    .describe("Of the program's own log; default: info, and warn where it would be written to a terminal"),
  api: z
    .strictObject({
      enabled: onOff(true),
      host: z.string().min(1).default('127.0.0.1'),
      port: wholeNumber(8420, { min: 0, max: 65_535 }),
      token: secret.describe('One token with every scope; needed to listen elsewhere than on loopback'),
      tokens: z.array(apiToken).default([]),
      allowedHosts: list().describe('Host names, beside those of loopback, under which the API is reached'),
    })
    .prefault({}),
  model: z
    .strictObject({
      host: ollamaHost.prefault('127.0.0.1:11434'),
      name: z.string().min(1).default('qwen3:8b'),
      coldStart: duration('15 min', { min: '1 s', max: '2 h' }).describe(
        'Longest wait for the first byte: a cold model takes minutes',
      ),
      idle: duration('2 min', { min: '1 s', max: '1 h' }).describe('Longest silence within a reply'),
      apiKey: secret,
    })
    .prefault({}),
  sandbox: z
    .strictObject({
      kind: z.enum(['bubblewrap', 'none']).default('bubblewrap'),
      grace: duration('1 s', { min: '0 ms', max: '1 min' }).describe('Between TERM and KILL when a task is stopped'),
      memory: size('2 GB', { min: '32 MB', max: '1024 GB' }),
      processes: wholeNumber(256, { min: 8, max: 32_768 }),
      cpu: duration('1 h', { min: '1 s', max: '7 d' }),
      file: size('2 GB', { min: '1 MB', max: '1024 GB' }),
      disk: size('4 GB', { min: '1 MB', max: '1024 GB' }),
      openFiles: wholeNumber(1024, { min: 64, max: 65_536 }),
      scratch: size('512 MB', { min: '1 MB', max: '64 GB' }),
      environment: z.record(z.string(), z.string()).default({}).describe('Names and values that tasks see'),
      networkHosts: list().describe(
        'Hosts that a task with network may reach; empty: those that its approved plan names',
      ),
    })
    .prefault({}),
  worker: z
    .strictObject({
      concurrency: wholeNumber(2, { min: 1, max: 64 }),
      lease: duration('30 s', { min: '1 s', max: '10 min' }),
      stopGrace: duration('20 s', { min: '0 ms', max: '1 h' }).describe(
        'Running tasks may end within this time when the program stops',
      ),
      stepTimeout: duration('10 min', { min: '1 s', max: '7 d' }),
      taskTimeout: duration('1 h', { min: '1 s', max: '7 d' }),
      repairRounds: wholeNumber(2, { min: 0, max: 10 }),
    })
    .prefault({}),
  limits: z
    .strictObject({
      log: size('64 MB', { min: '64 KB', max: '16 GB' }).describe(
        'Kept of what a task prints; beyond it the middle is dropped',
      ),
      printed: size('4 GB', { min: '64 KB', max: '1024 GB' }).describe('A task that prints more is stopped'),
      input: size('200 MB', { min: '1 KB', max: '16 GB' }),
      inputs: wholeNumber(20, { min: 0, max: 1000 }),
      output: size('2 GB', { min: '1 KB', max: '1024 GB' }),
      outputs: wholeNumber(10_000, { min: 1, max: 1_000_000 }),
      perRequester: wholeNumber(200, { min: 1, max: 1_000_000 }),
      perChannel: wholeNumber(500, { min: 1, max: 1_000_000 }),
      queue: wholeNumber(10_000, { min: 1, max: 10_000_000 }),
    })
    .prefault({}),
  approval: z
    .strictObject({
      expiry: duration('24 h', { min: '1 min', max: '30 d' }),
      notTheRequester: onOff(false).describe('Somebody other than the requester has to approve'),
    })
    .prefault({}),
  access: z.strictObject({ slack: accessList, discord: accessList, anyoneMayCancel: onOff(false) }).prefault({}),
  retention: z
    .strictObject({
      keep: duration('30 d', { min: '1 h', max: '3650 d' }).describe(
        'Ended tasks older than this are removed with their files',
      ),
      disk: size('50 GB', { min: '1 MB', max: '1024 GB' }).describe(
        'Together the folders of tasks may take this much; beyond it the oldest ended tasks are removed',
      ),
    })
    .prefault({}),
  policy: z.strictObject({ rules: z.array(z.unknown()).default([]) }).prefault({}),
  slack: z
    .strictObject({
      botToken: secret,
      appToken: secret,
      signingSecret: secret,
      mode: z.enum(['socket', 'http']).default('socket'),
      port: wholeNumber(8421, { min: 0, max: 65_535 }),
      apiUrl: z.url().nullable().default(null),
    })
    .prefault({}),
  discord: z
    .strictObject({
      token: secret,
      apiUrl: z.url().nullable().default(null),
      commandGuilds: list().describe('Guild ids to register the commands in; empty: globally'),
    })
    .prefault({}),
})

export type Settings = z.infer<typeof settingsSchema>
