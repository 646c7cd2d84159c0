/** A machine that cannot give everything: what is missing is said, and decides what a person is asked about. */
import { describe, expect, it } from 'vitest'
import { createHome, freePort, run, start } from '../e2e/program.ts'
import { assemble } from '../fakes/assembly.ts'

const WARNING = 'No sandbox: commands run with all that this program can reach'

describe('ASSISTANT_SANDBOX=none', () => {
  it('is said at the start, by doctor and with every task, and asks before all but reading a little', async () => {
    const port = await freePort()
    using home = createHome({ ASSISTANT_SANDBOX: 'none', ASSISTANT_API_PORT: String(port) })
    await using program = start(home, ['start'])
    await program.printed('ASSISTANT_SANDBOX=none: commands that a model wrote run as this program')

    const reading = await run(home, ['run', '!pwd'])
    expect(reading).toMatchObject({ code: 0, stdout: expect.stringContaining(WARNING) })
    await using writing = start(home, ['run', '!touch made'])
    const waiting = await writing.printed('assistant approve 2')
    expect(waiting).toContain(WARNING)
    expect(waiting).toContain('There is no sandbox here')
    expect((await run(home, ['show', '2'])).stdout).toContain(WARNING)
    expect(await (await fetch(`http://127.0.0.1:${port}/tasks/2`)).json()).toMatchObject({
      status: 'awaiting_approval',
      rounds: [{ decision: 'ask', sandbox: 'none' }],
    })
    expect(await run(home, ['approve', '2', '--yes'])).toMatchObject({ code: 0 })
    expect((await writing.ended).code).toBe(0)
    const checked = await run(home, ['doctor'])
    expect(checked.code).toBe(1)
    expect(checked.stdout).toContain('Sandbox: none: commands run as this program')
    expect((await run(home, ['policy', 'check', 'touch made'])).stdout).toContain('decided for a sandbox that is off')
  })
})

describe('a sandbox without some of its layers', () => {
  it.each([
    { strength: 'full', status: 'done' },
    { strength: 'weak', status: 'awaiting_approval' },
    { strength: 'none', status: 'awaiting_approval' },
  ] as const)('that is $strength: a plan that cannot be read beforehand is $status', async ({ strength, status }) => {
    await using assembly = await assemble({ box: { strength } })
    await assembly.startWorker()
    const { id } = await assembly.ask('!word=echo; $word hello')
    const task = await assembly.until(id, status)
    expect(task.status).toBe(status)
    expect(task.rounds[0]?.verdict.sandbox).toBe(strength)
  })

  it('that is weak still runs an ordinary plan without asking', async () => {
    await using assembly = await assemble({ box: { strength: 'weak' } })
    await assembly.startWorker()
    expect((await assembly.until((await assembly.ask('!echo hello > a; rm a')).id)).status).toBe('done')
  })
})
