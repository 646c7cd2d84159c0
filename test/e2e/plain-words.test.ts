/** Plain words, by the real program with a model server on loopback that speaks Ollama's protocol. */
import { describe, expect, it } from 'vitest'
import { startOllamaServer } from '../fakes/ollama-server.ts'
import { createHome, type Home, run, start } from './program.ts'

const SECRET = 'a-secret-that-nobody-may-see-1234'

async function failsWith(home: Home, { reason, says }: { reason: string; says: string }): Promise<void> {
  const { code, stdout, stderr } = await run(home, ['run', 'do something'])
  expect(code).toBe(1)
  expect(stdout + stderr).toContain(says)
  expect((await run(home, ['show', '1', '--json'])).stdout).toContain(reason)
}

describe('a task in plain words', () => {
  it('is planned, run, repaired after a failing step, and answered', async () => {
    await using ollama = await startOllamaServer({
      replies: [
        '{"commands": ["echo one > a.txt", "no-such-program a.txt"], "summary": "Writes a file and looks at it."}',
        '```json\n{"commands": ["cat a.txt"], "summary": "Uses cat."}\n```',
        'The file says one.',
      ],
    })
    using home = createHome({ OLLAMA_HOST: ollama.host, ASSISTANT_MODEL: 'test', GITHUB_TOKEN: SECRET })
    const { code, stdout } = await run(home, ['run', 'write one into a file and show it'])
    expect(stdout).toContain('The file says one.')
    expect(stdout).toContain('no-such-program')
    expect(stdout).toContain('a.txt')
    expect(code).toBe(0)
    const repair = ollama.chats[1]?.messages.map((message) => message.content).join('\n') ?? ''
    expect(repair).toContain('127')
    expect(repair).toContain('command not found')
    expect(ollama.requests.map((request) => request.body).join('\n')).not.toContain(SECRET)
    const shown = await run(home, ['show', '1', '--json'])
    expect(JSON.parse(shown.stdout)).toMatchObject({ status: 'done', end: { answer: 'The file says one.' } })
  })

  it('that needs nothing to be run is answered', async () => {
    await using ollama = await startOllamaServer({ replies: ['{"commands": [], "answer": "Four."}'] })
    using home = createHome({ OLLAMA_HOST: ollama.host, ASSISTANT_MODEL: 'test' })
    const { code, stdout } = await run(home, ['run', 'what is 2 + 2?'])
    expect(stdout).toContain('Four.')
    expect(code).toBe(0)
  })

  it('fails with what to do: no server', async () => {
    using home = createHome()
    await failsWith(home, { reason: 'planner_unreachable', says: 'ollama serve' })
  })

  it('fails with what to do: no such model', async () => {
    await using ollama = await startOllamaServer({ replies: [] })
    using home = createHome({ OLLAMA_HOST: ollama.host, ASSISTANT_MODEL: 'absent' })
    await failsWith(home, { reason: 'model_missing', says: 'ollama pull absent' })
  })

  it('whose replies stay unusable fails after three, each asked again with the reason', async () => {
    await using ollama = await startOllamaServer({
      replies: ['Sure! Just run ls.', '{"commands": "ls"}', '{"commands": ["ls"'],
    })
    using home = createHome({ OLLAMA_HOST: ollama.host, ASSISTANT_MODEL: 'test' })
    const { code } = await run(home, ['run', 'list files'])
    expect(code).toBe(1)
    expect(ollama.chats).toHaveLength(3)
    expect((await run(home, ['show', '1', '--json'])).stdout).toContain('plan_invalid')
  })

  it('cancelled while the model thinks hangs up on it at once', async () => {
    const gate = Promise.withResolvers<void>()
    await using ollama = await startOllamaServer({
      replies: [{ content: '{"commands": ["ls"]}', beforeHeaders: gate.promise }],
    })
    using home = createHome({ OLLAMA_HOST: ollama.host, ASSISTANT_MODEL: 'test' })
    await using running = start(home, ['run', 'think about it'])
    await expect.poll(() => ollama.chats.length).toBe(1)
    running.child.kill('SIGINT')
    expect((await running.ended).code).toBe(130)
    await expect.poll(() => ollama.hungUp).toBe(1)
    gate.resolve()
  })
})

describe('roles', () => {
  it('in processes of their own share one store: submitted by one, run by another, followed by a third', async () => {
    using home = createHome({ ASSISTANT_API_PORT: '0' })
    await using worker = start(home, ['worker'])
    await worker.printed('Worker')
    await using api = start(home, ['api'])
    const screen = await api.printed(/http:\/\/127\.0\.0\.1:\d+/)
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(screen)?.[0] ?? ''
    const posted = await fetch(`${address}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ description: '!for i in 1 2 3; do echo line $i; done' }),
    })
    expect(posted.status).toBe(201)
    const followed = await run(home, ['logs', '-f', '1'])
    expect(followed.stdout).toContain('line 3')
    expect(followed.code).toBe(0)
  })

  it('several workers on one store lose no task and do none twice', async () => {
    using home = createHome()
    await using first = start(home, ['worker'])
    await using second = start(home, ['worker'])
    await Promise.all([first.printed('Worker'), second.printed('Worker')])
    const asked = await Promise.all(Array.from({ length: 6 }, (_, index) => run(home, ['run', `!echo ran ${index}`])))
    expect(asked.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0])
    for (const [index, { stdout }] of asked.entries()) {
      expect(stdout.split('\n').filter((line) => line === `ran ${index}`)).toHaveLength(1)
    }
  })

  it('a worker that was killed a moment ago is not waited for', async () => {
    using home = createHome()
    await using worker = start(home, ['worker'])
    await worker.printed('Worker')
    worker.child.kill('SIGKILL')
    await worker.ended
    expect(await run(home, ['run', '!echo done anyway'])).toMatchObject({ code: 0 })
  })
})
