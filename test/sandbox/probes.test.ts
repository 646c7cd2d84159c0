import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { PROBES } from './probes.ts'
import { asOrdinaryUser, taskBench } from './task-bench.ts'

process.env.SECRET_OF_THE_PROGRAM = 'SECRET_OF_THE_PROGRAM'

describe(`a task cannot get out, probed as ${process.getuid?.() === 0 ? 'root' : 'an ordinary user'}`, () => {
  for (const { name, command, contained, needs } of PROBES) {
    it.skipIf(needs !== undefined && needs !== process.arch)(`contained: a step that ${name}`, async () => {
      await using bench = taskBench(createBubblewrapSandbox)
      const { outputs } = await bench.run([command], { timeoutMs: 30_000 })
      expect(outputs[0]).toMatch(contained)
      await bench.dispose()
      expect(bench.survivors()).toEqual([])
    })
  }
})

/** Everything the promise of an ordinary user's sandbox leaves out is a limit of sums, which no probe here measures. */
it.runIf(process.getuid?.() === 0)('contains every probe when an ordinary user starts the program', async () => {
  const [first, ...lines] = await asOrdinaryUser('run-probes.ts')
  expect(first.report).toMatchObject({ kind: 'bubblewrap', strength: 'weak' })
  expect(lines.map(({ name }) => name)).toEqual(PROBES.map(({ name }) => name))
  for (const { name, output, survivors } of lines) {
    const probe = PROBES.find((candidate) => candidate.name === name)
    if (probe?.needs === undefined || probe.needs === process.arch)
      expect(output, name).toMatch(probe?.contained ?? /^$/)
    expect(survivors, name).toEqual([])
  }
})
