import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, closeSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { createUnsandboxed } from '../../src/sandbox/unsandboxed.ts'
import { eventually } from '../eventually.ts'
import { processesOf, taskBench } from './task-bench.ts'

const OWNER = new URL('../fixtures/sandbox-owner.ts', import.meta.url).pathname

/** Starts a program with an endless task and, as descriptor 11, a secret that it inherited. */
async function startOwner(kind: 'bubblewrap' | 'none', work: string, state: string, mark: string) {
  const secret = join(work, '..', 'secret')
  writeFileSync(secret, 'inherited secret\n')
  const descriptor = openSync(secret, 'r')
  const inherited = Array.from({ length: 8 }, () => 'ignore' as const)
  const child = spawn(process.execPath, [OWNER, kind, work, state, mark], {
    stdio: ['ignore', 'pipe', 'inherit', ...inherited, descriptor],
  })
  closeSync(descriptor)
  let printed = ''
  child.stdout?.on('data', (chunk) => {
    printed += String(chunk)
  })
  await eventually(() => expect(printed).toMatch(/started.*(descriptor|secret)/s))
  return { child, printed: () => printed }
}

describe('a program that was killed in the middle of a task', () => {
  it('leaves no process behind, and the next one sweeps its groups and files away', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const state = join(bench.work, '..', '..', '..', 'state')
    const owner = bench.sandbox.owner(59_999)
    if (owner !== null) chownSync(bench.work, owner.uid, owner.gid)
    const { child, printed } = await startOwner('bubblewrap', bench.work, state, 'mark-of-the-killed')
    expect(printed()).not.toContain('inherited secret')
    expect(processesOf('mark-of-the-killed', owner?.uid).length).toBeGreaterThan(0)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await eventually(() => expect(processesOf('mark-of-the-killed', owner?.uid)).toEqual([]))
    expect(readdirSync(state).filter((name) => name.startsWith(`run-${child.pid}-`))).toHaveLength(1)
    await bench.sandbox.sweep()
    expect(readdirSync(state).filter((name) => name.startsWith(`run-${child.pid}-`))).toEqual([])
    expect(groupsOf(child.pid)).toEqual([])
  })

  it('leaves processes behind where there is no sandbox, until the next one sweeps them away', async () => {
    await using bench = taskBench(createUnsandboxed)
    const state = join(bench.work, '..', '..', '..', 'state')
    const { child } = await startOwner('none', bench.work, state, 'mark-of-the-unprotected')
    child.kill('SIGKILL')
    await once(child, 'exit')
    await bench.sandbox.sweep()
    await eventually(() => expect(processesOf('mark-of-the-unprotected', undefined)).toEqual([]))
  })

  it('does not sweep what a program that is alive uses', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const { outputs } = await bench.run(['echo before'])
    await bench.sandbox.sweep()
    outputs.push(...(await bench.run(['echo after'])).outputs)
    expect(outputs).toEqual(['before\n', 'after\n'])
  })
})

function groupsOf(pid: number | undefined): string[] {
  return ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/cpu', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'].flatMap((tree) => {
    try {
      return readdirSync(tree).filter((name) => name.includes(`-run-${pid}-`))
    } catch {
      // This machine has no such tree.
      return []
    }
  })
}
