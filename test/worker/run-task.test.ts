import { describe, expect, it } from 'vitest'
import type { Task } from '../../src/core/task.ts'
import { PlannerError } from '../../src/ports/planner.ts'
import type { Store } from '../../src/ports/store.ts'
import { type Assembly, assemble, LOCAL } from '../fakes/assembly.ts'
import { scriptedPlan } from '../fakes/scripted-planner.ts'

const RAN = ['step_started', 'step_ended']

/** The end of a task that is being stopped: the grace between TERM and KILL is the clock's, so it has to go on. */
async function endedAsTimePasses(assembly: Assembly, taskId: number): Promise<Task> {
  let isOver = false
  const ended = assembly.until(taskId).finally(() => {
    isOver = true
  })
  await expect
    .poll(() => {
      assembly.clock.advance(200)
      return isOver
    })
    .toBe(true)
  return ended
}

async function logOf(assembly: Assembly, taskId: number): Promise<string> {
  return (await assembly.workspace.tail(taskId, 200)).lines.map((line) => line.text).join('\n')
}

describe('a task', () => {
  it('written as code is run as written, without a model', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const { id } = await assembly.ask('!echo hello > hello.txt; ls -l')
    const task = await assembly.until(id)
    expect(task).toMatchObject({ status: 'done', answer: '1 command ran, 1 file made or changed.' })
    expect(await assembly.events(id)).toEqual(['submitted', 'claimed', 'plan_allowed', ...RAN, 'finished'])
    expect(await logOf(assembly, id)).toContain('hello.txt')
    expect((await assembly.workspace.outputs(id)).files).toMatchObject([{ path: 'hello.txt', sizeBytes: 6 }])
  })

  it('in plain words is planned, run and answered by the model', async () => {
    await using assembly = await assemble({
      replies: [['seq 1 3 > numbers', 'wc -l < numbers']],
      summary: 'There are 3 numbers.',
    })
    await assembly.startWorker()
    const task = await assembly.until((await assembly.ask('count some numbers')).id)
    expect(task).toMatchObject({ status: 'done', answer: 'There are 3 numbers.' })
    expect(task.rounds[0]).toMatchObject({ author: { kind: 'model' }, steps: [{ state: 'ended' }, { state: 'ended' }] })
  })

  it('that needs nothing to be run is answered', async () => {
    await using assembly = await assemble({ replies: [{ kind: 'answer', answer: 'Four.', model: 'm' }] })
    await assembly.startWorker()
    const { id } = await assembly.ask('what is 2 + 2?')
    expect(await assembly.until(id)).toMatchObject({ status: 'done', answer: 'Four.' })
    expect(await assembly.events(id)).toEqual(['submitted', 'claimed', 'answered'])
  })

  it('carries the folder and exported variables from step to step', async () => {
    await using assembly = await assemble({
      replies: [['mkdir -p a && cd a', 'export X=5', 'echo "$X in $(basename "$PWD")"']],
    })
    await assembly.startWorker()
    const { id } = await assembly.ask('go')
    await assembly.until(id)
    expect(await logOf(assembly, id)).toContain('5 in a')
  })

  it('whose command fails is repaired, and the model is told what ran, how it ended and what it printed', async () => {
    const requests: unknown[] = []
    await using assembly = await assemble({
      replies: [
        ['echo before', 'echo "no such thing" >&2; exit 127', 'echo never'],
        (request) => {
          requests.push(request.history)
          return scriptedPlan(['echo repaired'])
        },
      ],
    })
    await assembly.startWorker()
    const { id } = await assembly.ask('do it')
    const task = await assembly.until(id)
    expect(task.status).toBe('done')
    expect(await assembly.events(id)).toEqual([
      'submitted',
      'claimed',
      'plan_allowed',
      ...RAN,
      ...RAN,
      'repairing',
      'plan_allowed',
      ...RAN,
      'finished',
    ])
    expect(requests).toMatchObject([
      [
        {
          steps: [{ end: { code: 0 } }, { end: { code: 127 } }, { end: null }],
          tail: expect.stringContaining('no such thing'),
        },
      ],
    ])
    expect(task.rounds.map((round) => round.steps.map((step) => step.state))).toEqual([
      ['ended', 'ended', expect.stringMatching(/waiting|skipped/)],
      ['ended'],
    ])
  })

  it('that repairs cannot save fails with the step, the exit code and the last lines', async () => {
    await using assembly = await assemble({ replies: [['false'], ['false'], ['echo last words; exit 3']] })
    await assembly.startWorker()
    const { id } = await assembly.ask('do it')
    expect(await assembly.until(id)).toMatchObject({
      status: 'failed',
      failure: { reason: 'step_failed', detail: 'exit 3', step: 0 },
    })
    expect(await logOf(assembly, id)).toContain('last words')
  })

  it('written as code is not repaired', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const task = await assembly.until((await assembly.ask('!exit 7')).id)
    expect(task).toMatchObject({ status: 'failed', failure: { reason: 'step_failed', detail: 'exit 7' } })
  })

  it.each([
    [{ kind: 'refused', why: 'I cannot help with that.', model: 'm' } as const, 'refused_by_model'],
    [{ kind: 'invalid', why: 'no JSON object', model: 'm' } as const, 'plan_invalid'],
    [new PlannerError('unreachable', 'nobody listens'), 'planner_unreachable'],
    [new PlannerError('model_missing', 'ollama pull x'), 'model_missing'],
    [new PlannerError('timeout', 'slow'), 'model_timeout'],
    [new Error('a bug'), 'internal'],
  ])('fails with a reason of its own: %o', async (reply, reason) => {
    await using assembly = await assemble({ replies: [reply] })
    await assembly.startWorker()
    expect(await assembly.until((await assembly.ask('do it')).id)).toMatchObject({
      status: 'failed',
      failure: { reason },
    })
  })

  it('hides secrets in what it prints and counts them', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const { id } = await assembly.ask('!echo the-secret-of-this-"test"')
    const task = await assembly.until(id)
    expect(await logOf(assembly, id)).not.toContain('the-secret-of-this-test')
    expect(task.redactions).toBeGreaterThan(0)
  })

  it('that prints more than it may is stopped', async () => {
    await using assembly = await assemble({ worker: { printedBytes: 100_000 } })
    await assembly.startWorker()
    const task = await assembly.until((await assembly.ask('!yes')).id)
    expect(task).toMatchObject({ status: 'failed', failure: { reason: 'limit' } })
    expect(task.rounds[0]?.steps[0]?.end).toMatchObject({ kind: 'limit', limit: 'output' })
  })

  it('whose command takes too long is stopped, with the limit', async () => {
    await using assembly = await assemble({ worker: { stepTimeoutMs: 5000 } })
    await assembly.startWorker()
    const { id } = await assembly.ask('!echo started; sleep 1000')
    await expect.poll(() => logOf(assembly, id)).toContain('started')
    assembly.clock.advance(5001)
    expect(await endedAsTimePasses(assembly, id)).toMatchObject({
      status: 'failed',
      failure: { reason: 'timed_out', detail: 'stopped: the step took longer than 5 s', step: 0 },
    })
  })

  it('that takes too long is stopped: the task', async () => {
    await using assembly = await assemble({ worker: { taskTimeoutMs: 5000, stepTimeoutMs: 60_000 } })
    await assembly.startWorker()
    const { id } = await assembly.ask('!echo started; sleep 1000')
    await expect.poll(() => logOf(assembly, id)).toContain('started')
    assembly.clock.advance(6000)
    expect(await endedAsTimePasses(assembly, id)).toMatchObject({ status: 'failed', failure: { reason: 'timed_out' } })
  })
})

describe('a plan that has to be approved', () => {
  it('waits, runs when approved, and runs exactly what was approved', async () => {
    await using assembly = await assemble({ replies: [['touch x']], box: { strength: 'none' } })
    await assembly.startWorker()
    const { id } = await assembly.ask('touch it')
    const waiting = await assembly.until(id, 'awaiting_approval')
    expect(waiting).toMatchObject({ status: 'awaiting_approval', lease: null })
    const outcome = await assembly.inbox.act(LOCAL, { verb: 'approve', taskId: id, hash: null })
    expect(outcome.kind).toBe('done')
    const task = await assembly.until(id)
    expect(task.status).toBe('done')
    expect(await assembly.events(id)).toEqual([
      'submitted',
      'claimed',
      'planned',
      'approved',
      'claimed',
      ...RAN,
      'finished',
    ])
  })

  it('is void when the box has changed since', async () => {
    await using assembly = await assemble({ replies: [['touch x']], box: { strength: 'none' } })
    await assembly.startWorker()
    const { id } = await assembly.ask('touch it')
    await assembly.until(id, 'awaiting_approval')
    assembly.box.limits = { memoryBytes: 1 }
    await assembly.inbox.act(LOCAL, { verb: 'approve', taskId: id, hash: null })
    expect(await assembly.until(id)).toMatchObject({ status: 'failed', failure: { reason: 'denied_by_policy' } })
  })
})

describe('cancel', () => {
  it('while its plan waits for a decision ends it; the decision then comes too late', async () => {
    await using assembly = await assemble({ replies: [['touch x']], box: { strength: 'none' } })
    await assembly.startWorker()
    const { id } = await assembly.ask('touch it')
    await assembly.until(id, 'awaiting_approval')
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    expect((await assembly.until(id)).status).toBe('cancelled')
    expect(await assembly.inbox.act(LOCAL, { verb: 'approve', taskId: id, hash: null })).toMatchObject({
      kind: 'conflict',
    })
    expect(await assembly.events(id)).toEqual(['submitted', 'claimed', 'planned', 'cancelled'])
  })

  it('before it is claimed ends it at once', async () => {
    await using assembly = await assemble()
    const { id } = await assembly.ask('!echo x')
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    await assembly.startWorker()
    expect(await assembly.until(id)).toMatchObject({
      status: 'cancelled',
      cancellation: { reason: 'cancelled', by: { name: 'local' } },
    })
    expect(await assembly.events(id)).toEqual(['submitted', 'cancelled'])
  })

  it('during planning aborts the request and ends as cancelled, with no plan', async () => {
    const asked = Promise.withResolvers<void>()
    await using assembly = await assemble({
      replies: [
        (_request, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
            asked.resolve()
          }),
      ],
    })
    await assembly.startWorker()
    const { id } = await assembly.ask('think for ever')
    await asked.promise
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    expect(await assembly.until(id)).toMatchObject({ status: 'cancelled', rounds: [] })
  })

  it('while a command runs that ignores TERM ends every process of the task', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const { id } = await assembly.ask(`!trap '' TERM; (trap '' TERM; sleep 1000) & echo up; sleep 1000`)
    await expect.poll(() => logOf(assembly, id)).toContain('up')
    await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })
    // The grace is the clock's: let it pass once the stop has begun.
    const ended = endedAsTimePasses(assembly, id)
    expect(await ended).toMatchObject({ status: 'cancelled' })
  })

  it('that comes in one commit with something that the run writes is heeded at once', async () => {
    await using assembly = await assemble()
    const { store } = assembly
    const cancelled: Promise<unknown>[] = []
    const by = { platform: 'cli', scope: '', userId: 'local', name: 'local' } as const
    const apply: Store['apply'] = (taskId, event, fence) => {
      const written = store.apply(taskId, event, fence)
      if (event.kind === 'step_started') cancelled.push(store.apply(taskId, { kind: 'cancel_requested', by }, {}))
      return written
    }
    await assembly.startWorker({ store: { ...store, apply } })
    const { id } = await assembly.ask('!sleep 1000')
    expect(await assembly.until(id)).toMatchObject({ status: 'cancelled' })
    expect(cancelled).toHaveLength(1)
  })

  it('of what has ended is refused with what it is', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const { id } = await assembly.ask('!true')
    await assembly.until(id)
    expect(await assembly.inbox.act(LOCAL, { verb: 'cancel', taskId: id, hash: null })).toMatchObject({
      kind: 'conflict',
      sentence: `Task #${id} has already ended: done.`,
    })
  })
})
