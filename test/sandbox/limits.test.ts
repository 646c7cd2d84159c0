import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { ABUSES } from './abuses.ts'
import { asOrdinaryUser, taskBench } from './task-bench.ts'

/** Prints their process ids: the terminator, 3, is the supervisor's first child. */
const LANES = 'ps -o pid= --ppid 2 | tail -n +2'

const exited = (code: number) => ({ kind: 'exited', code })

describe.runIf(process.getuid?.() === 0)('as root, each limit of a task ends it in its own words', () => {
  it.each(ABUSES)('a step that $name', async ({ command, limits = {}, end }) => {
    await using bench = taskBench(createBubblewrapSandbox, { limits })
    const { ends } = await bench.run([command], { timeoutMs: 100_000 })
    expect(ends).toEqual([end])
    await bench.dispose()
    expect(bench.survivors()).toEqual([])
    await expect.poll(groupsLeft).toEqual([])
  })

  it('a step that ends the supervisor is told as the end of the sandbox', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const { ends } = await bench.run(['kill -KILL 2; sleep 60'])
    expect(ends).toMatchObject([{ kind: 'sandbox_died' }])
    expect(bench.survivors()).toEqual([])
  })

  it.each(['first', 'second'])(
    'a step that ends the %s lane of the supervisor is told as the end of the sandbox',
    async (which) => {
      await using bench = taskBench(createBubblewrapSandbox)
      const { ends } = await bench.run([
        `kill -KILL $(${LANES} | ${which === 'first' ? 'head' : 'tail'} -n 1); sleep 60`,
        'true',
      ])
      expect(ends).toMatchObject([{ kind: 'sandbox_died' }])
      expect(bench.survivors()).toEqual([])
    },
  )

  it('a step that asks the supervisor to end is not heard', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const first = await bench.run([`kill -TERM 2 $(${LANES})`])
    const second = await bench.run(['echo next'])
    expect([...first.ends, ...second.ends]).toEqual([exited(0), exited(0)])
    expect(second.outputs).toEqual(['next\n'])
  })

  it('a step that kills everything it can is told as the end of the sandbox', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const { ends } = await bench.run(['kill -KILL -1; sleep 60'])
    expect(ends).toMatchObject([{ kind: 'sandbox_died' }])
    expect(bench.survivors()).toEqual([])
  })

  it('a step that stops the supervisor can still be cancelled', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const abort = new AbortController()
    const { ends } = await bench.run([`kill -STOP 2 3 $(${LANES}); echo ready; sleep 60`], {
      signal: abort.signal,
      onText: (text) => text.includes('ready') && abort.abort(),
    })
    expect(ends).toEqual([{ kind: 'cancelled' }])
    expect(bench.survivors()).toEqual([])
  })

  it('reports every layer as on when started by root', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const report = await bench.sandbox.check()
    expect(report.layers.filter(({ on }) => !on)).toEqual([])
    expect(report.strength).toBe('full')
    // Until then a launcher may wait for a task in a group of its own.
    await bench.dispose()
    await expect.poll(groupsLeft).toEqual([])
  })
})

it.runIf(process.getuid?.() === 0)(
  'each limit ends a task in the same words when an ordinary user starts the program',
  async () => {
    const lines = await asOrdinaryUser('run-abuses.ts')
    expect(lines.map(({ name, ends }) => ({ name, ends }))).toEqual(
      ABUSES.map(({ name, end }) => ({ name, ends: [end] })),
    )
    for (const { name, survivors } of lines) expect(survivors, name).toEqual([])
  },
)

/** Groups that this program made and that still exist. */
function groupsLeft(): string[] {
  const trees = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/pids', '/sys/fs/cgroup/cpu']
  return trees
    .filter((tree) => existsSync(tree))
    .flatMap((tree) =>
      readdirSync(tree).filter((name) => /^assistant-.*-run-/.test(name) && name.includes(`-run-${process.pid}-`)),
    )
}
