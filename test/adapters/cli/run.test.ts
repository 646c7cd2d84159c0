import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Task } from '../../../src/core/task.ts'
import { StoreError } from '../../../src/ports/store.ts'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { doneTask, type LiveTask, liveTask } from '../live-task.ts'
import { sampleRound } from '../sample-round.ts'
import { type Cli, makeCli } from './cli.ts'

const SHORT_HASH = '7f3a9c01'

/** `run` makes task 1, which the test then leads through its life. */
function scripted(cli: Cli): { live: LiveTask; task: Task; running: Task; awaiting: Task } {
  const round = sampleRound({ commands: ['seq 2', 'curl example.org'], decision: 'ask', badges: ['network'] })
  const task = sampleTask({ id: 1, description: 'count' })
  const live = liveTask(cli.inbox, task)
  cli.inbox.next.submit.push(() => ({ kind: 'created', task }))
  const approval = {
    round: 1,
    hash: round.hash,
    requestedAt: 0,
    expiresAt: 1,
    remindedAt: null,
    decision: null,
    by: null,
    decidedAt: null,
    note: null,
  }
  const planned = { ...task, rounds: [round], round: 1 }
  return {
    live,
    task,
    running: { ...planned, status: 'running' },
    awaiting: { ...planned, status: 'awaiting_approval', approval },
  }
}

/** The plan that waits, with other commands and another hash. */
function editedPlan(awaiting: Task): Task {
  if (awaiting.status !== 'awaiting_approval') throw new Error('not waiting')
  const round = { ...sampleRound({ commands: ['seq 2', 'echo example.org'], decision: 'ask' }), hash: 'e'.repeat(64) }
  return { ...awaiting, rounds: [round], approval: { ...awaiting.approval, hash: round.hash } }
}

describe('piped', () => {
  test('prints changes, the log and the end in plain lines, and ends with 0', async () => {
    const cli = makeCli()
    const { live, running } = scripted(cli)
    const file = { path: 'hello.txt', sizeBytes: 6, mimeType: 'text/plain', modifiedAt: 0 }
    cli.inbox.files.set(1, [{ file, bytes: Buffer.from('hello\n') }])
    const ended = cli.run('run', 'count', 'to', 'two')
    await eventually(() => expect(live.open).toBe(2))
    live.become(running)
    await eventually(() => expect(cli.stdout.text()).toContain('Task #1: running 2 commands\n'))
    live.note('[TASK 1] $ seq 2')
    live.print('1', '2')
    live.become(doneTask({ ...running, outputs: { files: 1, bytes: 6 } }, 'Two lines.'))
    expect(await ended).toBe(0)
    expect(cli.inbox.submitted[0]).toMatchObject({ text: 'count to two', place: null, model: null, dedupeKey: null })
    const text = cli.stdout.text()
    expect(text).toContain('[TASK 1] $ seq 2\n1\n2\n')
    expect(text).toContain('✅ Task #1 done')
    expect(text).toContain('Two lines.')
    expect(text).toContain('hello.txt  6 B')
    expect(text).toContain('assistant get 1 hello.txt')
    expect(text).not.toContain('\x1b')
    expect(cli.stderr.text()).toBe('')
    expect(cli.state.clientsOpen).toBe(0)
    expect(live.open).toBe(0)
  })

  test('a failed task ends with 1, with its reason', async () => {
    const cli = makeCli()
    const { live, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become({ ...running, status: 'failed', failure: { reason: 'planner_unreachable', detail: '', step: null } })
    expect(await ended).toBe(1)
    expect(cli.stdout.text()).toContain('The model server cannot be reached.')
  })

  test('a plan that waits says how to decide on it, and the run goes on once somebody has', async () => {
    const cli = makeCli()
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become(awaiting)
    await eventually(() => expect(cli.stdout.text()).toContain(`assistant approve 1 --hash ${SHORT_HASH}`))
    expect(cli.stdout.text()).toContain('curl example.org   [network]')
    live.become(doneTask(running))
    expect(await ended).toBe(0)
    expect(cli.inbox.acts).toEqual([])
  })

  test('--json prints one object at the end and nothing else', async () => {
    const cli = makeCli()
    const { live, running } = scripted(cli)
    const ended = cli.run('run', '--json', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.print('noise')
    live.become(doneTask(running, 'ok'))
    expect(await ended).toBe(0)
    expect(JSON.parse(cli.stdout.text())).toMatchObject({ id: 1, status: 'done', end: { answer: 'ok' }, files: [] })
  })

  test('--json says on stderr what it waits for and how to decide, and stdout stays JSON', async () => {
    const cli = makeCli()
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', '--json', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become(awaiting)
    await eventually(() => expect(cli.stderr.text()).toContain(`npx assistant approve 1 --hash ${SHORT_HASH}`))
    expect(cli.stderr.text()).toContain('npx assistant show 1')
    live.become(doneTask(running, 'ok'))
    expect(await ended).toBe(0)
    expect(JSON.parse(cli.stdout.text())).toMatchObject({ id: 1, status: 'done' })
  })

  test('what a task prints cannot reach the terminal as an escape, in the log, the answer or a file name', async () => {
    const cli = makeCli({ terminal: true })
    const { live, running } = scripted(cli)
    const evil = '\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe'
    const file = { path: 'a\\u202e.txt', sizeBytes: 6, mimeType: 'text/plain', modifiedAt: 0 }
    cli.inbox.files.set(1, [{ file, bytes: Buffer.from('hello\n') }])
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.print(evil, `\r[TASK 9] done${evil}`)
    live.become(doneTask(running, `answer ${evil}`))
    expect(await ended).toBe(0)
    const text = cli.stdout.text()
    for (const part of ['\x1b]', '\x1b[2J', '\x9b', '\u202e', '\x07', 'owned']) expect(text).not.toContain(part)
  })
})

describe('who runs it', () => {
  test('a worker elsewhere does; without one this process is the worker, for this task only', async () => {
    for (const elsewhere of [true, false]) {
      const cli = makeCli()
      cli.state.workerElsewhere = elsewhere
      const { live, running } = scripted(cli)
      const ended = cli.run('run', 'x')
      await eventually(() => expect(live.open).toBe(2))
      expect(cli.workers).toEqual(elsewhere ? [] : [{ only: 1, stopped: false }])
      live.become(doneTask(running))
      await ended
      expect(cli.workers).toEqual(elsewhere ? [] : [{ only: 1, stopped: true }])
    }
  })

  test('--detach prints the number, and says when nobody will run it', async () => {
    const cli = makeCli()
    cli.state.workerElsewhere = false
    scripted(cli)
    expect(await cli.run('run', '--detach', 'x')).toBe(0)
    expect(cli.stdout.text()).toContain('Task #1.')
    expect(cli.stderr.text()).toContain('No worker is running')
    expect(cli.workers).toEqual([])
  })

  test.each([
    ['run', '--detach', 'x'],
    ['run', '--detach', '--json', 'x'],
    ['retry', '7'],
  ])('%s %s: what is stored is no failure, though nobody can say whether a worker runs', async (...argv) => {
    const cli = makeCli()
    const { task } = scripted(cli)
    cli.inbox.next.act.push(() => ({ kind: 'done', sentence: 'Task #1 retries #7.', task }))
    cli.state.workerElsewhere = new StoreError('locked', 'Another program has locked the store.')
    expect(await cli.run(...argv)).toBe(0)
    expect(cli.stdout.text()).toMatch(/Task #1|"id": ?1\b/)
    expect(cli.stderr.text()).toBe(
      'Task #1 is stored. Whether a worker is running for it is not known: Another program has locked the store.\n',
    )
  })

  test('run makes a store where there is none', async () => {
    const cli = makeCli()
    cli.state.hasStore = false
    scripted(cli)
    expect(await cli.run('run', '-d', 'x')).toBe(0)
  })
})

describe('Ctrl-C', () => {
  test('cancels the task and waits for its end: 130', async () => {
    const cli = makeCli()
    const { live, running } = scripted(cli)
    cli.inbox.next.act.push(() => ({ kind: 'done', task: running, sentence: 'Stopping.' }))
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    cli.signal('SIGINT')
    await eventually(() => expect(cli.inbox.acts).toHaveLength(1))
    expect(cli.inbox.acts[0]?.control).toEqual({ verb: 'cancel', taskId: 1, hash: null })
    live.become({ ...running, status: 'cancelled', cancellation: { reason: 'cancelled', by: null, note: '' } })
    expect(await ended).toBe(130)
    expect(cli.stdout.text()).toContain('Stopping…')
    expect(cli.stdout.text()).toContain('🛑 Task #1 was cancelled')
  })

  test('a second one leaves at once', async () => {
    const cli = makeCli()
    const { live, running } = scripted(cli)
    cli.inbox.next.act.push(() => ({ kind: 'done', task: running, sentence: 'Stopping.' }))
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    cli.signal('SIGINT')
    cli.signal('SIGINT')
    expect(await ended).toBe(130)
    await eventually(() => expect(live.open).toBe(0))
  })

  test('one that comes as the task ends shows the end', async () => {
    const cli = makeCli()
    const { live, running } = scripted(cli)
    const done = doneTask(running, 'already')
    cli.inbox.next.act.push(() => ({ kind: 'conflict', task: done, sentence: 'It has ended.' }))
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    cli.signal('SIGINT')
    live.become(done)
    expect(await ended).toBe(0)
  })

  test('being told to end leaves the task as it is', async () => {
    const cli = makeCli()
    const { live } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    cli.signal('SIGTERM')
    expect(await ended).toBe(143)
    expect(cli.inbox.acts).toEqual([])
  })
})

describe('on a terminal', () => {
  test('a spinner, the clock and the steps stand below the output, and go away at the end', async () => {
    const cli = makeCli({ terminal: true })
    const { live, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become({ ...running, startedAt: cli.clock.now() })
    live.print('first line')
    await eventually(() => {
      cli.clock.advance(100)
      expect(cli.stdout.text()).toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] #1 Running/)
    })
    expect(cli.stdout.text()).toContain('first line\n')
    live.become(doneTask(running, 'ok'))
    expect(await ended).toBe(0)
    expect(cli.stdout.text()).toMatch(/Task #1 done: ok[^⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]*$/)
    expect(cli.clock.waiting).toBe(0)
  })

  test('a flood of lines is not all drawn, and what is missing is said', async () => {
    const cli = makeCli({ terminal: true })
    const { live, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.print(...Array.from({ length: 5000 }, (_, at) => `line ${at}`))
    live.become(doneTask(running))
    await ended
    expect(cli.stdout.text()).toContain('line 4999')
    expect(cli.stdout.text()).toMatch(/… \d+ lines not shown here; npx assistant logs 1 --all/)
    expect(cli.stdout.text().match(/line \d+/g)?.length).toBeLessThan(1000)
  })

  test.each([
    [['y'], { verb: 'approve', taskId: 1, hash: SHORT_HASH }, {}],
    [['what?', 'n', 'too risky'], { verb: 'reject', taskId: 1, hash: SHORT_HASH }, { note: 'too risky' }],
  ])('a plan that waits is shown and asked about; typed %j', async (typed, control, details) => {
    const cli = makeCli({ terminal: true })
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    cli.inbox.next.act.push(() => ({ kind: 'done', task: awaiting, sentence: 'Decided.' }))
    live.become(awaiting)
    for (const [at, line] of typed.entries()) {
      await eventually(() => expect(cli.stdout.text().match(/Run this\?|Why not/g)).toHaveLength(at + 1))
      cli.stdin.write(`${line}\n`)
    }
    await eventually(() => expect(cli.inbox.acts).toHaveLength(1))
    expect(cli.inbox.acts[0]).toMatchObject({ control, details })
    live.become(doneTask(running))
    expect(await ended).toBe(0)
  })

  test('edit opens the editor on the commands, and the new ones are sent', async () => {
    const cli = makeCli({ terminal: true, more: { editor: "sed -i 's/curl/echo/'" } })
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    cli.inbox.next.act.push(() => ({ kind: 'done', task: awaiting, sentence: 'Edited.' }))
    live.become(awaiting)
    await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
    cli.stdin.write('e\n')
    await eventually(() => expect(cli.inbox.acts).toHaveLength(1))
    expect(cli.inbox.acts[0]).toMatchObject({
      control: { verb: 'edit', hash: SHORT_HASH },
      details: { commands: ['seq 2', 'echo example.org'] },
    })
    live.become(doneTask(running))
    expect(await ended).toBe(0)
  })

  test('after an edit the new plan is asked about once, at a prompt that nothing is drawn over, and can be approved', async () => {
    const cli = makeCli({ terminal: true, more: { editor: "sed -i 's/curl/echo/'" } })
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    const edited = editedPlan(awaiting)
    // The watch tells of the edited plan before `act` has answered, as the store's does.
    cli.inbox.next.act.push(() => {
      live.become(edited)
      return { kind: 'done', task: edited, sentence: 'Edited.' }
    })
    cli.inbox.next.act.push(() => ({ kind: 'done', task: edited, sentence: 'Approved.' }))
    live.become(awaiting)
    await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
    const before = cli.stdout.text().length
    live.print('noise')
    live.become({ ...awaiting, description: 'changed' })
    cli.clock.advance(1000)
    expect(cli.stdout.text()).toHaveLength(before)
    cli.stdin.write('e\n')
    await eventually(() => expect(cli.stdout.text().match(/Run this\?/g)).toHaveLength(2))
    expect(cli.stdout.text()).toMatch(/Edited\..*plan eeeeeeee.*echo example\.org/s)
    const asked = cli.stdout.text().length
    cli.clock.advance(1000)
    expect(cli.stdout.text()).toHaveLength(asked)
    cli.stdin.write('y\n')
    await eventually(() => expect(cli.inbox.acts).toHaveLength(2))
    expect(cli.inbox.acts[1]?.control).toEqual({ verb: 'approve', taskId: 1, hash: 'eeeeeeee' })
    live.become(doneTask(running))
    expect(await ended).toBe(0)
    expect(cli.stdout.text()).toContain('noise')
    expect(cli.clock.waiting).toBe(0)
  })

  test('a plan that is edited elsewhere while it is asked about takes its question along; the new one is asked about', async () => {
    const cli = makeCli({ terminal: true })
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become(awaiting)
    await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
    live.become(editedPlan(awaiting))
    await eventually(() => expect(cli.stdout.text().match(/Run this\?/g)).toHaveLength(2))
    cli.inbox.next.act.push(() => ({ kind: 'done', task: awaiting, sentence: 'Approved.' }))
    cli.stdin.write('y\n')
    await eventually(() => expect(cli.inbox.acts[0]?.control.hash).toBe('eeeeeeee'))
    live.become(doneTask(running))
    expect(await ended).toBe(0)
  })

  test('what is edited while it is decided elsewhere is not sent', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'assistant-cli-'))
    try {
      const gate = join(folder, 'gate')
      execFileSync('mkfifo', [gate])
      const cli = makeCli({
        terminal: true,
        more: { editor: `sed -i s/curl/echo/ "$1"; cat '${gate}' >/dev/null; true` },
      })
      const { live, awaiting, running } = scripted(cli)
      const ended = cli.run('run', 'x')
      await eventually(() => expect(live.open).toBe(2))
      live.become(awaiting)
      await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
      cli.stdin.write('e\n')
      live.become(running)
      // Opened once the editor reads it.
      await writeFile(gate, 'go')
      await eventually(() => expect(cli.stdout.text()).toContain('It has been decided meanwhile; nothing was sent.'))
      live.become(doneTask(running))
      expect(await ended).toBe(0)
      expect(cli.inbox.acts).toEqual([])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('commands that cannot be taken, and an editor that fails, are said and asked about again', async () => {
    const cli = makeCli({ terminal: true, more: { editor: 'false' } })
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    cli.inbox.next.act.push(() => ({ kind: 'invalid', sentence: 'That is too long.' }))
    cli.inbox.next.act.push(() => ({ kind: 'done', task: awaiting, sentence: 'Approved.' }))
    live.become(awaiting)
    for (const [at, line] of ['e', 'y', 'y'].entries()) {
      await eventually(() => expect(cli.stdout.text().match(/Run this\?/g)).toHaveLength(at + 1))
      cli.stdin.write(`${line}\n`)
    }
    await eventually(() => expect(cli.inbox.acts).toHaveLength(2))
    expect(cli.stdout.text()).toMatch(/The editor "false" ended with 1.*That is too long\..*Approved\./s)
    live.become(doneTask(running))
    expect(await ended).toBe(0)
  })

  test('the end of the input at the question says how to decide, and the run goes on', async () => {
    const cli = makeCli({ terminal: true })
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become(awaiting)
    await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
    cli.stdin.write('\x04')
    await eventually(() => expect(cli.stdout.text()).toContain(`npx assistant approve 1 --hash ${SHORT_HASH}`))
    live.become(doneTask(running))
    expect(await ended).toBe(0)
  })

  test('a decision made elsewhere takes the question away', async () => {
    const cli = makeCli({ terminal: true })
    const { live, awaiting, running } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become(awaiting)
    await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
    live.become(running)
    live.become(doneTask(running))
    expect(await ended).toBe(0)
    expect(cli.inbox.acts).toEqual([])
  })

  test('Ctrl-C at the question cancels', async () => {
    const cli = makeCli({ terminal: true })
    const { live, awaiting } = scripted(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.become(awaiting)
    await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
    cli.inbox.next.act.push(() => ({ kind: 'done', task: awaiting, sentence: 'Stopping.' }))
    cli.stdin.write('\x03')
    await eventually(() => expect(cli.inbox.acts[0]?.control.verb).toBe('cancel'))
    live.become({ ...awaiting, status: 'cancelled', cancellation: { reason: 'cancelled', by: null, note: '' } })
    expect(await ended).toBe(130)
  })
})

describe('inputs', () => {
  test('files go with the request by their full paths', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'assistant-cli-'))
    try {
      writeFileSync(join(directory, 'a b.csv'), 'x,y\n')
      const cli = makeCli({ more: { directory } })
      scripted(cli)
      expect(await cli.run('run', '-d', '-m', 'small', '--dedupe-key', 'k', '-f', 'a b.csv', 'x')).toBe(0)
      expect(cli.inbox.submitted[0]).toMatchObject({
        model: 'small',
        dedupeKey: 'cli:k',
        attachments: [{ name: 'a b.csv', sizeBytes: 4, source: { kind: 'path', path: join(directory, 'a b.csv') } }],
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test.each(['missing.txt', '.'])('%s cannot be one', async (file) => {
    const cli = makeCli({ more: { directory: tmpdir() } })
    expect(await cli.run('run', '-f', file, 'x')).toBe(2)
    expect(cli.stderr.text()).toContain(file)
    expect(cli.inbox.submitted).toEqual([])
  })
})
