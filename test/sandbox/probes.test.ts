import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { PROBES } from './probes.ts'
import { taskBench } from './task-bench.ts'

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
