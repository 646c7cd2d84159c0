import { rm } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { SandboxError } from '../../src/ports/sandbox.ts'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { SUPERVISOR_PATH } from '../../src/sandbox/shell-programs.ts'
import { eventually } from '../eventually.ts'
import { approved, taskBench } from './task-bench.ts'

describe('a sandbox that was started before there was a plan', () => {
  // Only root can tell by the uid which processes are the task's before it has a step.
  it.runIf(process.getuid?.() === 0)('is replaced when it was killed before the plan came', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    await using empty = bench.sandbox.start(bench.task)
    await eventually(() => expect(bench.survivors().join()).toContain(` ${SUPERVISOR_PATH} `))
    for (const survivor of bench.survivors()) kill(Number.parseInt(survivor, 10))
    await eventually(() => expect(bench.survivors()).toEqual([]))
    // A turn of the loop, in which the program is told.
    await new Promise((resolve) => setImmediate(resolve))
    bench.adopt(empty.open(approved(['true'])))
    expect((await bench.run(['echo still here'])).outputs).toEqual(['still here\n'])
  })

  it('tells what is wrong when the plan comes, and not before', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    await rm(bench.work, { recursive: true })
    await using empty = bench.sandbox.start(bench.task)
    await expect(empty.open(approved(['true']))).rejects.toThrow(SandboxError)
    expect(bench.survivors()).toEqual([])
  })
})

/** The end of one may have been that of another. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
