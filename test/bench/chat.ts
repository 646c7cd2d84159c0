/**
 * From a chat's payload to the program's first answer, by the real program, beside the chat's library alone; then while ten tasks print
 * as fast as they can, with what that does to the program's memory and event loop.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import manifest from '../../package.json' with { type: 'json' }
import { createHome, freePort, type Running, start } from '../e2e/program.ts'
import { createDiscordServer, type DiscordServer } from '../fakes/discord-server.ts'
import type { FakeInteraction } from '../fakes/discord-server-state.ts'
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts'
import { addUser } from '../fakes/slack-server-state.ts'
import type { Bench, Figure } from './figure.ts'
import { latencies, quantile, single } from './measure.ts'
import { lookInto, probedHome, startProgram } from './probe.ts'

const SAMPLES = 200
const WARM_UP = 20
const PRINTING = 10
const QUIET_MS = 20_000
const TERMINAL = ['@bomb.sh/tab', 'cli-spinners', 'get-east-asian-width', 'log-update']
/** What the program has loaded with both chats: every dependency but what only a terminal needs. Imported and nothing done. */
const LIBRARIES = Object.keys(manifest.dependencies).filter((name) => !TERMINAL.includes(name))

export const bench: Bench = {
  async run(): Promise<readonly Figure[]> {
    await using slack = await startSlackServer()
    await using discord = await createDiscordServer()
    discord.setContentIntent(true)
    const guild = discord.people.addGuild('Workshop')
    const channel = discord.addChannel({ type: 0, name: 'jobs', guild_id: guild.id })
    const ana = discord.people.addUser('Ana')
    const askSlack = () => slackAnswer(slack)
    const askDiscord = () => discordAnswer(discord.people.slash({ user: ana, channelId: channel.id, sub: 'help' }))

    const bolt = await alone(slack, askSlack)
    const stored = await onDisk(slack)
    const discordJs = await discordAlone(discord, askDiscord)
    discord.gateway.forgetSessions()
    const port = await freePort()
    using home = probedHome(settings(slack, discord, port))
    await using program = startProgram(home)
    await program.printed(`http://127.0.0.1:${port}`)
    if (slack.sockets === 0 || discord.gateway.connections === 0) throw new Error(program.output().stderr)
    const ours = { slack: await repeat(askSlack), discord: await repeat(askDiscord) }
    const used = await lookInto(program)
    await wait(QUIET_MS)
    const idle = await lookInto(program)
    await startPrinting(port)
    const loaded = await underLoad(program, askSlack, askDiscord)
    return [
      ...beside('Slack command to acknowledgement', ours.slack, { name: 'bolt alone', ms: bolt }),
      ...beside('Slack request on disk and acknowledged', stored.ours, {
        name: 'bolt that writes a row',
        ms: stored.bolt,
      }),
      ...latencies(`Slack, while ${PRINTING} tasks print`, loaded.slack, { p99: 100 }),
      ...beside('Discord command to first response', ours.discord, { name: 'discord.js alone', ms: discordJs }),
      ...latencies(`Discord, while ${PRINTING} tasks print`, loaded.discord, { p99: 100 }),
      memory(`memory with both chats, idle for ${QUIET_MS / 1000} s`, idle.rssMb, await librariesMb()),
      { name: `memory right after ${2 * (SAMPLES + WARM_UP)} commands`, unit: 'MB', ours: single(used.rssMb) },
      {
        name: `memory while ${PRINTING} tasks print, most`,
        unit: 'MB',
        ours: single(loaded.seen.peakMb),
        goal: { of: 'ours', atMost: 256 },
      },
      {
        name: 'event loop delay under that load, p99',
        unit: 'ms',
        ours: single(loaded.seen.delayP99Ms),
        goal: { of: 'ours', atMost: 20 },
      },
      { name: 'event loop delay under that load, longest', unit: 'ms', ours: single(loaded.seen.delayMaxMs) },
    ]
  },
}

function settings(slack: SlackServer, discord: DiscordServer, port: number): Record<string, string> {
  return {
    ...slack.environment,
    ...discord.environment,
    ASSISTANT_API_PORT: String(port),
    ASSISTANT_CONCURRENCY: String(PRINTING),
    ASSISTANT_OUTPUT_LIMIT: '1000 GB',
  }
}

async function slackAnswer(slack: SlackServer, { user, text } = { user: 'U0ANA', text: 'help' }): Promise<number> {
  const begun = performance.now()
  await slack.user.command({ user, channel: 'C0RANDOM', text }).delivery.acked
  return performance.now() - begun
}

/** The stand-in writes the answer into the interaction. */
async function discordAnswer(interaction: FakeInteraction): Promise<number> {
  const begun = performance.now()
  const { promise, resolve } = Promise.withResolvers<void>()
  let callback = interaction.callback
  Object.defineProperty(interaction, 'callback', {
    get: () => callback,
    set(answer: FakeInteraction['callback']) {
      callback = answer
      resolve()
    },
  })
  await promise
  return performance.now() - begun
}

async function repeat(ask: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < SAMPLES + WARM_UP; i += 1) {
    all.push(await ask())
    await wait(3)
  }
  return all.slice(WARM_UP)
}

async function alone(slack: SlackServer, ask: () => Promise<number>, more: readonly string[] = []): Promise<number[]> {
  const { apiUrl, world } = slack
  const child = runAlone(new URL('./bolt-alone.ts', import.meta.url), [
    apiUrl,
    world.bot.token,
    world.appToken,
    ...more,
  ])
  while (slack.sockets === 0) await wait(10)
  return ended(child, await repeat(ask))
}

/** Requests by several people, as one alone may not queue so many; the role without a worker, so that only this is measured. */
async function onDisk(slack: SlackServer): Promise<{ ours: number[]; bolt: number[] }> {
  const people = Array.from({ length: 40 }, (_, index) => addUser(slack.world, `U0P${index}`, `person-${index}`).id)
  let count = 0
  const ask = async () => {
    // What the one before has set off, in the thread, is over by then.
    await wait(50)
    count += 1
    return slackAnswer(slack, { user: people[count % people.length] ?? '', text: `make file ${count}` })
  }
  using home = createHome({ ...slack.environment, ASSISTANT_API_PORT: String(await freePort()) })
  const peerFile = join(home.folder, 'peer.db')
  const bolt = await alone(slack, ask, [peerFile])
  mustHoldAll(peerFile, 'request')
  await using program = start(home, ['chat'])
  while (slack.sockets === 0) await wait(10)
  for (const user of people) await slackAnswer(slack, { user, text: 'list' })
  await wait(1000)
  const ours = await repeat(ask)
  if (program.child.exitCode !== null) throw new Error(program.output().stderr)
  mustHoldAll(join(home.folder, 'tasks.db'), 'task')
  return { ours, bolt }
}

/** What is refused is acknowledged too, and sooner: the figure counts only when every request has become a row. */
function mustHoldAll(file: string, table: 'task' | 'request'): void {
  const db = new Database(file, { readonly: true })
  const rows = Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get())
  db.close()
  const asked = SAMPLES + WARM_UP
  if (rows < asked) throw new Error(`only ${rows} of ${asked} requests were stored in ${file}`)
}

async function discordAlone(discord: DiscordServer, ask: () => Promise<number>): Promise<number[]> {
  const child = runAlone(new URL('./discord-alone.ts', import.meta.url), [discord.apiUrl, discord.token])
  while (discord.gateway.connections === 0) await wait(10)
  await wait(500)
  return ended(child, await repeat(ask))
}

function runAlone(program: URL, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [program.pathname, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

async function ended(child: ChildProcess, all: number[]): Promise<number[]> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
  return all
}

/** Half are quicker than p50: a machine that is busy with other things shows in the peer too. */
function beside(name: string, ours: readonly number[], peer: { name: string; ms: readonly number[] }): Figure[] {
  return latencies(name, ours).map((figure, index) => {
    const theirs = quantile(peer.ms, index === 0 ? 0.5 : 0.99)
    const compared = {
      ...figure,
      peer: { name: peer.name, ...single(theirs) },
      ratio: single(figure.ours.median / theirs),
    }
    return index === 0 ? { ...compared, goal: { of: 'ratio', atMost: 2 } } : compared
  })
}

async function startPrinting(port: number): Promise<void> {
  const url = `http://127.0.0.1:${port}/tasks`
  const body = JSON.stringify({
    description: `!yes 'converted image 0118 of 0240 to out/IMG_0118.webp at quality 80, in 1.2 s'`,
  })
  for (let i = 0; i < PRINTING; i += 1) {
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (answer.status !== 201) throw new Error(await answer.text())
  }
  for (;;) {
    const text = await (await fetch(`${url}?status=running`)).text()
    if (text.split('"status":"running"').length > PRINTING) return
    await wait(50)
  }
}

async function underLoad(program: Running, askSlack: () => Promise<number>, askDiscord: () => Promise<number>) {
  await wait(1000)
  await lookInto(program)
  const answers = { slack: await repeat(askSlack), discord: await repeat(askDiscord) }
  return { ...answers, seen: await lookInto(program) }
}

function memory(name: string, oursMb: number, peerMb: number): Figure {
  return {
    name,
    unit: 'MB',
    ours: single(oursMb),
    peer: { name: 'importing the libraries', ...single(peerMb) },
    ratio: single(oursMb / peerMb),
    goal: { of: 'ratio', atMost: 1.15 },
  }
}

async function librariesMb(): Promise<number> {
  const imports = LIBRARIES.map((name) => `await import('${name}')`).join(';')
  const program = `${imports}; setTimeout(() => console.log(process.memoryUsage.rss()), 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return Number((await child.stdout.setEncoding('utf8').toArray()).join('')) / 1e6
}
