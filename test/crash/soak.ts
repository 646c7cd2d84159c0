/** Steady work for minutes: memory and open files of the real program must stay where they were. */
import { createHome, freePort } from '../e2e/program.ts'
import { startOllamaServer } from '../fakes/ollama-server.ts'
import { startSlackServer } from '../fakes/slack-server.ts'
import { createRandom } from './bench.ts'
import { openLook } from './look.ts'
import { createModel } from './model.ts'
import { createPeople } from './people.ts'
import { footprint } from './processes.ts'
import { createProgram } from './program.ts'
import { createSlackPeople } from './slack-people.ts'

export interface SoakOptions {
  minutes: number
  say(line: string): void
}

export interface SoakResult {
  tasks: number
  /** Medians of the second quarter, when it is warm, and of the last. */
  residentMegabytes: [warm: number, end: number]
  descriptors: [warm: number, end: number]
}

const ASK_EVERY_MS = 500
const LOOK_EVERY_MS = 2000

export async function soak({ minutes, say }: SoakOptions): Promise<SoakResult> {
  const random = createRandom(1)
  await using slack = await startSlackServer()
  await using ollama = await startOllamaServer({})
  const mark = `soak${process.pid}`
  const model = createModel({ mark, onPoint: () => undefined })
  ollama.reply(...Array.from({ length: 50_000 }, () => model))
  const apiPort = await freePort()
  using home = createHome({
    ...slack.environment,
    OLLAMA_HOST: ollama.host,
    ASSISTANT_MODEL: 'test',
    ASSISTANT_API_PORT: String(apiPort),
    ASSISTANT_CONCURRENCY: '3',
  })
  const people = createPeople({ chats: [createSlackPeople(slack, random)], apiPort, mark, random })
  const program = createProgram(home, 'together', random)
  program.up()
  const samples: { residentBytes: number; descriptors: number }[] = []
  const endsAt = Date.now() + minutes * 60_000
  let askAt = 0
  let lookAt = 0
  try {
    while (Date.now() < endsAt) {
      if (Date.now() >= askAt) {
        askAt = Date.now() + ASK_EVERY_MS
        people.ask()
        void people.act()
      }
      if (Date.now() >= lookAt) {
        lookAt = Date.now() + LOOK_EVERY_MS
        const seen = footprint(program.pids()[0] ?? 0)
        if (seen !== undefined) samples.push(seen)
        if (samples.length % 15 === 0)
          say(`  ${megabytes(seen?.residentBytes ?? 0)} MB, ${seen?.descriptors ?? 0} open files`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    using look = openLook(home.folder)
    const tasks = look?.tasks().length ?? 0
    const quarter = Math.floor(samples.length / 4)
    const [warm, end] = [samples.slice(quarter, 2 * quarter), samples.slice(-quarter)]
    return {
      tasks,
      residentMegabytes: [
        megabytes(median(warm.map((each) => each.residentBytes))),
        megabytes(median(end.map((each) => each.residentBytes))),
      ],
      descriptors: [median(warm.map((each) => each.descriptors)), median(end.map((each) => each.descriptors))],
    }
  } finally {
    await program.kill(true)
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2)
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0
}
