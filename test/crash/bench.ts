/** One home, one Slack, one model, some people, and a program that is killed again and again. */
import { cpSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createHome, freePort } from '../e2e/program.ts'
import { startOllamaServer } from '../fakes/ollama-server.ts'
import { startSlackServer } from '../fakes/slack-server.ts'
import { check, type Findings } from './check.ts'
import { openLook } from './look.ts'
import { createModel } from './model.ts'
import { createPeople, type People } from './people.ts'
import { createPoints, POINTS, type Points, watchEvents } from './points.ts'
import { isSame, processesWith, type SeenProcess } from './processes.ts'
import { createProgram, type ProgramUnderTest, type Split } from './program.ts'

export interface BenchOptions {
  kills: number
  split: Split
  seed: number
  say(line: string): void
}

export interface BenchResult extends Findings {
  kills: number
  /** How often it was killed at each named point. */
  atPoints: Map<string, number>
}

const LEASE_MS = 2000
/** Of a machine with other things to do. */
const SLACK_MS = 3000
const SETTLE_MS = 120_000

export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const random = createRandom(options.seed)
  const mark = `mark${process.pid}x${options.seed}`
  await using slack = await startSlackServer()
  const points = createPoints(slack)
  await using ollama = await startOllamaServer({})
  const model = createModel({ mark, onPoint: points.reached })
  ollama.reply(...Array.from({ length: 20_000 }, () => model))
  const apiPort = await freePort()
  using home = createHome({
    ...{
      SLACK_BOT_TOKEN: 'xoxb-good',
      SLACK_APP_TOKEN: 'xapp-good',
      SLACK_API_URL: slack.apiUrl,
      SLACK_ALLOWED_USERS: '*',
    },
    ...{ OLLAMA_HOST: ollama.host, ASSISTANT_MODEL: 'test', ASSISTANT_API_PORT: String(apiPort) },
    ...{ ASSISTANT_LEASE: `${LEASE_MS} ms`, ASSISTANT_STOP_GRACE: '5 s', ASSISTANT_CONCURRENCY: '3' },
  })
  const people = createPeople({ slack, apiPort, mark, random })
  const program = createProgram(home, options.split, random)
  const result: BenchResult = { ...blank(), atPoints: new Map() }
  const outlived: Promise<string[]>[] = []
  try {
    for (let kill = 1; kill <= options.kills; kill += 1) {
      program.up()
      people.redeliver()
      for (let count = 1 + Math.floor(random() * 2); count > 0; count -= 1) people.ask()
      const point = await killSomewhere({ people, points, program, random, folder: home.folder })
      result.kills += 1
      result.atPoints.set(point, (result.atPoints.get(point) ?? 0) + 1)
      outlived.push(lookForSurvivors(mark))
    }
    await settle({ people, program, folder: home.folder, say: options.say })
    const codes = await program.stop()
    using look = openLook(home.folder)
    if (look === undefined) throw new Error('there is no store')
    Object.assign(result, check({ folder: home.folder, look, world: slack.world, asked: people.asked }))
    for (const code of codes) if (code !== 0) result.violations.push(`a stop ended with ${code}`)
    for (const each of processesWith(mark)) result.violations.push(`still there after the stop: ${each.command}`)
    for (const lines of await Promise.all(outlived)) result.violations.push(...lines)
    result.checked += codes.length + 1 + outlived.length
    if (result.violations.length > 0) keepEvidence(home.folder, options, program.words())
    return result
  } finally {
    await program.kill(true)
  }
}

function keepEvidence(folder: string, { seed, say }: BenchOptions, words: string): void {
  const kept = join(tmpdir(), `assistant-crash-${seed}`)
  cpSync(folder, kept, {
    recursive: true,
    filter: (path) => !path.endsWith('.sock') && !basename(path).startsWith('pipe-'),
  })
  writeFileSync(join(kept, 'words.txt'), words)
  say(`  the home is kept: ${kept}`)
}

function blank(): BenchResult {
  return { kills: 0, atPoints: new Map(), violations: [], checked: 0, tasks: 0, interrupted: 0 }
}

interface Killing {
  people: People
  points: Points
  program: ProgramUnderTest
  folder: string
  random(): number
}

/** At random in the first seconds of a life, or at a named point; answers where. */
async function killSomewhere({ people, points, program, folder, random }: Killing): Promise<string> {
  const timer = setInterval(() => void people.act(), 700)
  try {
    if (random() < 0.4) {
      await new Promise((resolve) => setTimeout(resolve, random() * 4000))
      await program.kill(random() < 0.7)
      return 'at random'
    }
    const point = POINTS[Math.floor(random() * POINTS.length)] ?? ''
    const count = 1 + Math.floor(random() * 3)
    using _watching = point.startsWith('event') ? watchEvents(folder, points) : { [Symbol.dispose]: () => undefined }
    const isReached = await points.until(point, count, 6000)
    await program.kill(random() < 0.7)
    return isReached ? point : 'at random'
  } finally {
    clearInterval(timer)
  }
}

/** What of the tasks ran when the program died must be gone within the lease, whoever ends it. */
async function lookForSurvivors(mark: string): Promise<string[]> {
  const before = processesWith(mark)
  if (before.length === 0) return []
  await new Promise((resolve) => setTimeout(resolve, LEASE_MS + SLACK_MS))
  const after = processesWith(mark)
  const left = before.filter((each: SeenProcess) => after.some((other) => isSame(each, other)))
  return left.map((each) => `outlived its worker for longer than the lease: ${each.command}`)
}

interface Settling {
  people: People
  program: ProgramUnderTest
  folder: string
  say(line: string): void
}

/** Until everything that was asked has ended and been told. Edits are rationed by the minute, so the program is started afresh now and then. */
async function settle({ people, program, folder, say }: Settling): Promise<void> {
  people.calmDown()
  program.up()
  people.redeliver()
  const endsAt = Date.now() + SETTLE_MS
  let restartAt = Date.now() + 15_000
  while (Date.now() < endsAt) {
    await new Promise((resolve) => setTimeout(resolve, 500))
    await people.act()
    if (people.unanswered === 0 && isQuiet(folder)) return
    if (Date.now() < restartAt) continue
    restartAt = Date.now() + 15_000
    await program.kill(true)
    program.up()
    people.redeliver()
  }
  say('it did not come to rest')
}

function isQuiet(folder: string): boolean {
  try {
    using look = openLook(folder)
    const open = look?.tasks().filter(({ status }) => !['done', 'failed', 'cancelled'].includes(status))
    return (
      open?.length === 0 && look?.deliveries().every((each) => each.settled === 1 || each.failure !== null) === true
    )
  } catch {
    // Locked for a moment: the next look finds it.
    return false
  }
}

/** The same numbers for the same seed (mulberry32), so that a violation can be looked at again. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
