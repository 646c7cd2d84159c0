import { expect, it } from 'vitest'
import { createUnsandboxed } from '../../src/sandbox/unsandboxed.ts'
import { sandboxContract } from '../contracts/sandbox.ts'
import { taskBench } from './task-bench.ts'

sandboxContract('no sandbox', (options) => taskBench(createUnsandboxed, options))

it('says loudly that there is no sandbox, at the start and for every task', async () => {
  await using bench = taskBench(createUnsandboxed)
  await bench.run(['true'])
  const warnings = bench.logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
  expect(warnings[0]).toContain('THERE IS NO SANDBOX')
  expect(warnings[1]).toMatch(/^\[TASK \d+\] runs WITHOUT a sandbox$/)
  expect(await bench.sandbox.check()).toMatchObject({ kind: 'none', strength: 'none' })
})
