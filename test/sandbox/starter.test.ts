import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { createUnsandboxed } from '../../src/sandbox/unsandboxed.ts'
import { eventually } from '../eventually.ts'
import { approved, taskBench } from './task-bench.ts'

const STEP = { timeoutMs: 60_000, signal: new AbortController().signal, onOutput: () => undefined }

interface Started {
  pid: number
  parent: number
  session: number
}

/** Processes that run the starter's program, as the kernel tells of them: the starters, and the launchers that wait. */
function allStarted(): Started[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const isOurs = readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('sub launch')
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return isOurs && state !== 'Z' ? [{ pid: Number(name), parent: Number(parent), session: Number(session) }] : []
    } catch {
      // No process, or gone.
      return []
    }
  })
}

/** Of this process; there is one at least where they are asked for. */
function starters(): Started[] {
  const all = allStarted().filter(({ parent }) => parent === process.pid)
  expect(all).not.toEqual([])
  return all
}

describe('the starter', () => {
  it('is started anew when it was ended; its tasks end with it, and no launcher of it is left', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    await bench.session()
    const [starter] = starters()
    const end = () => starter !== undefined && process.kill(starter.pid, 'SIGKILL')
    const { ends } = await bench.run(['echo begun; sleep 1234'], { onText: (text) => text.includes('begun') && end() })
    expect(ends).toEqual([{ kind: 'sandbox_died', detail: 'its supervisor was ended from inside' }])
    expect(bench.survivors()).toEqual([])
    const left = () => allStarted().filter(({ session }) => session === starter?.session)
    await eventually(() => expect(left()).toEqual([]))
    await using session = await bench.sandbox.open(bench.task, approved(['true']))
    expect(await session.run(approved(['true']), 0, STEP)).toEqual({ kind: 'exited', code: 0 })
  })

  it.runIf(process.getuid?.() === 0)('keeps no more powers of root than it needs, and can gain none', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    await bench.run(['true'])
    // dac_override, setgid, setuid, sys_admin: bits 1, 6, 7 and 21.
    for (const { pid } of starters()) {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1')
      expect(status).toMatch(/^NoNewPrivs:\t1$/m)
      for (const set of ['CapPrm', 'CapEff', 'CapBnd']) expect(status).toContain(`${set}:\t00000000002000c2\n`)
      for (const set of ['CapInh', 'CapAmb']) expect(status).toContain(`${set}:\t0000000000000000\n`)
    }
  })

  it('is out of reach of the terminal, where Ctrl-C is for the program', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    await bench.run(['true'])
    for (const { pid, session } of starters()) expect(session).toBe(pid)
  })

  it('ends with its sandbox, and its launchers with it', async () => {
    const bench = taskBench(createBubblewrapSandbox)
    await bench.run(['true'])
    const sessions = starters().map(({ session }) => session)
    const left = () => allStarted().filter(({ session }) => sessions.includes(session))
    expect(left()).not.toEqual([])
    await bench[Symbol.asyncDispose]()
    expect(left()).toEqual([])
  })
})

describe.each([
  ['a sandbox', createBubblewrapSandbox],
  ['no sandbox', createUnsandboxed],
])('in %s', (_, create) => {
  it('no shell runs the start-up files that a step has left', async () => {
    await using bench = taskBench(create)
    const left = 'for name in .bashrc .bash_profile .profile; do echo "touch ~/ran" >~/$name; done'
    await bench.run([left, 'true', 'true'])
    expect(await bench.directory()).not.toContain('ran')
  })
})
