/**
 * `npm run test:crash -- --kills 300 --seed 1`: kills the real program again and again, and says what it found.
 * `npm run test:crash -- --soak 10`: gives it steady work for ten minutes instead, and says what it took.
 */
import { parseArgs } from 'node:util'
import { runBench } from './bench.ts'
import { soak } from './soak.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Kills of one home; then another begins. */
    batch: { type: 'string', default: '20' },
    /** Minutes. */
    soak: { type: 'string' },
  },
})
const say = (line: string): void => void process.stdout.write(`${line}\n`)
process.exit(values.soak === undefined ? await killAll() : await soakFor(Number.parseFloat(values.soak)))

async function killAll(): Promise<number> {
  const wanted = Number(values.kills)
  const total = { kills: 0, checked: 0, tasks: 0, interrupted: 0, violations: 0 }
  const atPoints = new Map<string, number>()
  for (let seed = Number(values.seed); total.kills < wanted; seed += 1) {
    const split = seed % 3 === 0 ? 'apart' : 'together'
    const kills = Math.min(Number(values.batch), wanted - total.kills)
    const found = await runBench({ kills, split, seed, say })
    total.kills += found.kills
    total.checked += found.checked
    total.tasks += found.tasks
    total.interrupted += found.interrupted
    total.violations += found.violations.length
    for (const [point, count] of found.atPoints) atPoints.set(point, (atPoints.get(point) ?? 0) + count)
    say(
      `seed ${seed} (${split}): ${found.kills} kills, ${found.tasks} tasks, ${found.interrupted} interrupted, ${found.checked} facts checked`,
    )
    for (const line of found.violations) say(`  VIOLATION ${line}`)
  }
  for (const [point, count] of [...atPoints].sort()) say(`  killed ${count} times: ${point}`)
  say(
    `${total.kills} kills survived; ${total.tasks} tasks, ${total.interrupted} of them interrupted; ` +
      `${total.checked} facts checked, ${total.violations} violations`,
  )
  return total.violations === 0 ? 0 : 1
}

async function soakFor(minutes: number): Promise<number> {
  const { tasks, residentMegabytes, descriptors } = await soak({ minutes, say })
  const [warm, end] = residentMegabytes
  say(`${minutes} minutes, ${tasks} tasks: memory ${warm} -> ${end} MB, open files ${descriptors.join(' -> ')}`)
  return end <= warm * 1.25 + 20 && descriptors[1] <= descriptors[0] + 10 ? 0 : 1
}
