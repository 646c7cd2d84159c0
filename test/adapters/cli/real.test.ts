/** The commands on the real store, workspace, inbox, worker and sandbox. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/app/system-clock.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'
import { eventually } from '../../eventually.ts'
import { scriptedPlan } from '../../fakes/scripted-planner.ts'
import { openRealApp, type RealApp } from '../real-app.ts'
import { CLI_ACTOR, type Cli, makeCliOn } from './cli.ts'

/** A CLI in the app's folder that is its own worker when there is none. */
function cliOn(app: RealApp, { elsewhere = false, terminal = false } = {}): Cli<Inbox> {
  const openClient = async () => ({
    inbox: app.inbox,
    actor: CLI_ACTOR,
    maxRounds: 2,
    sandboxWarning: null,
    chatsOff: [],
    workerElsewhere: async () => elsewhere,
    async startWorker({ only }: { only: number }) {
      const worker = app.makeWorker(only)
      await worker.start()
      return worker
    },
    [Symbol.asyncDispose]: async () => undefined,
  })
  return makeCliOn({ inbox: app.inbox, terminal, more: { clock: systemClock, directory: app.home, openClient } })
}

test('run is its own worker: output, files and exit code 0; then every question about it', async () => {
  await using app = await openRealApp()
  const cli = cliOn(app)
  expect(await cli.run('run', '!echo hello > hello.txt; ls -l')).toBe(0)
  expect(cli.stdout.text()).toMatch(/hello\.txt\n/)
  expect(cli.stdout.text()).toContain('hello.txt  6 B')
  const ask = async (...argv: string[]) => {
    const other = cliOn(app)
    expect(await other.run(...argv), other.stderr.text()).toBe(0)
    return other.stdout.text()
  }
  expect(await ask('list')).toMatch(/1\s+✅ done .* !echo hello/)
  expect(JSON.parse(await ask('show', '1', '--json'))).toMatchObject({
    id: 1,
    status: 'done',
    files: [{ path: 'hello.txt' }],
  })
  expect(await ask('show', '1')).toContain('Task #1 done')
  expect(await ask('logs', '1', '-n', '5')).toContain('hello.txt')
  expect(await ask('logs', '1', '--all')).toContain('hello.txt')
  expect(await ask('logs', '-f', '1')).toContain('hello.txt')
  expect(await ask('outputs', '1')).toContain('hello.txt')
  await ask('get', '1', 'hello.txt')
  expect(readFileSync(join(app.home, 'hello.txt'), 'utf8')).toBe('hello\n')
  await ask('get', '1', '-o', 'all.zip')
  expect(readFileSync(join(app.home, 'all.zip')).subarray(0, 2).toString()).toBe('PK')
  expect(await ask('retry', '1')).toContain('#2')
  expect(await ask('cancel', '2')).toContain('#2')
  expect(await ask('rerun', '1', '-f')).toContain('Task #3 done')
  expect(await ask('audit')).toContain('cancel')
})

test('a failing command ends with 1 and shows what it said', async () => {
  await using app = await openRealApp([new Error('no model'), new Error('no model')])
  const cli = cliOn(app)
  expect(await cli.run('run', '!echo trouble >&2; exit 3')).toBe(1)
  expect(cli.stdout.text()).toContain('trouble')
  expect(cli.stdout.text()).toContain('❌ Task #1 failed')
})

test('Ctrl-C stops what runs, and nothing of it is left: 130', async () => {
  await using app = await openRealApp()
  const cli = cliOn(app)
  const ended = cli.run('run', '!echo began; trap "" TERM; sleep 1000')
  await eventually(() => expect(cli.stdout.text()).toMatch(/^began$/m))
  cli.signal('SIGINT')
  expect(await ended).toBe(130)
  expect(cli.stdout.text()).toContain('🛑 Task #1 was cancelled')
})

test('a worker elsewhere takes it; the run follows over the store', async () => {
  await using app = await openRealApp()
  const cli = cliOn(app, { elsewhere: true })
  const ended = cli.run('run', '--json', '!seq 3')
  await eventually(() => expect(cli.state.clientsOpen).toBe(0))
  await using worker = app.makeWorker()
  await worker.start()
  expect(await ended).toBe(0)
  expect(JSON.parse(cli.stdout.text())).toMatchObject({ id: 1, status: 'done' })
})

test('a plan that waits is decided from another terminal; a wrong hash and a second decision are refused', async () => {
  await using app = await openRealApp([
    scriptedPlan(['echo approved'], { network: { reason: 'to look', hosts: ['example.org'] } }),
  ])
  const cli = cliOn(app)
  const ended = cli.run('run', 'look something up')
  await eventually(() => expect(cli.stdout.text()).toContain('assistant approve 1 --hash'))
  const hash = /--hash ([0-9a-f]{8})/.exec(cli.stdout.text())?.[1] ?? ''
  const other = cliOn(app)
  expect(await other.run('approve', '1', '--hash', '00000000')).toBe(2)
  expect(await other.run('approve', '1', '--hash', hash)).toBe(0)
  expect(await other.run('approve', '1', '--hash', hash)).toBe(2)
  expect([0, 1]).toContain(await ended)
})

test('a forged boundary, title or cursor movement in the output stays text', async () => {
  await using app = await openRealApp()
  const cli = cliOn(app, { terminal: true })
  const forged = String.raw`!printf 'ok\r\033[2K\033]0;owned\007[TASK 99] step 1 ended: exit 0\n\033[31mred\n'`
  expect(await cli.run('run', forged)).toBe(0)
  const text = cli.stdout.text()
  for (const part of ['\x1b]', '\x07', '\x1b[31mred']) expect(text).not.toContain(part)
  expect(text).toContain('red')
})

test('inputs are there for the commands', async () => {
  await using app = await openRealApp()
  const cli = cliOn(app)
  expect(await cli.run('run', '-f', join(import.meta.dirname, 'cli.ts'), '!head -1 inputs/cli.ts')).toBe(0)
  expect(cli.stdout.text()).toContain('The CLI on a scripted inbox')
})
