/**
 * `npm run test:crash -- --kills 300 --seed 1`: kills the real program again and again, and says what it found.
 * `--at-once 4`: four homes at the same time, each with a seed and a process of its own, so that none of them waits for another.
 * `npm run test:crash -- --soak 10`: gives it steady work for ten minutes instead, and says what it took.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type BenchResult, runBench, warmUp } from './bench.ts'
import { soak } from './soak.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Kills of one home; then another begins. */
    batch: { type: 'string', default: '20' },
    'at-once': { type: 'string', default: '1' },
    /** Of ours: this process is one home. */
    home: { type: 'boolean', default: false },
    /** Minutes. */
    soak: { type: 'string' },
  },
})
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const splitOf = (seed: number) => (seed % 3 === 0 ? 'apart' : 'together')

// What is under test goes with us, see `program.ts`.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(1))
if (values.home) await killHere(Number(values.seed), Number(values.kills))
process.exit(values.soak === undefined ? await killAll() : await soakFor(Number.parseFloat(values.soak)))

/** In a process of its own; the result goes to the one that started it. */
async function killHere(seed: number, kills: number): Promise<never> {
  process.on('disconnect', () => process.exit(1))
  const found = await runBench({ kills, seed, split: splitOf(seed), say })
  process.send?.(found, () => process.exit(0))
  return new Promise(() => undefined)
}

async function killAll(): Promise<number> {
  const wanted = Number(values.kills)
  const total = createTotal()
  let seed = Number(values.seed)
  let left = wanted
  const oneAfterTheOther = async (): Promise<void> => {
    while (left > 0) {
      const kills = Math.min(Number(values.batch), left)
      left -= kills
      const mine = seed
      seed += 1
      total.add(mine, await killElsewhere(mine, kills))
    }
  }
  await warmUp()
  await Promise.all(Array.from({ length: Number(values['at-once']) }, oneAfterTheOther))
  return total.end()
}

/** A string: the process ended without a result. */
async function killElsewhere(seed: number, kills: number): Promise<BenchResult | string> {
  const args = ['--home', '--seed', String(seed), '--kills', String(kills)]
  const child = fork(fileURLToPath(import.meta.url), args, { serialization: 'advanced' })
  let found: BenchResult | undefined
  // Both ends are this program.
  child.on('message', (message) => {
    found = message as unknown as BenchResult
  })
  const [code] = await once(child, 'exit')
  return found ?? `the process of this home ended with ${code}`
}

interface Total {
  add(seed: number, found: BenchResult | string): void
  end(): number
}

function createTotal(): Total {
  const beganAt = Date.now()
  const total = { kills: 0, checked: 0, interrupted: 0, violations: 0 }
  const tasks = new Map<string, number>()
  const atPoints = new Map<string, number>()
  const count = (counts: Map<string, number>, name: string, more: number): void =>
    void counts.set(name, (counts.get(name) ?? 0) + more)

  return {
    add(seed, found) {
      if (typeof found === 'string') {
        total.violations += 1
        return say(`seed ${seed}:\n  VIOLATION ${found}`)
      }
      total.kills += found.kills
      total.checked += found.checked
      total.interrupted += found.interrupted
      total.violations += found.violations.length
      for (const [point, times] of found.atPoints) count(atPoints, point, times)
      for (const [platform, times] of Object.entries(found.tasks)) count(tasks, platform, times)
      const { kills, interrupted, checked } = found
      const asked = wordsOf(Object.entries(found.tasks))
      say(
        `seed ${seed} (${splitOf(seed)}): ${kills} kills, ${asked}, ${interrupted} interrupted, ${checked} facts checked`,
      )
      for (const line of found.violations) say(`  VIOLATION ${line}`)
    },
    end() {
      for (const [point, times] of [...atPoints].sort()) say(`  killed ${times} times: ${point}`)
      const { kills, interrupted, checked, violations } = total
      const perHour = Math.round((kills * 3_600_000) / (Date.now() - beganAt))
      say(
        `${kills} kills survived (${perHour} an hour); ${wordsOf([...tasks])}, ${interrupted} of them interrupted; ` +
          `${checked} facts checked, ${violations} violations`,
      )
      return violations === 0 ? 0 : 1
    },
  }
}

/** "12 tasks (5 slack, 4 discord, 3 api)" */
function wordsOf(tasks: readonly (readonly [platform: string, count: number])[]): string {
  const all = tasks.reduce((sum, [, count]) => sum + count, 0)
  return `${all} tasks (${tasks.map(([platform, count]) => `${count} ${platform}`).join(', ')})`
}

async function soakFor(minutes: number): Promise<number> {
  const { tasks, residentMegabytes, descriptors } = await soak({ minutes, say })
  const [warm, end] = residentMegabytes
  say(`${minutes} minutes, ${tasks} tasks: memory ${warm} -> ${end} MB, open files ${descriptors.join(' -> ')}`)
  return end <= warm * 1.25 + 20 && descriptors[1] <= descriptors[0] + 10 ? 0 : 1
}
