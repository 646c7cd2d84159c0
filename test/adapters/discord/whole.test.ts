/** The whole way: people in the stand-in for Discord, the real client, inbox, store, worker, sandbox and reporter. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createDiscordAdapter } from '../../../adapters/discord/discord-adapter.ts'
import type { ChatAdapter } from '../../../src/ports/chat-adapter.ts'
import { createReporter, type Reporter } from '../../../src/reporter/create-reporter.ts'
import { eventually } from '../../eventually.ts'
import { type Assembly, assemble, OPEN_ACCESS } from '../../fakes/assembly.ts'
import { createDiscordServer, type DiscordServer } from '../../fakes/discord-server.ts'
import { textsOf } from '../../fakes/discord-server-messages.ts'
import type { FakeChannel, FakeMessage, FakeUser } from '../../fakes/discord-server-state.ts'
import { type ScriptedReply, scriptedPlan } from '../../fakes/scripted-planner.ts'
import { collectingLogger } from './harness.ts'

interface Bench extends AsyncDisposable {
  server: DiscordServer
  assembly: Assembly
  channel: FakeChannel
  ana: FakeUser
  boss: FakeUser
  logged: string[]
  /** Lets time pass until this holds. */
  eventually(check: () => void | Promise<void>): Promise<void>
  /** What is read in a channel, oldest first, ours only. */
  read(channelId: string): string[]
}

let bench: Bench | undefined

afterEach(async () => {
  await bench?.[Symbol.asyncDispose]()
  bench = undefined
})

async function begin(replies: readonly ScriptedReply[] = []): Promise<Bench> {
  // Discord's own time stands still: a slow machine must not be late for its three seconds.
  const server = await createDiscordServer({ now: () => Date.UTC(2030, 0, 1) })
  server.setContentIntent(true)
  const guild = server.people.addGuild('Workshop')
  const channel = server.addChannel({ type: 0, name: 'jobs' })
  const ana = server.people.addUser('Ana')
  const boss = server.people.addUser('Boss')
  const adapters: ChatAdapter[] = []
  const discord = { ...OPEN_ACCESS.discord, scopes: [guild.id], admins: [boss.id], approvers: [boss.id] }
  const assembly = await assemble({
    replies,
    access: { ...OPEN_ACCESS, discord },
    inbox: { fetchInput: (_platform, ref, signal) => adapterOf(adapters).fetchInput(ref, signal) },
  })
  const { clock, store, workspace, inbox } = assembly
  const logged: string[] = []
  const logger = collectingLogger(logged)
  const reporter: Reporter = createReporter({
    ...{ store, workspace, adapters, clock, logger },
    config: {
      approvers: () => [boss.id],
      terms: () => ['Only the folder of the task.'],
      sandboxWarning: () => null,
      maxRounds: 3,
      timeZone: 'UTC',
      maxUploadFiles: 10,
      maxUploadBytes: 20_000_000,
    },
  })
  const adapter = createDiscordAdapter({
    token: server.token,
    apiUrl: server.apiUrl,
    commandScope: { kind: 'global' },
    ...{ clock, logger, presenter: reporter },
    notes: { get: (key) => store.getNote(key), set: (key, value) => store.setNote(key, value) },
  })
  adapters.push(adapter)
  await adapter.start(inbox)
  await reporter.start()
  bench = {
    ...{ server, assembly, channel, ana, boss, logged },
    eventually: (check) =>
      eventually(async () => {
        clock.advance(500)
        await check()
      }, 50),
    read: (channelId) =>
      server
        .messagesIn(channelId)
        .filter((message) => message.author.id === server.state.bot.id)
        .map(words),
    async [Symbol.asyncDispose]() {
      await reporter[Symbol.asyncDispose]()
      await adapter[Symbol.asyncDispose]()
      await assembly[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
  return bench
}

function adapterOf([adapter]: readonly ChatAdapter[]): ChatAdapter {
  if (adapter === undefined) throw new Error('no adapter')
  return adapter
}

function words(message: FakeMessage): string {
  const files = message.attachments.map(({ filename }) => `[${filename}]`)
  return [message.content, ...textsOf(message.components), ...files].filter(Boolean).join('\n')
}

test('a mention with a file becomes a thread with a card, a result and the files that it made', async () => {
  const { server, assembly, channel, ana, eventually, read } = await begin()
  await assembly.startWorker()
  const said = server.people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> !tr a-z A-Z < inputs/list.txt > big.txt; cat big.txt`,
    files: [{ name: 'list.txt', bytes: Buffer.from('one\ntwo\n') }],
  })
  await eventually(() => expect(read(said.id).some((text) => text.includes('[big.txt]'))).toBe(true))
  await eventually(() => expect(read(said.id)[0]).toContain('✅ Done in'))
  expect(read(said.id)[1]).toContain('Task #1 done')
  expect(read(said.id)).toHaveLength(3)
  const upload = server.messagesIn(said.id).flatMap(({ attachments }) => attachments)
  expect(upload.map(({ filename, bytes }) => [filename, bytes.toString()])).toEqual([['big.txt', 'ONE\nTWO\n']])
  await eventually(() => expect([...said.reactions.keys()]).toEqual(['✅']))
  expect(server.threads().map(({ id, name }) => [id, name])).toEqual([[said.id, expect.stringContaining('#1 !tr a-z')]])
  expect(server.messagesIn(channel.id)).toHaveLength(1)
})

test('files that fit together go up as they are; one that is too large for Discord alone comes as a zip', async () => {
  const { server, assembly, channel, ana, eventually, read } = await begin()
  await assembly.startWorker()
  const ask = (command: string) =>
    server.people.say({ user: ana, channelId: channel.id, content: `<@${server.state.bot.id}> ${command}` })
  const several = ask('!for n in 1 2 3; do head -c 6000000 /dev/zero > $n.bin; done')
  await eventually(() => expect(read(several.id).join()).toContain('[1.bin]\n[2.bin]\n[3.bin]'))
  const large = ask('!head -c 12000000 /dev/zero > large.bin')
  await eventually(() => expect(read(large.id).join()).toContain('[task-2.zip]'))
})

test('"/task run", a plan that asks, a rejection with a reason, and a button that comes too late', async () => {
  const network = { hosts: ['example.org'], reason: 'the list is there' }
  const { server, assembly, channel, ana, boss, eventually, read } = await begin([
    scriptedPlan(['curl -fsS https://example.org/list.txt'], { network, summary: 'Fetches the list.' }),
  ])
  await assembly.startWorker()
  const asked = server.people.slash({
    user: ana,
    channelId: channel.id,
    sub: 'run',
    options: [{ name: 'prompt', type: 3, value: 'fetch the list' }],
  })
  await eventually(() =>
    expect(read(server.threads()[0]?.id ?? '').some((text) => text.includes('needs approval'))).toBe(true),
  )
  const [thread] = server.threads()
  if (thread === undefined) throw new Error('no thread')
  expect(server.people.seen(asked)).toContain(`<#${thread.id}>`)
  expect(read(channel.id)[0]).toContain('Task #1: fetch the list')
  const approval = server.messagesIn(thread.id).find((message) => words(message).includes('needs approval'))
  expect(approval).toMatchObject({ silent: false, pinged: [boss.id] })
  const mine = server.people.pressLabel({
    user: ana,
    channelId: thread.id,
    messageId: approval?.id ?? '',
    label: 'Approve',
  })
  await eventually(() => expect(server.people.seen(mine)).toContain('approver'))
  const reject = server.people.pressLabel({
    user: boss,
    channelId: thread.id,
    messageId: approval?.id ?? '',
    label: 'Reject',
  })
  await eventually(() => expect(reject.callback?.type).toBe(9))
  const customId = String(reject.callback?.data.custom_id)
  const form = server.people.submitModal({
    user: boss,
    channelId: thread.id,
    customId,
    fields: { field0: 'not this host' },
  })
  await eventually(() => expect(server.people.seen(form)).toContain('Rejected'))
  await eventually(() => expect(read(thread.id).join('\n')).toContain('Rejected by Boss'))
  const late = server.people.press({
    user: boss,
    channelId: thread.id,
    messageId: approval?.id ?? '',
    customId: customId.replace('reject', 'approve'),
  })
  await eventually(() => expect(late.replies).toHaveLength(1))
  expect(await assembly.store.get(1)).toMatchObject({ status: 'cancelled' })
})

test('words in the thread cancel, and "retry" makes a child whose card is lower in the same thread', async () => {
  const { server, assembly, channel, ana, eventually, read } = await begin()
  await assembly.startWorker()
  const said = server.people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> !echo begun; sleep 100`,
  })
  await eventually(() => expect(read(said.id).join()).toContain('begun'))
  server.people.say({ user: ana, channelId: said.id, content: 'cancel' })
  await eventually(() => expect(read(said.id).join()).toContain('Cancelled by Ana'))
  server.people.slash({ user: ana, channelId: said.id, sub: 'retry' })
  await eventually(() => expect(read(said.id).length).toBeGreaterThan(1))
  expect(await assembly.store.get(2)).toMatchObject({
    parentId: 1,
    kind: 'retry',
    place: { key: `c:${said.id}`, channelId: channel.id },
  })
  server.people.slash({ user: ana, channelId: said.id, sub: 'cancel' })
  await eventually(() => expect(read(said.id).filter((text) => text.includes('Cancelled by Ana'))).toHaveLength(2))
  expect(server.threads()).toHaveLength(1)
})

test('Discord is down while a task ends: when it is back everything is there, once', async () => {
  const { server, assembly, channel, ana, eventually, read } = await begin()
  await assembly.startWorker()
  const said = server.people.say({
    user: ana,
    channelId: channel.id,
    content: `<@${server.state.bot.id}> !echo begun; until [ -e go ]; do sleep 0.1; done; echo over`,
  })
  await eventually(() => expect(read(said.id).join()).toContain('begun'))
  await server.down()
  await writeFile(join(assembly.workspace.directory(1), 'go'), '')
  await assembly.until(1, 'done')
  assembly.clock.advance(60_000)
  await server.up()
  await eventually(() => expect(read(said.id).join()).toContain('Task #1 done'))
  await eventually(async () => expect(await assembly.store.delivery(1)).toMatchObject({ settled: true, failure: null }))
  expect(read(said.id)).toHaveLength(2)
})

test('a task of the command line is shown in Discord to who may see it, and to nobody else', async () => {
  const { server, assembly, channel, ana, boss, eventually } = await begin()
  await assembly.startWorker()
  const task = await assembly.ask('!echo secret plans')
  await assembly.until(task.id)
  const show = (user: FakeUser) =>
    server.people.slash({
      user,
      channelId: channel.id,
      sub: 'logs',
      options: [{ name: 'id', type: 4, value: task.id }],
    })
  const allowed = show(boss)
  await eventually(() => expect(server.people.seen(allowed)).toContain('secret plans'))
  const refused = show(ana)
  await eventually(() => expect(refused.replies).toHaveLength(1))
  expect(server.people.seen(refused)).not.toContain('secret')
  expect(server.messagesIn(channel.id)).toEqual([])
})
