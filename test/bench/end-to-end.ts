/**
 * A request in a chat, a plan from the model, three commands, the result in the chat, by the real program in its sandbox; beside a
 * Python worker that polls each second and runs the same commands without one, in turns. The model answers at once.
 */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { freePort } from '../e2e/program.ts'
import { startOllamaServer } from '../fakes/ollama-server.ts'
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts'
import { addChannel } from '../fakes/slack-server-state.ts'
import type { Bench, Result, Skipped } from './figure.ts'
import { msOf, rateOf, versus } from './measure.ts'
import { probedHome, startProgram } from './probe.ts'
import { startPythonPoller } from './python-worker.ts'
import { temporaryFolder } from './stand.ts'

const COMMANDS = ['echo one > one.txt', 'ls', 'wc -c one.txt']
const PLAN = JSON.stringify({ commands: COMMANDS, summary: 'Writes a file and counts it.' })
const SAMPLES = 12
const BURSTS = 5
const TOGETHER = 40
const SLOTS = 2
const POLLER = 'a Python worker that polls'
/** As long apart as people's requests: what follows a result, files and reactions, is over when the next one comes. */
const pause = (sample: number) => wait(137 * (sample % 6))

interface Side extends AsyncDisposable {
  /** From a request to its result in the chat. */
  ask(): Promise<number>
  /** Tasks a second, when so many come at once. */
  burst(): Promise<number>
}

export const bench: Bench = {
  async run(): Promise<readonly Result[]> {
    const python = await startPython()
    if ('skipped' in python) return [python]
    await using theirs = python
    await using ours = await startOurs()
    return [
      await versus({
        name: 'request to result in the chat',
        unit: 'ms',
        rounds: SAMPLES,
        ours: ours.ask,
        peer: { name: POLLER, measure: theirs.ask },
        goal: { of: 'ratio', atMost: 0.03 },
        note: 'three commands, sandboxed',
      }),
      await versus({
        name: `tasks finished, ${TOGETHER} at once`,
        unit: '/s',
        rounds: BURSTS,
        ours: ours.burst,
        peer: { name: POLLER, measure: theirs.burst },
        goal: { of: 'ratio', atLeast: 2.5 },
        note: `${SLOTS} slots`,
      }),
    ]
  },
}

async function startOurs(): Promise<Side> {
  await using started = new AsyncDisposableStack()
  const slack = started.use(await startSlackServer())
  const model = started.use(await startOllamaServer({ models: [{ name: 'bench:latest', loaded: true }] }))
  const port = await freePort()
  const home = started.use(
    probedHome({
      ...slack.environment,
      ASSISTANT_API_PORT: String(port),
      ASSISTANT_MODEL: 'bench',
      ASSISTANT_CONCURRENCY: String(SLOTS),
      OLLAMA_HOST: model.host,
    }),
  )
  const program = started.use(startProgram(home))
  await program.printed(`http://127.0.0.1:${port}`)
  const file = join(home.folder, 'tasks.db')
  let asked = 0
  let finished = 0
  const parts = started.move()
  return {
    async ask() {
      model.reply(PLAN, 'There is one file, with four bytes.')
      await pause(asked)
      asked += 1
      finished += 1
      return askInSlack(slack, `C0BENCH${asked}`)
    },
    async burst() {
      await untilDone(file, finished)
      finished += TOGETHER
      return rateOf(TOGETHER, async () => {
        for (let i = 0; i < TOGETHER; i += 1) {
          // Which task gets which reply depends on the order in which they ask.
          for (let call = 0; call < 2; call += 1) {
            model.reply((body) => (body.format === undefined ? 'One file.' : PLAN))
          }
          await post(port)
        }
        await untilDone(file, finished)
      })
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

async function post(port: number): Promise<void> {
  await fetch(`http://127.0.0.1:${port}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ description: 'make a file and count it' }),
  })
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

async function startPython(): Promise<Side | Skipped> {
  await using started = new AsyncDisposableStack()
  const slack = started.use(await startSlackServer())
  const model = started.use(await startOllamaServer({ models: [{ name: 'bench:latest', loaded: true }] }))
  const folder = started.use(temporaryFolder())
  const file = `${folder.path}/poll.db`
  const chat = {
    model: `${model.host}/api/chat`,
    post: `${slack.apiUrl}chat.postMessage`,
    token: slack.world.bot.token,
  }
  const worker = await startPythonPoller(file, folder.path, chat)
  if ('skipped' in worker) return worker
  started.use(worker)
  const db = started.adopt(new Database(file, { timeout: 5000 }), (open) => void open.close())
  const insert = db.prepare("INSERT INTO job (description, status) VALUES ('make a file and count it', 'pending')")
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) model.reply(PLAN)
    for (let i = 0; i < count; i += 1) insert.run()
    for (let i = 0; i < count; i += 1) await worker.heard()
  }
  let asked = 0
  const parts = started.move()
  return {
    async ask() {
      // It looks once more right after a task, and then sleeps: that is known of it when the one that counts comes.
      await run(1)
      await pause(asked)
      asked += 1
      return msOf(() => run(1))
    },
    burst: () => rateOf(TOGETHER, () => run(TOGETHER)),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
