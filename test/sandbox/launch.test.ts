import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { launch } from '../../src/sandbox/launch.ts'
import { eventually } from '../eventually.ts'
import { taskBench } from './task-bench.ts'

/** Whether a bash whose stdin is a socket, as a launcher's is, has run the .bashrc of its user. */
async function hasRunBashrc(options: readonly string[]): Promise<boolean> {
  const home = mkdtempSync(join(tmpdir(), 'assistant-launch-'))
  try {
    writeFileSync(join(home, '.bashrc'), 'echo > ~/ran\n')
    await launch({ file: '/bin/bash', parameters: [...options, '-c', ':'], environment: { HOME: home } }).exited
    return existsSync(join(home, 'ran'))
  } finally {
    rmSync(home, { recursive: true })
  }
}

/** What the launchers of this process gave their bash in front of its program. */
function optionsOfLaunchers(): string[][] {
  const lines = readdirSync('/proc').flatMap((name) => {
    try {
      const isOurs = readFileSync(`/proc/${name}/status`, 'latin1').includes(`\nPPid:\t${process.pid}\n`)
      return isOurs ? [readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')] : []
    } catch {
      // No process, or gone.
      return []
    }
  })
  const ofBash = lines.filter(([file, ...rest]) => file === '/bin/bash' && rest.some((word) => word.includes('kit=$1')))
  return ofBash.map((words) => words.slice(1, words.indexOf('-c')))
}

describe('a launcher', () => {
  it('runs no start-up file of the one who runs the program', async () => {
    expect(await hasRunBashrc([])).toBe(true)
    await using bench = taskBench(createBubblewrapSandbox)
    bench.sandbox.prepare()
    const options = await eventually(() => {
      const [first] = optionsOfLaunchers()
      expect(first).toBeDefined()
      return first
    })
    expect(await hasRunBashrc(options ?? [])).toBe(false)
  })
})
