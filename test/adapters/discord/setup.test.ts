import { expect, test } from 'vitest'
import { checkToken, inviteUrl, SETUP_STEPS, setupDiscord } from '../../../adapters/discord/setup.ts'
import { createDiscordServer } from '../../fakes/discord-server.ts'

test('the invite asks for the least permissions that the work needs, and for commands', () => {
  const url = new URL(inviteUrl('123'))
  expect(url.searchParams.get('client_id')).toBe('123')
  expect(url.searchParams.get('scope')).toBe('bot applications.commands')
  const bits = [6n, 10n, 11n, 14n, 15n, 16n, 35n, 38n]
  expect(url.searchParams.get('permissions')).toBe(String(bits.reduce((sum, bit) => sum | (1n << bit), 0n)))
})

test('setup shows pages and switches, checks the token live, prints the invite and hands over what to write', async () => {
  await using server = await createDiscordServer()
  const printed: string[] = []
  const written: Readonly<Record<string, string>>[] = []
  const ok = await setupDiscord({
    print: (line) => void printed.push(line),
    prompt: async () => `  Bot ${server.token}\n`,
    writeEnv: async (values) => void written.push(values),
    apiUrl: server.apiUrl,
  })
  expect(ok).toBe(true)
  expect(written).toEqual([{ DISCORD_TOKEN: server.token }])
  const text = printed.join('\n')
  expect(text).toContain(SETUP_STEPS[0])
  expect(text).toContain(inviteUrl(server.state.app.id))
  expect(text).not.toContain(server.token)
})

test('a wrong token changes nothing and says where to get another', async () => {
  await using server = await createDiscordServer()
  const printed: string[] = []
  const options = {
    print: (line: string) => void printed.push(line),
    writeEnv: () => Promise.reject(new Error('must not be written')),
    apiUrl: server.apiUrl,
  }
  expect(await setupDiscord({ ...options, prompt: async () => 'nonsense' })).toBe(false)
  expect(printed.join('\n')).toContain('Reset the token')
  expect(await setupDiscord({ ...options, prompt: async () => '' })).toBe(false)
})

test('doctor is told of the switch that is off, of servers, and of Discord being away', async () => {
  await using server = await createDiscordServer()
  server.people.addGuild('Workshop')
  server.setContentIntent(true)
  expect((await checkToken(server.token, server)).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok'])
  Object.assign(server.state.app, { flags: 0 })
  const [, content] = await checkToken(server.token, server)
  expect(content).toMatchObject({ state: 'warning', fix: expect.stringContaining(`${server.state.app.id}/bot`) })
  await server.down()
  expect(await checkToken(server.token, server)).toMatchObject([
    { state: 'failed', detail: expect.stringContaining('cannot be reached') },
  ])
})
