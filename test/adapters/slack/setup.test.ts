import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { SHORTCUT } from '../../../adapters/slack/modals.ts'
import { checkTokens, REQUIRED_SCOPES, setupSlack, WANTED_SCOPES } from '../../../adapters/slack/setup.ts'
import { startSlackServer } from '../../fakes/slack-server.ts'
import { BOT_SCOPES } from '../../fakes/slack-server-state.ts'
import { recordingLogger } from './harness.ts'

const MANIFEST = readFileSync(new URL('../../../config/slack-manifest.yaml', import.meta.url), 'utf8')
const logger = recordingLogger([])

/** Runs the dialogue with these answers; what was printed and written comes back. */
async function dialogue(
  answers: string[],
  mode: 'socket' | 'http' = 'socket',
  prepare = (_scopes: Set<string>): void => undefined,
) {
  await using slack = await startSlackServer()
  prepare(slack.world.bot.scopes)
  const printed: string[] = []
  const written: Readonly<Record<string, string>>[] = []
  const ok = await setupSlack({
    manifest: MANIFEST,
    mode,
    print: (line) => void printed.push(line),
    prompt: async () => answers.shift() ?? '',
    writeEnv: async (values) => void written.push(values),
    apiUrl: slack.apiUrl,
    logger,
  })
  return { ok, written, printed: printed.join('\n') }
}

test('the manifest has exactly the scopes that the code names, the events, the command, the shortcut and Home', () => {
  const manifest = parse(MANIFEST)
  const scopes: string[] = manifest.oauth_config.scopes.bot
  expect(scopes.toSorted()).toEqual([...REQUIRED_SCOPES, ...Object.keys(WANTED_SCOPES)].toSorted())
  expect(new Set(scopes)).toEqual(new Set(BOT_SCOPES))
  expect(manifest.settings).toMatchObject({ socket_mode_enabled: true, interactivity: { is_enabled: true } })
  expect(manifest.settings.event_subscriptions.bot_events).toEqual([
    'app_home_opened',
    'app_mention',
    'message.channels',
    'message.groups',
    'message.im',
  ])
  expect(manifest.features.slash_commands).toHaveLength(1)
  expect(manifest.features.slash_commands[0].command).toBe('/task')
  expect(manifest.features.shortcuts[0]).toMatchObject({ type: 'message', callback_id: SHORTCUT })
  expect(manifest.features.app_home).toMatchObject({ home_tab_enabled: true, messages_tab_read_only_enabled: false })
})

test('setup prints the manifest and the page, checks the tokens live, and hands over what to write', async () => {
  const { ok, written, printed } = await dialogue([' xoxb-good ', 'xapp-good'])
  expect(ok).toBe(true)
  expect(written).toEqual([{ SLACK_BOT_TOKEN: 'xoxb-good', SLACK_APP_TOKEN: 'xapp-good' }])
  expect(printed).toContain('https://api.slack.com/apps?new_app=1')
  expect(printed).toContain('callback_id: run_as_task')
  expect(printed).toContain('✔ SLACK_BOT_TOKEN: Connected to Tests as assistant.')
  expect(printed).not.toContain('xoxb-good')
})

test('over HTTP it asks for the signing secret and says which addresses to set', async () => {
  const { ok, written, printed } = await dialogue(['xoxb-good', 'a'.repeat(32)], 'http')
  expect(ok).toBe(true)
  expect(written[0]).toEqual({ SLACK_BOT_TOKEN: 'xoxb-good', SLACK_SIGNING_SECRET: 'a'.repeat(32) })
  expect(printed).toContain('/slack/events')
})

test.each([
  ['a wrong bot token', ['xoxb-wrong', 'xapp-good'], 'does not accept the bot token'],
  ['a wrong app token', ['xoxb-good', 'xapp-wrong'], 'connections:write'],
  ['tokens the wrong way round', ['xapp-good', 'xoxb-good'], 'xapp-'],
] as const)('%s: the fix is said, and nothing is written', async (_name, answers, words) => {
  const { ok, written, printed } = await dialogue([...answers])
  expect(ok).toBe(false)
  expect(written).toEqual([])
  expect(printed).toContain(words)
  expect(printed).toContain('Nothing was changed')
})

test('a missing answer changes nothing', async () => {
  expect(await dialogue(['xoxb-good', ''])).toMatchObject({ ok: false, written: [] })
})

test('a scope that is needed stops it, a scope that is only wanted is named with what is lost', async () => {
  const needed = await dialogue(['xoxb-good', 'xapp-good'], 'socket', (scopes) => void scopes.delete('chat:write'))
  expect(needed.ok).toBe(false)
  expect(needed.printed).toMatch(/chat:write.*reinstall/)
  const wanted = await dialogue(['xoxb-good', 'xapp-good'], 'socket', (scopes) => void scopes.delete('files:write'))
  expect(wanted.ok).toBe(true)
  expect(wanted.printed).toContain('Without files:write, outputs cannot be uploaded.')
})

test('an unreachable Slack is said, and nothing is thrown', async () => {
  await using slack = await startSlackServer()
  slack.faults.down()
  const checks = await checkTokens(
    { botToken: 'xoxb-good', appToken: 'xapp-good', signingSecret: 'short' },
    { apiUrl: slack.apiUrl, logger },
  )
  expect(checks.map((check) => check.ok)).toEqual([false, false, false])
  expect(checks[0]?.detail).toContain('cannot be reached')
})
