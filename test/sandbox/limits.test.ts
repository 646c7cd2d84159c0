import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { StepEnd } from '../../src/core/outcome.ts'
import type { SandboxLimits } from '../../src/ports/sandbox.ts'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { LIMITS, MEBIBYTE, taskBench } from './task-bench.ts'

interface Abuse {
  name: string
  command: string
  limits?: Partial<SandboxLimits>
  end: StepEnd
}

const stopped = (limit: Extract<StepEnd, { kind: 'limit' }>['limit'], allowed: number): StepEnd => ({
  kind: 'limit',
  limit,
  allowed,
})
const exited = (code: number): StepEnd => ({ kind: 'exited', code })

const ABUSES: Abuse[] = [
  {
    name: 'takes memory without end',
    command: "perl -e 'push @a, q(x) x 1e6 while 1'",
    limits: { memoryBytes: 128 * MEBIBYTE },
    end: stopped('memory', 128 * MEBIBYTE),
  },
  {
    name: 'takes memory in many processes',
    command: "for i in $(seq 20); do perl -e '$a = q(x) x 4e7; sleep 60' & done; wait",
    limits: { memoryBytes: 128 * MEBIBYTE },
    end: stopped('memory', 128 * MEBIBYTE),
  },
  { name: 'forks without end', command: 'f() { f | f & }; f; sleep 60', end: stopped('processes', LIMITS.processes) },
  {
    name: 'computes without end in one process',
    command: 'while :; do :; done',
    limits: { cpuSeconds: 1 },
    end: stopped('cpu', 1),
  },
  {
    name: 'computes without end in several processes',
    command: 'for i in 1 2 3; do (while :; do :; done) & done; sleep 60',
    limits: { cpuSeconds: 2 },
    end: stopped('cpu', 2),
  },
  {
    name: 'writes a huge file',
    command: 'exec head -c 1G /dev/zero >huge',
    limits: { fileBytes: 16 * MEBIBYTE },
    end: stopped('file_size', 16 * MEBIBYTE),
  },
  {
    name: 'writes a sparse file that says it is huge',
    command: 'exec truncate -s 1T sparse',
    limits: { fileBytes: 16 * MEBIBYTE },
    end: stopped('file_size', 16 * MEBIBYTE),
  },
  {
    name: 'fills its folder with files',
    command: 'for i in $(seq 400); do head -c 4M /dev/zero >$i; done; sleep 60',
    limits: { diskBytes: 64 * MEBIBYTE },
    end: stopped('disk', 64 * MEBIBYTE),
  },
  {
    name: 'fills its folder and is gone',
    command: 'for i in $(seq 40); do head -c 4M /dev/zero >$i; done',
    limits: { diskBytes: 64 * MEBIBYTE },
    end: stopped('disk', 64 * MEBIBYTE),
  },
  {
    name: 'makes more empty files than anyone needs',
    command: "perl -e 'for (1 .. 1e6) { open F, q(>), qq(f$_) } sleep 60'",
    limits: { diskBytes: 8 * MEBIBYTE },
    end: stopped('disk', 8 * MEBIBYTE),
  },
  {
    name: 'opens too many files',
    command: "perl -e 'my @f; for (1 .. 400) { open my $f, q(<), q(/dev/null) or exit 7; push @f, $f } exit 8'",
    end: exited(7),
  },
]

describe.runIf(process.getuid?.() === 0)('each limit of a task ends it in its own words', () => {
  it.each(ABUSES)('a step that $name', async ({ command, limits = {}, end }) => {
    await using bench = taskBench(createBubblewrapSandbox, { limits })
    const { ends } = await bench.run([command], { timeoutMs: 45_000 })
    expect(ends).toEqual([end])
    await bench.dispose()
    expect(bench.survivors()).toEqual([])
    expect(groupsLeft()).toEqual([])
  })

  it('a step that ends the supervisor is told as the end of the sandbox', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const { ends } = await bench.run(['kill -KILL 2; sleep 60'])
    expect(ends).toMatchObject([{ kind: 'sandbox_died' }])
    expect(bench.survivors()).toEqual([])
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
    const { ends } = await bench.run(['kill -STOP 2 3; echo ready; sleep 60'], {
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
    expect(groupsLeft()).toEqual([])
  })
})

/** Groups that this program made and that still exist. */
function groupsLeft(): string[] {
  const trees = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/pids', '/sys/fs/cgroup/cpu']
  return trees
    .filter((tree) => existsSync(tree))
    .flatMap((tree) =>
      readdirSync(tree).filter((name) => /^assistant-.*-run-/.test(name) && name.includes(`-run-${process.pid}-`)),
    )
}
