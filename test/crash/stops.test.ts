/** The real program is paused, stopped, stopped twice, and watched by systemd. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { gateOf, start, UNTIL_REMOVED } from '../e2e/program.ts'
import { startSlackServer } from '../fakes/slack-server.ts'
import { homeWithApi, startReady } from './fixture-home.ts'
import { openLook } from './look.ts'
import { processesWith } from './processes.ts'

function eventsOf(folder: string, taskId: number): string[] {
  using look = openLook(folder)
  return (look?.events(0) ?? []).filter((each) => each.taskId === taskId).map((each) => each.event.kind)
}

function storedIn(folder: string): number {
  using look = openLook(folder)
  return look?.tasks().length ?? 0
}

describe('a worker that stood still for longer than its lease', () => {
  it('writes nothing more and ends its processes when it goes on; another had taken its place', async () => {
    const { home, api } = await homeWithApi({ ASSISTANT_LEASE: '3 s' })
    using _home = home
    const mark = `paused${process.pid}`
    await using face = await startReady(home, ['api'])
    await using first = await startReady(home, ['worker'])
    const { id } = await api.submit(`!echo begun; sh -c 'sleep 300; : ${mark}'`)
    await expect.poll(() => processesWith(mark).length).toBeGreaterThan(0)
    first.child.kill('SIGSTOP')
    await using second = await startReady(home, ['worker'])
    const ended = await api.until(id, 'failed')
    expect(JSON.stringify(ended)).toContain('interrupted')
    const before = eventsOf(home.folder, id)
    first.child.kill('SIGCONT')
    await expect.poll(() => processesWith(mark)).toEqual([])
    expect(eventsOf(home.folder, id)).toEqual(before)
    expect(before.filter((kind) => kind === 'step_started')).toHaveLength(1)
    // It works on, with what is new.
    second.child.kill('SIGTERM')
    expect((await second.ended).code).toBe(0)
    const next = await api.submit('!echo again')
    expect((await api.until(next.id, 'done')).status).toBe('done')
    expect(face.child.exitCode).toBeNull()
  }, 180_000)
})

describe('SIGTERM', () => {
  it('lets a task end within the grace period, interrupts the others, tells both, and exits with 0', async () => {
    await using slack = await startSlackServer()
    const { home } = await homeWithApi({
      ...slack.environment,
      ASSISTANT_STOP_GRACE: '12 s',
      ASSISTANT_CONCURRENCY: '2',
    })
    using _home = home
    const mark = `stopped${process.pid}`
    await using program = await startReady(home)
    const say = (text: string) => slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: `<@U0BOT> ${text}` })
    say(`!sh -c '${UNTIL_REMOVED}; : ${mark}-short'`)
    await expect.poll(() => storedIn(home.folder)).toBe(1)
    say(`!sh -c 'sleep 300; : ${mark}-long'`)
    await expect.poll(() => processesWith(`${mark}-long`).length).toBeGreaterThan(0)
    await expect.poll(() => existsSync(gateOf(home, 1))).toBe(true)
    say('!echo never begun')
    await expect.poll(() => storedIn(home.folder)).toBe(3)
    program.child.kill('SIGTERM')
    await program.printed('Stopping')
    rmSync(gateOf(home, 1))
    const { code } = await program.ended
    expect({ code, signal: program.child.signalCode }).toEqual({ code: 0, signal: null })
    expect(processesWith(mark)).toEqual([])
    using look = openLook(home.folder)
    const statuses = look
      ?.tasks()
      .map(({ status, ending }) => `${status} ${/interrupted/.exec(ending ?? '')?.[0] ?? ''}`)
    expect(statuses?.slice().sort()).toEqual(['done ', 'failed interrupted', 'pending '])
    // What ended while it stopped has been told before it left.
    const results = slack.world.messages.filter(({ metadata }) => JSON.stringify(metadata ?? '').includes(':result'))
    expect(results).toHaveLength(2)
  }, 180_000)

  it('a second time leaves at once, and nothing of a task stays', async () => {
    const { home, api } = await homeWithApi({ ASSISTANT_STOP_GRACE: '10 min' })
    using _home = home
    const mark = `twice${process.pid}`
    await using program = await startReady(home)
    await api.submit(`!sh -c 'sleep 300; : ${mark}'`)
    await expect.poll(() => processesWith(mark).length).toBeGreaterThan(0)
    program.child.kill('SIGTERM')
    await program.printed('again leaves at once')
    program.child.kill('SIGTERM')
    const { code } = await program.ended
    expect(code).toBe(130)
    await expect.poll(() => processesWith(mark)).toEqual([])
  })
})

const hasTools = ['/usr/bin/systemd-notify', '/usr/bin/python3'].every((path) => existsSync(path))

describe.runIf(hasTools)('under systemd', () => {
  it('it says when it is ready, gives signs of life, and says when it stops', async () => {
    const { home } = await homeWithApi()
    using _home = home
    const socket = join(home.folder, 'notify')
    const listener = spawn(
      'python3',
      [
        '-uc',
        `import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind(${JSON.stringify(socket)})\nprint('bound')\nwhile True: print(s.recv(4096).decode())`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let heard = ''
    listener.stdout.setEncoding('utf8').on('data', (text: string) => {
      heard += text
    })
    try {
      await expect.poll(() => heard).toContain('bound')
      const environment = { ...home.environment, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' }
      await using program = start({ ...home, environment }, ['start'])
      await expect.poll(() => heard.match(/WATCHDOG=1/g)?.length ?? 0).toBeGreaterThan(2)
      expect(heard.indexOf('READY=1')).toBeGreaterThan(-1)
      expect(heard.indexOf('READY=1')).toBeLessThan(heard.indexOf('WATCHDOG=1'))
      // It stands still: no more signs of life, so that systemd would start it anew. What was on its way comes first.
      program.child.kill('SIGSTOP')
      await expect.poll(() => processesWith('WATCHDOG=1')).toEqual([])
      const say = (word: string) =>
        execFileSync('systemd-notify', ['--no-block', `--status=${word}`], {
          env: { ...process.env, NOTIFY_SOCKET: socket },
        })
      say('stands')
      await expect.poll(() => heard).toContain('STATUS=stands')
      await new Promise((resolve) => setTimeout(resolve, 1500))
      say('still')
      await expect.poll(() => heard).toContain('STATUS=still')
      expect(heard.slice(heard.indexOf('STATUS=stands'))).not.toContain('WATCHDOG=1')
      program.child.kill('SIGCONT')
      program.child.kill('SIGTERM')
      expect((await program.ended).code).toBe(0)
      await expect.poll(() => heard).toContain('STOPPING=1')
    } finally {
      listener.kill()
    }
  }, 180_000)
})
