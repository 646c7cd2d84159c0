/**
 * A request in a chat, a plan from the model, three commands, the result in the chat, by the real program in its sandbox; beside a
 * Python worker that polls each second and runs the same commands without one. The model answers at once.
 */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { freePort } from '../e2e/program.ts'
import { startOllamaServer } from '../fakes/ollama-server.ts'
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts'
import { addChannel } from '../fakes/slack-server-state.ts'
import type { Bench, Result } from './figure.ts'
import { quantile, single, spreadOf } from './measure.ts'
import { probedHome, startProgram } from './probe.ts'
import { startPythonPoller } from './python-worker.ts'
import { temporaryFolder } from './stand.ts'

const COMMANDS = ['echo one > one.txt', 'ls', 'wc -c one.txt']
const PLAN = JSON.stringify({ commands: COMMANDS, summary: 'Writes a file and counts it.' })
const SAMPLES = 15
const TOGETHER = 40
const SLOTS = 2

interface Measured {
  ms: readonly number[]
  perSecond: number
}

export const bench: Bench = {
  async run(): Promise<readonly Result[]> {
    const ours = await measureOurs()
    const python = await measurePython()
    if ('skipped' in python) return [python]
    const name = 'a Python worker that polls'
    return [
      {
        name: 'request to result in the chat',
        unit: 'ms',
        ours: spreadOf(ours.ms),
        peer: { name, ...spreadOf(python.ms) },
        ratio: single(quantile(ours.ms, 0.5) / quantile(python.ms, 0.5)),
        goal: { of: 'ratio', atMost: 0.03 },
        note: 'three commands, sandboxed',
      },
      {
        name: `tasks finished, ${TOGETHER} at once`,
        unit: '/s',
        ours: single(ours.perSecond),
        peer: { name, ...single(python.perSecond) },
        ratio: single(ours.perSecond / python.perSecond),
        goal: { of: 'ratio', atLeast: 2.5 },
        note: `${SLOTS} slots`,
      },
    ]
  },
}

async function measureOurs(): Promise<Measured> {
  await using slack = await startSlackServer()
  await using model = await startOllamaServer({ models: [{ name: 'bench:latest', loaded: true }] })
  const port = await freePort()
  using home = probedHome({
    ...slack.environment,
    ASSISTANT_API_PORT: String(port),
    ASSISTANT_MODEL: 'bench',
    ASSISTANT_CONCURRENCY: String(SLOTS),
    OLLAMA_HOST: model.host,
  })
  await using program = startProgram(home)
  await program.printed(`http://127.0.0.1:${port}`)
  const answers = () => {
    model.reply(PLAN, 'There is one file, with four bytes.')
  }
  const ms: number[] = []
  for (let i = 0; i <= SAMPLES; i += 1) {
    answers()
    // As the peer's: what follows the result, files and reactions, is over when the next request comes.
    await wait(137 * (i % 6))
    ms.push(await askInSlack(slack, `C0BENCH${i}`))
  }
  const begun = performance.now()
  for (let i = 0; i < TOGETHER; i += 1) {
    // Plans alone would do: which task gets which reply depends on the order in which they ask.
    model.reply(
      (body) => (body.format === undefined ? 'One file.' : PLAN),
      (body) => (body.format === undefined ? 'One file.' : PLAN),
    )
    await fetch(`http://127.0.0.1:${port}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ description: 'make a file and count it' }),
    })
  }
  await untilDone(join(home.folder, 'tasks.db'), TOGETHER + ms.length)
  return { ms: ms.slice(1), perSecond: (TOGETHER / (performance.now() - begun)) * 1000 }
}

/** Looks into the file: a list over the API, asked for again and again, would be work for the program that nobody gives the peer. */
async function untilDone(file: string, count: number): Promise<void> {
  const db = new Database(file, { readonly: true, timeout: 5000 })
  const done = db.prepare<[], { count: number }>("SELECT count(*) AS count FROM task WHERE status = 'done'")
  while ((done.get()?.count ?? 0) < count) await wait(5)
  db.close()
}

/** A channel of its own for each: the platform lets a channel have one message a second. */
async function askInSlack(slack: SlackServer, channelId: string): Promise<number> {
  const { world } = slack
  const channel = addChannel(world, channelId, channelId.toLowerCase(), 'public', ['U0ANA', world.bot.userId])
  const begun = performance.now()
  slack.user.say({ user: 'U0ANA', channel: channel.id, text: `<@${world.bot.userId}> make a file and count it` })
  for (;;) {
    const told = world.messages.some((message) => message.channel === channelId && message.text.includes('four bytes'))
    if (told) return performance.now() - begun
    if (performance.now() - begun > 20_000) {
      throw new Error(
        JSON.stringify(
          world.messages.filter((message) => message.channel === channelId).map((message) => message.text),
        ),
      )
    }
    await wait(1)
  }
}

async function measurePython() {
  await using slack = await startSlackServer()
  await using model = await startOllamaServer({ models: [{ name: 'bench:latest', loaded: true }] })
  using folder = temporaryFolder()
  const file = `${folder.path}/poll.db`
  const chat = {
    model: `${model.host}/api/chat`,
    post: `${slack.apiUrl}chat.postMessage`,
    token: slack.world.bot.token,
  }
  const worker = await startPythonPoller(file, folder.path, chat)
  if ('skipped' in worker) return worker
  await using _worker = worker
  const db = new Database(file, { timeout: 5000 })
  const insert = db.prepare("INSERT INTO job (description, status) VALUES ('make a file and count it', 'pending')")
  const ms: number[] = []
  for (let i = 0; i < 6; i += 1) {
    model.reply(PLAN)
    await wait(137 * i)
    const begun = performance.now()
    insert.run()
    await worker.heard()
    ms.push(performance.now() - begun)
  }
  for (let i = 0; i < TOGETHER; i += 1) model.reply(PLAN)
  const begun = performance.now()
  for (let i = 0; i < TOGETHER; i += 1) insert.run()
  for (let i = 0; i < TOGETHER; i += 1) await worker.heard()
  db.close()
  return { ms, perSecond: (TOGETHER / (performance.now() - begun)) * 1000 }
}
