import { expect, test } from 'vitest'
import { COMMANDS, type CommandScope, registerCommands } from '../../../adapters/discord/commands.ts'
import { eventually } from '../../eventually.ts'
import { createHarness, memoryNotes } from './harness.ts'

function bench() {
  const puts: { guildId: string | null; count: number }[] = []
  const notes = memoryNotes()
  const api = {
    putCommands: async (scope: { guildId: string | null }, commands: readonly object[]) => {
      puts.push({ ...scope, count: commands.length })
    },
  }
  const register = (scope: CommandScope) => registerCommands({ api, notes, applicationId: '9', scope })
  return { puts, notes, api, register }
}

test('commands are registered once, and again only when they change', async () => {
  const { puts, notes, register } = bench()
  await register({ kind: 'global' })
  await register({ kind: 'global' })
  expect(puts).toEqual([{ guildId: null, count: 2 }])
  notes.values.set('discord:commands:9:global', 'of an older version')
  await register({ kind: 'global' })
  expect(puts).toHaveLength(2)
})

test('they are in the guilds or everywhere, never both: what an earlier setting left is taken away', async () => {
  const { puts, register } = bench()
  await register({ kind: 'global' })
  await register({ kind: 'guilds', guildIds: ['1', '2'] })
  await register({ kind: 'guilds', guildIds: ['2'] })
  await register({ kind: 'global' })
  expect(puts).toEqual([
    { guildId: null, count: 2 },
    { guildId: null, count: 0 },
    { guildId: '1', count: 2 },
    { guildId: '2', count: 2 },
    { guildId: '1', count: 0 },
    { guildId: '2', count: 0 },
    { guildId: null, count: 2 },
  ])
})

test('a registration that failed is tried again', async () => {
  const { puts, api, register } = bench()
  const { putCommands } = api
  api.putCommands = () => Promise.reject(new Error('down'))
  await expect(register({ kind: 'global' })).rejects.toThrow('down')
  api.putCommands = putCommands
  await register({ kind: 'global' })
  expect(puts).toHaveLength(1)
})

test('Discord takes the definitions, and a restart does not send them again', async () => {
  await using harness = await createHarness()
  const { server } = harness
  await eventually(() => expect(server.state.commands.get('global')).toHaveLength(COMMANDS.length))
  await eventually(() => expect(harness.notes.values.size).toBe(2))
  const again = await harness.restart()
  await eventually(() => expect(again.health()).toEqual({ ok: true, problem: '' }))
  expect(server.requests.filter(({ method }) => method === 'PUT')).toHaveLength(1)
})

test('where the bot was added without its commands, health says so and the rest works', async () => {
  await using harness = await createHarness({ commandScope: { kind: 'guilds', guildIds: ['404404'] } })
  const { server, inbox, ana, channel, adapter } = harness
  await eventually(() => expect(adapter.health().problem).toContain('commands could not be registered'))
  server.people.say({ user: ana, channelId: channel.id, content: `<@${server.state.bot.id}> hello` })
  await eventually(() => expect(inbox.submitted).toHaveLength(1))
})
