/** A dozen kills of the real program; `npm run test:crash` does thousands. */
import { expect, it } from 'vitest'
import { runBench } from './bench.ts'

it.each(['together', 'apart'] as const)(
  'loses nothing and does nothing twice when it is killed (roles %s)',
  async (split) => {
    const words: string[] = []
    const found = await runBench({
      kills: 6,
      split,
      seed: split === 'apart' ? 11 : 12,
      say: (line) => words.push(line),
    })
    expect(found.violations, words.join('\n')).toEqual([])
    expect(found.kills).toBe(6)
    expect(Object.values(found.tasks).some((count) => count > 0)).toBe(true)
  },
  300_000,
)
