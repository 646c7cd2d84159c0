/** What is around the program under test: a Slack, a Discord, a model, people, and points at which it can be killed. */
import { createHome, freePort, type Home } from '../e2e/program.ts'
import { createDiscordServer, type DiscordServer } from '../fakes/discord-server.ts'
import { startOllamaServer } from '../fakes/ollama-server.ts'
import { type SlackServer, startSlackServer } from '../fakes/slack-server.ts'
import { createDiscordPeople } from './discord-people.ts'
import { createModel } from './model.ts'
import { createPeople, type People } from './people.ts'
import { createPoints, discordPoint, type Points, watchCalls } from './points.ts'
import { createSlackPeople } from './slack-people.ts'

export interface World extends AsyncDisposable {
  slack: SlackServer
  discord: DiscordServer
  home: Home
  people: People
  points: Points
}

export interface WorldOptions {
  leaseMs: number
  /** Is in the command line of everything that a task runs. */
  mark: string
  random(): number
}

export async function createWorld({ leaseMs, mark, random }: WorldOptions): Promise<World> {
  const points = createPoints()
  const slack = await startSlackServer({ onTraffic: (what) => points.reached(`slack ${what}`) })
  watchCalls(slack.world, points)
  const discord = await createDiscordServer({ onRequest: (line) => points.reached(discordPoint(line) ?? '') })
  const ollama = await startOllamaServer({})
  const model = createModel({ mark, onPoint: points.reached })
  ollama.reply(...Array.from({ length: 20_000 }, () => model))
  const apiPort = await freePort()
  const chats = [
    createSlackPeople(slack, random),
    createDiscordPeople({ discord, random, onSaid: () => points.reached('discord event') }),
  ]
  const home = createHome({
    ...slack.environment,
    ...discord.environment,
    OLLAMA_HOST: ollama.host,
    ASSISTANT_MODEL: 'test',
    ASSISTANT_API_PORT: String(apiPort),
    ASSISTANT_LEASE: `${leaseMs} ms`,
    ASSISTANT_STOP_GRACE: '5 s',
    ASSISTANT_CONCURRENCY: '3',
  })
  return {
    ...{ slack, discord, home, points },
    people: createPeople({ chats, apiPort, mark, random }),
    async [Symbol.asyncDispose]() {
      home[Symbol.dispose]()
      await ollama.close()
      await discord[Symbol.asyncDispose]()
      await slack[Symbol.asyncDispose]()
    },
  }
}
