/** The README's first screen, by the real program. */
import { once } from 'node:events'
import { chownSync, existsSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createHome, freePort, gateOf, npmStart, run, start, startAs, UNTIL_REMOVED } from './program.ts'

const ORDINARY_USER = 64_321

describe('a person with a fresh clone', () => {
  it.runIf(process.getuid?.() === 0)(
    'who is an ordinary user sees what their sandbox lacks, and it is on',
    async () => {
      using home = createHome({ ASSISTANT_API: 'false' })
      chownSync(home.folder, ORDINARY_USER, ORDINARY_USER)
      await using program = startAs(ORDINARY_USER, home, ['start'])
      const screen = await program.printed('Ctrl-C stops')
      expect(screen).toMatch(/● Sandbox +bubblewrap, without .+\n +→ ./)
    },
  )

  it('starts the program, is told what is on, and asks from another terminal and over HTTP', async () => {
    const port = await freePort()
    using home = createHome({ ASSISTANT_API_PORT: String(port) })
    await using program = start(home, ['start'])
    const screen = await program.printed("assistant run '!echo hello > hello.txt; ls -l'")
    expect(screen).toContain('Worker')
    expect(screen).toMatch(/Model .*not reachable/)
    expect(screen).toContain('npx assistant setup slack')
    expect(screen).toContain(`http://127.0.0.1:${port}`)

    const asked = await run(home, ['run', '!echo hello > hello.txt; ls -l'])
    expect(asked.code).toBe(0)
    expect(asked.stdout).toContain('hello.txt')
    expect(asked.stdout).toContain('Get it: npx assistant get 1 hello.txt')

    const posted = await fetch(`http://127.0.0.1:${port}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ description: '!seq 1 5' }),
    })
    expect(posted.status).toBe(201)
    expect(await posted.json()).toMatchObject({ id: 2, description: '!seq 1 5', parent_id: null })
    await expect
      .poll(async () => ((await (await fetch(`http://127.0.0.1:${port}/tasks/2`)).json()) as { status: string }).status)
      .toBe('done')
    const log = await (await fetch(`http://127.0.0.1:${port}/tasks/2/logs?lines=200`)).text()
    expect(log).toMatch(/^1\n2\n3\n4\n5$/m)

    program.child.kill('SIGTERM')
    const ended = await program.ended
    expect(ended.code).toBe(0)
    const lines = ended.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.filter((line) => line.taskId === 1 && line.msg.startsWith('[TASK 1] '))).not.toEqual([])
  })

  it('gets a task done with no program running elsewhere', async () => {
    using home = createHome()
    const asked = await run(home, ['run', '!echo alone'])
    expect(asked).toMatchObject({ code: 0 })
    expect(asked.stdout).toContain('alone')
  })

  it('is told in one line what is wrong, with exit code 2', async () => {
    using home = createHome()
    for (const args of [['show', '1'], ['list'], ['cancel', 'x'], ['nonsense']]) {
      const { code, stderr, stdout } = await run(home, args)
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2)
      expect(stderr).not.toContain('    at ')
    }
    await run(home, ['run', '!true'])
    expect(await run(home, ['show', '99'])).toMatchObject({ code: 2, stderr: 'There is no task #99.\n' })
    expect(await run(home, ['cancel', '1'])).toMatchObject({ code: 2, stderr: 'Task #1 has already ended: done.\n' })
  })

  it('is told every wrong setting at once', async () => {
    using home = createHome({ ASSISTANT_API_PORT: 'x', ASSISTANT_SANDBOX: 'docker' })
    const { code, stderr } = await run(home, ['list'])
    expect(code).toBe(2)
    expect(stderr).toContain('ASSISTANT_API_PORT')
    expect(stderr).toContain('ASSISTANT_SANDBOX')
  })

  it('ends with the exit code of the task', async () => {
    using home = createHome()
    expect((await run(home, ['run', '!exit 3'])).code).toBe(1)
  })

  it('cancels with Ctrl-C', async () => {
    using home = createHome()
    await using running = start(home, ['run', '!echo started; sleep 1000'])
    await running.printed(/^started$/m)
    running.child.kill('SIGINT')
    const { code, stdout } = await running.ended
    expect(code).toBe(130)
    expect(stdout).toContain('ancelled')
    expect((await run(home, ['list', '--json'])).stdout).toContain('"cancelled"')
  })

  it('whose port is taken is told so, and no task that waits is harmed', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    using home = createHome({ ASSISTANT_API_PORT: String(port) })
    await run(home, ['run', '--detach', '!sleep 1000'])
    const { code, stderr } = await run(home, ['start'])
    server.close()
    expect(code).toBe(2)
    expect(stderr).toContain(String(port))
    expect((await run(home, ['list', '--json'])).stdout).toContain('"pending"')
  })

  it.each<[string, (npm: number) => void]>([
    ['one signal', (npm) => process.kill(npm, 'SIGTERM')],
    ['the Ctrl-C of a terminal, which goes to all and which npm passes on', (npm) => process.kill(-npm, 'SIGINT')],
  ])('stops npm start with %s: what runs is let finish, and npm ends well', async (_, stop) => {
    using home = createHome({ ASSISTANT_API_PORT: '0' })
    await using program = npmStart(home)
    await program.printed('Ask for the first task')
    await run(home, ['run', '--detach', `!${UNTIL_REMOVED}; echo finished`])
    await expect.poll(() => existsSync(gateOf(home, 1))).toBe(true)
    stop(program.child.pid ?? Number.NaN)
    await program.printed('Stopping')
    rmSync(gateOf(home, 1))
    expect((await program.ended).code).toBe(0)
    expect((await run(home, ['logs', '1'])).stdout).toContain('finished')
  })
})
