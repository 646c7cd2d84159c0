/** One home, its chats, its model and its people, and a program that is killed again and again. */
import { cpSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { isFinal } from '../../src/core/task.ts'
import { check, type Findings } from './check.ts'
import { discordChat } from './discord-chat.ts'
import { openLook } from './look.ts'
import type { People } from './people.ts'
import { POINTS, type Points, watchEvents } from './points.ts'
import { isSame, processesWith, type SeenProcess } from './processes.ts'
import { createProgram, type ProgramUnderTest, type Split } from './program.ts'
import { slackChat } from './slack-chat.ts'
import { createWorld, type World } from './world.ts'

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
/** So long may nothing change before it has come to rest. */
const STANDSTILL_MS = 120_000
const RESTART_MS = 15_000
/** Of a life that ends at random, once it is up. */
const LIFE_MS = 2500
/** A machine that is busy starts slowly; some lives end before they have begun. */
const START_MS = 2000
/** So long after it is up: some points do not come in every life. */
const POINT_MS = 4000

export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const random = createRandom(options.seed)
  const mark = `mark${process.pid}x${options.seed}`
  await using world = await createWorld({ leaseMs: LEASE_MS, mark, random })
  const { home, people, points } = world
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
    let unsettled = await settle({ people, program, folder: home.folder })
    const codes = await program.stop()
    // What arrives while it is being stopped waits for the next start.
    while (unsettled === undefined && openIn(home.folder) !== '') {
      unsettled = await settle({ people, program, folder: home.folder })
      codes.push(...(await program.stop()))
    }
    Object.assign(result, lookAtAll(world))
    if (unsettled !== undefined) result.violations.push(unsettled)
    for (const code of codes) if (code !== 0) result.violations.push(`a stop ended with ${code}`)
    for (const each of processesWith(mark)) result.violations.push(`still there after the stop: ${each.command}`)
    for (const lines of await Promise.all(outlived)) result.violations.push(...lines)
    result.checked += codes.length + 2 + outlived.length
    if (result.violations.length > 0) keepEvidence(home.folder, options, program.words())
    return result
  } finally {
    await program.kill(true)
  }
}

/** One start with a proper end: what is compiled is kept then, and every start after it costs a third less. */
export async function warmUp(): Promise<void> {
  const random = createRandom(0)
  await using world = await createWorld({ leaseMs: LEASE_MS, mark: 'warm-up', random })
  const program = createProgram(world.home, 'together', random)
  program.up()
  await program.stop()
}

function lookAtAll({ home: { folder }, people, slack, discord }: World): Findings {
  using look = openLook(folder)
  if (look === undefined) throw new Error('there is no store')
  const taskIds = look.tasks().map(({ id }) => id)
  return check({ folder, look, chats: [slackChat(slack.world), discordChat(discord, taskIds)], asked: people.asked })
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
  return { kills: 0, atPoints: new Map(), violations: [], checked: 0, tasks: {}, interrupted: 0 }
}

interface Killing {
  people: People
  points: Points
  program: ProgramUnderTest
  folder: string
  random(): number
}

/** While it starts, at random, at a named point or just after it; answers where. */
async function killSomewhere(killing: Killing): Promise<string> {
  const { people, program, random } = killing
  const timer = setInterval(() => void people.act(), 300)
  try {
    const where = await waitSomewhere(killing)
    await program.kill(random() < 0.7)
    return where
  } finally {
    clearInterval(timer)
  }
}

async function waitSomewhere({ points, program, folder, random }: Killing): Promise<string> {
  const kind = random()
  if (kind < 0.15) {
    await passed(random() * START_MS)
    return 'while it starts'
  }
  if (kind < 0.35) {
    await program.ready()
    await passed(random() * LIFE_MS)
    return 'at random'
  }
  const point = POINTS[Math.floor(random() * POINTS.length)] ?? ''
  const laterMs = random() < 0.5 ? 0 : random() * 20
  using _watching = point.startsWith('event') ? watchEvents(folder, points) : { [Symbol.dispose]: () => undefined }
  const over = program.ready().then(() => passed(POINT_MS))
  const isReached = await points.until(point, 1 + Math.floor(random() * 3), over)
  if (laterMs > 0) await passed(laterMs)
  return isReached ? point : 'at random'
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What of the tasks ran when the program died must be gone within the lease, whoever ends it. */
async function lookForSurvivors(mark: string): Promise<string[]> {
  const before = processesWith(mark)
  if (before.length === 0) return []
  await passed(LEASE_MS + SLACK_MS)
  const after = processesWith(mark)
  const left = before.filter((each: SeenProcess) => after.some((other) => isSame(each, other)))
  return left.map((each) => `outlived its worker for longer than the lease: ${each.command}`)
}

interface Settling {
  people: People
  program: ProgramUnderTest
  folder: string
}

/** Until everything that was asked has ended and been told. Edits are rationed by the minute, so the program is started afresh now and then. Answers what is left when nothing moves. */
async function settle({ people, program, folder }: Settling): Promise<string | undefined> {
  people.calmDown()
  await upAgain()
  let seen = { open: '', at: Date.now() }
  let restartAt = Date.now() + RESTART_MS
  while (Date.now() - seen.at < STANDSTILL_MS) {
    await passed(300)
    await people.act()
    const open = `${people.unanswered} ${openIn(folder) ?? 'unknown'}`
    if (open === '0 ') return undefined
    if (open !== seen.open) seen = { open, at: Date.now() }
    if (Date.now() < restartAt) continue
    await program.kill(true)
    await upAgain()
    restartAt = Date.now() + RESTART_MS
  }
  return `it did not come to rest: ${seen.open}`

  async function upAgain(): Promise<void> {
    program.up()
    people.redeliver()
    await program.ready()
  }
}

/** What has not ended or not been told, in a word for each; undefined when it cannot be looked at just now. */
function openIn(folder: string): string | undefined {
  try {
    using look = openLook(folder)
    if (look === undefined) return undefined
    const tasks = look.tasks().filter(({ status }) => !isFinal(status))
    const untold = look.deliveries().filter(({ settled, failure }) => settled !== 1 && failure === null)
    return [
      ...tasks.map(({ id, status }) => `${id}:${status}`),
      ...untold.map((each) => `${each.task_id}:untold`),
    ].join()
  } catch {
    // Locked for a moment: the next look finds it.
    return undefined
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
