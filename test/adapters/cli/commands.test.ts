import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import stringWidth from 'string-width'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CliDeps } from '../../../adapters/cli/deps.ts'
import { AppError, SetupError } from '../../../src/core/errors.ts'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { doneTask, liveTask } from '../live-task.ts'
import { sampleRound } from '../sample-round.ts'
import { type Cli, fakeRoles, makeCli } from './cli.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'assistant-cli-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

/** A CLI with a finished task 7 that has a file. */
function withTask(options: Parameters<typeof makeCli>[0] = {}): Cli {
  const cli = makeCli({ ...options, more: { directory, ...options?.more } })
  const round = sampleRound({ commands: ['seq 1 5'], ends: [0], summary: 'Counts.' })
  const task = sampleTask({
    id: 7,
    rounds: [round],
    round: 1,
    outputs: { files: 1, bytes: 6 },
    startedAt: 0,
    endedAt: 9,
  })
  cli.inbox.tasks.set(7, doneTask(task, 'Five lines.'))
  cli.inbox.logs.set(7, '$ seq 1 5\n1\n\x1b[2J2\n')
  const file = { path: 'out/hello.txt', sizeBytes: 6, mimeType: 'text/plain', modifiedAt: 0 }
  cli.inbox.files.set(7, [{ file, bytes: Buffer.from('hello\n') }])
  return cli
}

const json = (cli: Cli): unknown => JSON.parse(cli.stdout.text())

describe('usage', () => {
  test('no words, --help and help print the help with exit codes; --version the version', async () => {
    for (const argv of [[], ['--help'], ['help']]) {
      const cli = makeCli()
      expect(await cli.run(...argv)).toBe(0)
      for (const word of ['run', 'doctor', 'completion', 'Exit codes:', '130'])
        expect(cli.stdout.text()).toContain(word)
    }
    const cli = makeCli()
    expect(await cli.run('--version')).toBe(0)
    expect(cli.stdout.text()).toBe('1.2.3\n')
  })

  test('help names one command', async () => {
    const cli = makeCli()
    expect(await cli.run('help', 'files')).toBe(0)
    expect(cli.stdout.text()).toContain('Usage: assistant outputs|files')
    expect(await makeCli().run('help', 'nothing')).toBe(2)
  })

  test.each([
    [['bogus'], "unknown command 'bogus'"],
    [['list', '--nope'], "unknown option '--nope'"],
    [['run'], "missing required argument 'text'"],
    [['show', 'x'], '"x" is not the number of a task'],
    [['show', '0'], '"0" is not the number of a task'],
    [['show', '99'], 'There is no such task.'],
    [['logs', '99'], 'There is no such task.'],
    [['logs', '7', '-n', '0'], '--lines is a number from 1 to 10000'],
    [['list', '-n', 'many'], '--limit is a number from 1 to 200'],
    [['list', '-s', 'finished'], '"finished" is not a status'],
    [['outputs', '99'], 'There is no such task.'],
    [['get', '7', 'nothing'], 'There is no such file.'],
    [['cancel', '99'], 'There is no such task.'],
    [['retry', '99'], 'There is no such task.'],
    [['refine', '99', 'x'], 'There is no such task.'],
    [['approve', '7'], 'does not wait for an approval'],
    [['approve', '7', '--hash', 'zz'], 'is not the hash of a plan'],
    [['setup', 'irc'], 'it is slack or discord'],
  ])('assistant %s: one line on stderr and 2', async (argv, line) => {
    const cli = withTask()
    expect(await cli.run(...argv)).toBe(2)
    expect(cli.stderr.text()).toContain(line)
    expect(cli.stderr.text().trim().split('\n').length).toBeLessThanOrEqual(2)
    expect(cli.stdout.text()).toBe('')
  })

  test('no store: what is wrong, what to do, and 2', async () => {
    const cli = makeCli()
    cli.state.hasStore = false
    expect(await cli.run('list')).toBe(2)
    expect(cli.stderr.text()).toBe('There is no store here yet.\n→ Start it once.\n')
  })

  test('trouble at a border is one line and 1; a bug is not swallowed', async () => {
    const openClient = (error: Error) => ({ openClient: () => Promise.reject(error) })
    const cli = makeCli({ more: openClient(new AppError('x', 'The disk\nis full')) })
    expect(await cli.run('list')).toBe(1)
    expect(cli.stderr.text()).toBe('The disk\n')
    await expect(makeCli({ more: openClient(new TypeError('bug')) }).run('list')).rejects.toThrow('bug')
  })

  test('a wrong state is the sentence and 2, a full queue the sentence and 1', async () => {
    const cli = withTask()
    const task = doneTask(sampleTask({ id: 7 }))
    cli.inbox.next.act.push(() => ({ kind: 'conflict', sentence: 'Task #7 has ended.', task }))
    expect(await cli.run('cancel', '7')).toBe(2)
    expect(cli.stderr.text()).toBe('Task #7 has ended.\n')
    cli.inbox.next.submit.push(() => ({ kind: 'full', sentence: 'Full.' }))
    expect(await cli.run('run', '-d', 'x')).toBe(1)
  })
})

/** A reader that takes the first line and goes, as `head -1` does. */
function leavingReader(cli: Cli): void {
  const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  let writes = 0
  cli.deps.stdout = new Writable({ write: (_chunk, _encoding, done) => done(writes++ === 0 ? null : gone) })
}

describe('a reader that goes', () => {
  test.each([[['logs', '7']], [['logs', '7', '--all']], [['list', '-n', '1']], [['show', '7']], [['logs', '7', '-f']]])(
    'assistant %s ends quietly with 0',
    async (argv) => {
      const cli = withTask()
      leavingReader(cli)
      expect(await cli.run(...argv)).toBe(0)
      expect(cli.stderr.text()).toBe('')
    },
  )

  test.each([
    [['list'], 1],
    [['show', '7', '--json'], 1],
    [['get', '7', 'out/hello.txt', '-o', '-'], 1],
    [['show', '99'], 2],
  ])('is not a disk that is full: assistant %s says so, exit %i', async (argv, code) => {
    const cli = withTask()
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    cli.deps.stdout = new Writable({ write: (_chunk, _encoding, done) => done(full) })
    expect(await cli.run(...argv)).toBe(code)
    const said = code === 1 ? /^Not all of the answer could be written: ENOSPC[^\n]*\n$/ : /^There is no such task/
    expect(cli.stderr.text()).toMatch(said)
  })

  test('ends logs -f of a task that goes on', async () => {
    const cli = makeCli()
    const live = liveTask(cli.inbox, sampleTask({ id: 1 }))
    leavingReader(cli)
    const ended = cli.run('logs', '1', '-f')
    await eventually(() => expect(live.open).toBe(1))
    live.print('one', 'two')
    expect(await ended).toBe(0)
    expect(live.open).toBe(0)
  })

  test('does not end a task that is followed', async () => {
    const cli = makeCli()
    const task = sampleTask({ id: 1 })
    const live = liveTask(cli.inbox, task)
    cli.inbox.next.submit.push(() => ({ kind: 'created', task }))
    leavingReader(cli)
    const ended = cli.run('run', 'x')
    await eventually(() => expect(live.open).toBe(2))
    live.print('one', 'two', 'three')
    live.become({ ...task, status: 'failed', failure: { reason: 'internal', detail: '', step: null } })
    expect(await ended).toBe(1)
    expect(cli.inbox.acts).toEqual([])
  })
})

describe('show', () => {
  const plan = { commands: ['seq 2', 'curl example.org'], network: { hosts: ['example.org'], reason: 'to fetch it' } }

  function waiting() {
    const round = sampleRound({ commands: plan.commands, decision: 'ask', badges: ['network'] })
    const planned = { ...round, plan: { ...round.plan, network: plan.network } }
    const approval = { round: 1, hash: round.hash, requestedAt: 0, expiresAt: 1, remindedAt: null }
    const open = { decision: null, by: null, decidedAt: null, note: null }
    const task = sampleTask({ id: 7, rounds: [planned], round: 1 })
    return { ...task, status: 'awaiting_approval' as const, approval: { ...approval, ...open } }
  }

  test('of a task in the queue says where it stands, in words and as JSON', async () => {
    const cli = makeCli()
    cli.inbox.tasks.set(7, sampleTask({ id: 7 }))
    cli.inbox.queuePosition = async () => ({ position: 3, estimateMs: 120_000 })
    expect(await cli.run('show', '7')).toBe(0)
    expect(cli.stdout.text()).toContain('Queued · 3rd in line · about 2 min')
    const json = makeCli()
    json.inbox.tasks.set(7, sampleTask({ id: 7 }))
    json.inbox.queuePosition = async () => ({ position: 3, estimateMs: null })
    expect(await json.run('show', '7', '--json')).toBe(0)
    expect(JSON.parse(json.stdout.text())).toMatchObject({ queue: { position: 3, estimate_ms: null } })
  })

  test.each([
    [
      { failure: 'The bot is not in this channel.' },
      'slack',
      /could not be told: The bot .* redeliver 7$/m,
      { told: false },
    ],
    [
      {},
      'discord',
      /never told to the end: Discord is off\. .* npx assistant setup discord$/m,
      { told: false, failure: null },
    ],
    [{ attempts: 3 }, 'slack', /in Slack is not told yet, after 3 tries; it is tried again\.$/m, { attempts: 3 }],
    [{ isTold: true }, 'discord', /^ {3}by [^\n]+\n(?! {3}Its thread)/m, { told: true }],
  ] as const)('says what its thread does not know: %j in %s', async (state, platform, words, json) => {
    const place = { platform, channelId: 'C1', key: 'C1/1', thread: true }
    const cli = makeCli()
    const show = async (...flags: string[]) => {
      cli.inbox.tasks.set(7, sampleTask({ id: 7, place }))
      cli.inbox.delivery = async () => {
        return { kind: 'delivery', place, failure: null, attempts: 0, isTold: false, ...state }
      }
      expect(await cli.run('show', '7', ...flags)).toBe(0)
    }
    await show()
    expect(cli.stdout.text()).toMatch(words)
    await show('--json')
    const text = cli.stdout.text()
    expect(JSON.parse(text.slice(text.indexOf('{'))).thread).toMatchObject(json)
  })

  test('of a task that waits for an approval has all that is approved, and how to decide', async () => {
    const cli = makeCli()
    cli.inbox.tasks.set(7, waiting())
    expect(await cli.run('show', '7')).toBe(0)
    const text = cli.stdout.text()
    expect(text).toContain('plan 7f3a9c01')
    expect(text).toContain('2  curl example.org   [network]')
    expect(text).toContain('Asks for the network: example.org (to fetch it).')
    expect(text).toContain('npx assistant approve 7 --hash 7f3a9c01, or: npx assistant reject 7')
  })

  test('of a rejected plan has who, when and why, and the way to another plan', async () => {
    const cli = makeCli()
    const by = { platform: 'cli', scope: '', userId: '1', name: 'ana' } as const
    const task = waiting()
    const approval = { ...task.approval, decision: 'rejected', by, decidedAt: 0, note: 'too risky' } as const
    const cancellation = { reason: 'rejected', by, note: 'too risky' } as const
    cli.inbox.tasks.set(7, { ...task, status: 'cancelled', approval, cancellation })
    expect(await cli.run('show', '7')).toBe(0)
    expect(cli.stdout.text()).toContain('Rejected by ana, 00:00: too risky')
    expect(cli.stdout.text()).toContain('npx assistant replan 7')
    expect(cli.stdout.text()).not.toContain('Decide with')
  })

  test('of an interrupted task has what to do now; of every task the last output', async () => {
    const cli = withTask()
    const done = cli.inbox.tasks.get(7)
    if (done === undefined) throw new Error('no task')
    const failure = { reason: 'interrupted', detail: '', step: 0 } as const
    cli.inbox.tasks.set(7, { ...done, status: 'failed', failure })
    expect(await cli.run('show', '7')).toBe(0)
    for (const verb of ['resume', 'restart', 'discard']) expect(cli.stdout.text()).toContain(`npx assistant ${verb} 7 `)
    expect(cli.stdout.text()).toContain('│ $ seq 1 5\n')
    expect(cli.stdout.text()).not.toContain('\x1b')
  })
})

describe('verbs', () => {
  test.each(['retry', 'rerun', 'resume', 'restart', 'replan', 'discard'] as const)(
    '%s asks the inbox',
    async (verb) => {
      const cli = withTask()
      expect(await cli.run(verb, '7')).toBe(0)
      expect(cli.inbox.acts[0]?.control).toEqual({ verb, taskId: 7, hash: null })
      expect(cli.stdout.text()).toBe(`Done: ${verb} of task #7.\n`)
    },
  )

  test('what was accepted is told also when where it stands in line cannot be read', async () => {
    const cli = withTask()
    cli.inbox.queuePosition = () => Promise.reject(new AppError('busy', 'disk I/O error'))
    expect(await cli.run('run', '-d', '--json', 'x')).toBe(0)
    expect(JSON.parse(cli.stdout.text())).toMatchObject({ description: 'x', queue: null })
    expect(await cli.run('cancel', '7', '--json')).toBe(0)
    expect(cli.stderr.text()).toBe('')
  })

  test('redeliver tells once more; breaker shows stopped loops and resets them', async () => {
    const cli = withTask()
    expect(await cli.run('redeliver', '7')).toBe(0)
    expect(cli.stdout.text()).toBe('Told once more.\n')
    const other = withTask()
    other.inbox.stoppedLoops = async () => ({ kind: 'loops', loops: [{ why: 'Two bots\nanswer each other.', at: 0 }] })
    expect(await other.run('breaker')).toBe(0)
    expect(other.stdout.text()).toBe('1970-01-01T00:00:00.000Z  Two bots answer each other.\n')
    expect(other.stderr.text()).toContain('npx assistant breaker --reset')
    const reset = withTask()
    expect(await reset.run('breaker', '--reset')).toBe(0)
    expect(reset.stdout.text()).toBe('Nothing is stopped.\n')
  })
})

describe('list', () => {
  test.each([40, 80, 200])('fits a terminal of %i columns', async (columns) => {
    const cli = makeCli({ terminal: true, columns })
    cli.inbox.tasks.set(1, sampleTask({ id: 1, description: '画像を変換する '.repeat(40) }))
    cli.inbox.tasks.set(2, sampleTask({ id: 2, description: `🎉\x1b[31m\n${'word '.repeat(100)}` }))
    expect(await cli.run('list')).toBe(0)
    const lines = cli.stdout.text().trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns)
    expect(cli.stdout.text()).not.toContain('\x1b')
  })

  test('is whole when piped, and JSON has the fields of the API', async () => {
    const cli = withTask()
    cli.inbox.tasks.set(8, sampleTask({ id: 8, description: 'long '.repeat(30) }))
    await cli.run('list')
    expect(cli.stdout.text()).toContain('long '.repeat(30).trim())
    const other = withTask()
    await other.run('list', '--json', '-s', 'done,failed')
    expect(json(other)).toMatchObject({ tasks: [{ id: 7, status: 'done', parent_id: null }], next_before: null })
  })

  test('an empty store says how to begin', async () => {
    const cli = makeCli()
    expect(await cli.run('list')).toBe(0)
    expect(cli.stdout.text()).toContain('assistant run')
  })
})

describe('show, logs and files', () => {
  test('show has the plan, the end and the files', async () => {
    const cli = withTask()
    expect(await cli.run('show', '#7')).toBe(0)
    for (const part of ['#7 convert all PNGs', '✔ 1  seq 1 5', 'Five lines.', 'out/hello.txt  6 B']) {
      expect(cli.stdout.text()).toContain(part)
    }
    const other = withTask()
    await other.run('show', '7', '--json')
    expect(json(other)).toMatchObject({
      id: 7,
      rounds: [{ steps: [{ exit_code: 0 }] }],
      files: [{ path: 'out/hello.txt' }],
    })
  })

  test('logs prints the last lines without escapes', async () => {
    const cli = withTask()
    expect(await cli.run('logs', '7', '-n', '2')).toBe(0)
    expect(cli.stdout.text()).toBe('1\n2\n')
  })

  test('logs --all is as printed in a pipe, and cleaned on a terminal', async () => {
    const pipe = withTask()
    await pipe.run('logs', '7', '--all')
    expect(pipe.stdout.text()).toBe('$ seq 1 5\n1\n\x1b[2J2\n')
    const terminal = withTask({ terminal: true })
    await terminal.run('logs', '7', '--all')
    expect(terminal.stdout.text()).toBe('$ seq 1 5\n1\n2\n')
  })

  test('logs --json is one object a line, safe for a terminal too', async () => {
    const cli = withTask()
    await cli.run('logs', '7', '--json')
    const lines = cli.stdout
      .text()
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect(lines[1]).toEqual({ offset: 10, next_offset: 12, text: '1', ours: false })
    cli.inbox.logs.set(7, 'a\u009b31m\u202e\n')
    await cli.run('logs', '7', '--json')
    expect(cli.stdout.text()).not.toMatch(/[\u009b\u202e]/)
  })

  test('logs -f goes on to the end; Ctrl-C ends only the following', async () => {
    const cli = withTask()
    const task = { ...sampleTask({ id: 3 }), status: 'running' as const }
    const live = liveTask(cli.inbox, task)
    live.print('a')
    const ended = cli.run('logs', '-f', '3')
    await eventually(() => expect(live.open).toBe(1))
    live.print('b')
    live.become(doneTask(task))
    expect(await ended).toBe(0)
    expect(cli.stdout.text()).toBe('a\nb\n')
    live.become(task)
    const left = cli.run('logs', '-f', '3')
    await eventually(() => expect(live.open).toBe(1))
    cli.signal('SIGINT')
    expect(await left).toBe(130)
    expect(cli.inbox.acts).toEqual([])
  })

  test('outputs and its other name list paths and sizes', async () => {
    for (const name of ['outputs', 'files']) {
      const cli = withTask()
      expect(await cli.run(name, '7')).toBe(0)
      expect(cli.stdout.text()).toMatch(/out\/hello\.txt\s+6 B/)
    }
    const cli = withTask()
    await cli.run('files', '7', '--json')
    expect(json(cli)).toMatchObject({ files: [{ path: 'out/hello.txt', size_bytes: 6 }], omitted: 0 })
  })
})

describe('get', () => {
  test('saves a file under its own name, and never over another', async () => {
    const cli = withTask()
    expect(await cli.run('get', '7', 'out/hello.txt')).toBe(0)
    expect(readFileSync(join(directory, 'hello.txt'), 'utf8')).toBe('hello\n')
    writeFileSync(join(directory, 'hello.txt'), 'mine')
    expect(await cli.run('get', '7', 'out/hello.txt')).toBe(2)
    expect(cli.stderr.text()).toContain('exists already')
    expect(readFileSync(join(directory, 'hello.txt'), 'utf8')).toBe('mine')
    expect(await cli.run('get', '7', 'out/hello.txt', '--force')).toBe(0)
    expect(readFileSync(join(directory, 'hello.txt'), 'utf8')).toBe('hello\n')
  })

  test('a file alone is one of the newest task, a task alone is all of it', async () => {
    const cli = withTask()
    expect(await cli.run('get', 'out/hello.txt', '-o', 'other.txt', '--json')).toBe(0)
    expect(json(cli)).toEqual({ path: join(directory, 'other.txt'), size_bytes: 6 })
    expect(await cli.run('get', '7')).toBe(0)
    expect(existsSync(join(directory, 'task-7.zip'))).toBe(true)
  })

  test('- is standard output: the bytes in a pipe, cleaned on a terminal', async () => {
    for (const terminal of [false, true]) {
      const cli = withTask({ terminal })
      const entry = cli.inbox.files.get(7)?.[0]
      if (entry !== undefined) entry.bytes = Buffer.from('\x1b[2Jhi\xff')
      expect(await cli.run('get', '7', 'out/hello.txt', '-o', '-')).toBe(0)
      expect(cli.stdout.text().includes('\x1b')).toBe(!terminal)
    }
  })

  test('a place that cannot be written is named', async () => {
    const cli = withTask()
    expect(await cli.run('get', '7', 'out/hello.txt', '-o', 'no/such/folder/x')).toBe(2)
    expect(cli.stderr.text()).toContain('cannot be written')
  })
})

describe('decisions', () => {
  test('cancel takes several', async () => {
    const cli = withTask()
    cli.inbox.tasks.set(8, sampleTask({ id: 8 }))
    expect(await cli.run('cancel', '7', '#8')).toBe(0)
    expect(cli.inbox.acts.map((call) => call.control.taskId)).toEqual([7, 8])
  })

  test.each(['retry', 'rerun'])('%s makes a child and can follow it', async (verb) => {
    const cli = withTask()
    const child = sampleTask({ id: 8, parentId: 7 })
    const live = liveTask(cli.inbox, child)
    cli.inbox.next.act.push(() => ({ kind: 'done', task: child, sentence: 'Again as #8.' }))
    const ended = cli.run(verb, '7', '-f')
    await eventually(() => expect(live.open).toBe(2))
    live.become(doneTask(child, 'again'))
    expect(await ended).toBe(0)
    expect(cli.inbox.acts[0]?.control.verb).toBe(verb)
    expect(cli.stdout.text()).toContain('Task #8 done')
  })

  test('retry --json answers the child', async () => {
    const cli = withTask()
    const child = sampleTask({ id: 8, parentId: 7 })
    cli.inbox.next.act.push(() => ({ kind: 'done', task: child, sentence: 'Again as #8.' }))
    await cli.run('retry', '7', '--json')
    expect(json(cli)).toMatchObject({ sentence: 'Again as #8.', task: { id: 8, parent_id: 7 } })
  })

  test('refine hands over the words and the files', async () => {
    writeFileSync(join(directory, 'a.csv'), '1')
    const cli = withTask()
    expect(await cli.run('refine', '7', 'use', 'quality', '80', '--file', 'a.csv')).toBe(0)
    expect(cli.inbox.refined[0]).toMatchObject({ taskId: 7, text: 'use quality 80', attachments: [{ name: 'a.csv' }] })
  })

  test('approve in a pipe needs the hash or --yes; reject takes a note', async () => {
    const cli = withTask()
    const round = sampleRound({ commands: ['curl x'], decision: 'ask' })
    const base = sampleTask({ id: 9, rounds: [round], round: 1 })
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
    cli.inbox.tasks.set(9, { ...base, status: 'awaiting_approval', approval })
    expect(await cli.run('approve', '9')).toBe(2)
    expect(cli.inbox.acts).toEqual([])
    expect(await cli.run('approve', '9', '--hash', round.hash)).toBe(0)
    expect(await cli.run('approve', '9', '--yes')).toBe(0)
    expect(await cli.run('reject', '9', '--note', 'no network')).toBe(0)
    expect(cli.inbox.acts.map(({ control, details }) => [control.verb, control.hash, details])).toEqual([
      ['approve', '7f3a9c01', {}],
      ['approve', '7f3a9c01', {}],
      ['reject', null, { note: 'no network' }],
    ])
  })

  test('approve on a terminal shows the whole plan first', async () => {
    const cli = withTask({ terminal: true })
    const round = sampleRound({ commands: [`printf '${'x'.repeat(3000)}\u202e'`], decision: 'ask' })
    const base = sampleTask({ id: 9, rounds: [round], round: 1 })
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
    cli.inbox.tasks.set(9, { ...base, status: 'awaiting_approval', approval })
    const ended = cli.run('approve', '9')
    await eventually(() => expect(cli.stdout.text()).toContain('Run this?'))
    expect(cli.stdout.text()).toContain(`${'x'.repeat(3000)}\\u{202e}`)
    cli.stdin.write('y\n')
    expect(await ended).toBe(0)
    expect(cli.inbox.acts[0]?.control).toEqual({ verb: 'approve', taskId: 9, hash: '7f3a9c01' })
  })
})

describe('looking after it', () => {
  test('audit lists who did what', async () => {
    const actor = { platform: 'slack', scope: '', channelId: '', userId: 'U1', name: 'Ana\x1b[31m' } as const
    const entry = { id: 1, at: 0, actor, action: 'approve', taskId: 3, allowed: false, detail: 'Only an approver may.' }
    for (const argv of [['audit'], ['audit', '--json']]) {
      const cli = withTask()
      cli.inbox.audit = async () => ({ kind: 'entries', entries: [entry] })
      expect(await cli.run(...argv, '-t', '3')).toBe(0)
      expect(cli.stdout.text()).toMatch(argv.length === 1 ? /Ana \(slack\)\s+refused: approve\s+3/ : /"allowed":false/)
      expect(cli.stdout.text()).not.toContain('\x1b')
    }
  })

  test('policy check explains', async () => {
    const explainPolicy: CliDeps['explainPolicy'] = async () => ({
      sandbox: 'full',
      verdict: {
        decision: 'ask',
        reasons: ['It reaches the network.'],
        steps: [{ decision: 'ask', badges: ['network'], reasons: [] }],
      },
      parts: [
        { part: 'curl example.org\u202e', decision: 'allow', badges: [], reason: null, rule: null },
        { part: 'network', decision: 'ask', badges: [], reason: 'It reaches the network.', rule: 'ask-first' },
      ],
    })
    const cli = makeCli({ more: { explainPolicy } })
    expect(await cli.run('policy', 'check', 'curl example.org\u202e')).toBe(0)
    const lines = ['ask: a person', 'allow curl example.org\\u{202e}\n', 'ask   network — rule "ask-first": It reaches']
    for (const part of lines) expect(cli.stdout.text()).toContain(part)
    expect(cli.stdout.text().match(/It reaches the network/g)).toHaveLength(1)
    const other = makeCli({ more: { explainPolicy } })
    await other.run('policy', 'check', 'curl x', '--json')
    expect(json(other)).toMatchObject({
      decision: 'ask',
      sandbox: 'full',
      command: 'curl x',
      parts: [{}, { rule: 'ask-first' }],
    })
  })

  test('doctor says what to do, and fails when something failed', async () => {
    const asked: boolean[] = []
    const doctor: CliDeps['doctor'] = async ({ live }) => {
      asked.push(live)
      return [
        { name: 'store', state: 'ok', detail: '', fix: null },
        { name: 'model', state: 'failed', detail: 'not there', fix: 'ollama pull qwen3:8b' },
      ]
    }
    const cli = makeCli({ more: { doctor } })
    expect(await cli.run('doctor', '--live')).toBe(1)
    expect(cli.stdout.text()).toBe('✔ store\n✖ model: not there\n    → ollama pull qwen3:8b\n')
    const other = makeCli({ more: { doctor } })
    expect(await other.run('doctor', '--json')).toBe(1)
    expect(json(other)).toMatchObject({ ok: false, checks: [{ name: 'store' }, { fix: 'ollama pull qwen3:8b' }] })
    expect(asked).toEqual([true, false])
  })

  test('setup and init ask through a dialogue; an input that ends is nobody to ask', async () => {
    const answers: (string | undefined)[] = []
    const setup: CliDeps['setup'] = async (platform, dialogue) => {
      dialogue.say(`manifest for ${platform}`)
      answers.push(await dialogue.ask('Token: ', { secret: true }), await dialogue.ask('More: '))
      return answers[0] !== undefined
    }
    const cli = makeCli({ more: { setup, init: async () => false } })
    const ended = cli.run('setup', 'slack')
    await eventually(() => expect(cli.stderr.text()).toContain('Token: '))
    cli.stdin.end('xoxb-1\n')
    expect(await ended).toBe(0)
    expect(answers).toEqual(['xoxb-1', undefined])
    expect(cli.stdout.text()).toBe('manifest for slack\n')
    expect(await cli.run('init')).toBe(1)
  })

  test('a secret that is typed on a terminal is not shown', async () => {
    const setup: CliDeps['setup'] = async (_platform, dialogue) =>
      (await dialogue.ask('Token: ', { secret: true })) === 'xapp-secret'
    const cli = makeCli({ terminal: true, more: { setup } })
    const ended = cli.run('setup', 'discord')
    await eventually(() => expect(cli.stderr.text()).toContain('Token: '))
    cli.stdin.write('xapp-secret\n')
    expect(await ended).toBe(0)
    expect(cli.stdout.text() + cli.stderr.text()).not.toContain('secret')
  })

  test('backup names the file', async () => {
    const files: string[] = []
    const cli = makeCli({ more: { backup: async (file) => void files.push(file) } })
    expect(await cli.run('backup', 'copy.db')).toBe(0)
    expect(files).toEqual(['copy.db'])
    expect(cli.stdout.text()).toContain('copy.db')
  })
})

describe('roles', () => {
  const status = {
    version: '1.2.3',
    home: '/srv/assistant',
    parts: [
      { name: 'Worker', state: 'on', detail: '2 at once', fix: null },
      { name: 'Slack', state: 'off', detail: '', fix: 'assistant setup slack' },
    ],
    warnings: [],
    ask: { api: 'http://127.0.0.1:8420', slack: null, discord: null, model: false, worker: true },
  } as const

  test.each([
    ['start', ['worker', 'api', 'chat']],
    ['worker', ['worker']],
    ['api', ['api']],
    ['chat', ['chat']],
  ])('%s starts %j, shows the screen, and stops gracefully on the first signal', async (name, expected) => {
    const roles = fakeRoles(status)
    const asked: unknown[] = []
    const startRoles: CliDeps['startRoles'] = async (which) => {
      asked.push(which)
      return roles
    }
    const cli = makeCli({ more: { startRoles } })
    const ended = cli.run(name)
    await eventually(() => expect(cli.stderr.text()).toContain('Ask for the first task'))
    expect(cli.stdout.text()).toBe('')
    cli.signal('SIGTERM')
    expect(await ended).toBe(0)
    expect(roles.stops).toBe(1)
    expect(asked).toEqual([expected])
  })

  test('a signal while it still starts leaves at once, and well: nothing runs yet', async () => {
    const starting = Promise.withResolvers<void>()
    const startRoles = () => {
      starting.resolve()
      return new Promise<never>(() => undefined)
    }
    const cli = makeCli({ more: { startRoles } })
    const ended = cli.run('start')
    await starting.promise
    cli.signal('SIGTERM')
    expect(await ended).toBe(0)
    expect(cli.stdout.text() + cli.stderr.text()).toBe('')
  })

  test('a second signal leaves at once', async () => {
    const roles = { ...fakeRoles(status), stop: () => undefined }
    const cli = makeCli({ more: { startRoles: async () => roles } })
    const ended = cli.run('start')
    await eventually(() => expect(cli.stderr.text()).toContain('Ask for'))
    cli.signal('SIGINT')
    cli.signal('SIGINT')
    expect(await ended).toBe(130)
  })

  test('a fault of the set-up is what to do and 2', async () => {
    const fault = new SetupError('api_port_taken', 'Another program listens.', 'Set ASSISTANT_API_PORT.')
    const cli = makeCli({ more: { startRoles: () => Promise.reject(fault) } })
    expect(await cli.run('start')).toBe(2)
    expect(cli.stderr.text()).toBe('Another program listens.\n→ Set ASSISTANT_API_PORT.\n')
  })
})
