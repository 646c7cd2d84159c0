import { describe, expect, it } from 'vitest'
import type { Task } from '../../../src/core/task.ts'
import { type CardContext, cardView } from '../../../src/core/views/card-view.ts'
import { renderLines } from '../../fakes/console-adapter.ts'
import {
  ANA,
  endedRound,
  hugeRound,
  NOON,
  runningRound,
  sampleDetails,
  sampleRound,
  sampleStep,
  sampleTask,
  waitingRound,
} from '../../fakes/sample-task.ts'

const CONTEXT: CardContext = {
  now: NOON + 72_000,
  tail: null,
  queue: null,
  children: [],
  sandboxWarning: null,
  maxRounds: 2,
}

function lines(task: Task, context: Partial<CardContext> = {}): string[] {
  return renderLines(cardView(task, { ...CONTEXT, ...context })).split('\n')
}

function running(changes: Parameters<typeof sampleDetails>[0] = {}): Task {
  return { ...sampleDetails({ rounds: [runningRound()], round: 1, ...changes }), status: 'running' }
}

describe('a card while the task waits and is planned', () => {
  it('shows the place in the queue and when about its turn comes', () => {
    expect(lines(sampleTask(), { queue: { position: 2, estimateMs: 61_000 } })).toEqual([
      '🕒 Queued · 2nd in line · about 1 min',
      '[Cancel](cancel:42)',
    ])
    expect(lines(sampleTask(), { queue: { position: 11, estimateMs: null } })[0]).toBe('🕒 Queued · 11th in line')
    expect(lines(sampleTask())[0]).toBe('🕒 Queued')
  })

  it('shows a refinement that waits for the task before it, with the button that ends the wait', () => {
    expect(lines(sampleTask({ kind: 'refine', parentId: 41, afterId: 41 }))).toEqual([
      '🕒 Queued · runs after #41',
      '[Apply now (cancels)](apply:41) [Cancel](cancel:42)',
    ])
  })

  it('shows files that are being fetched, and one that could not be', () => {
    const file = {
      name: 'a.png',
      sizeBytes: 1,
      mimeType: null,
      source: { kind: 'path', path: 'a.png' },
      problem: null,
    } as const
    expect(lines(sampleTask({ inputs: [{ ...file, state: 'waiting' }] }))[0]).toBe('🕒 Queued · fetching 1 file')
    const failed = { ...file, state: 'failed', problem: 'it is a login page' } as const
    expect(lines(sampleTask({ inputs: [failed] }))).toContain('a.png could not be fetched: it is a login page')
  })

  it('says what the planner is busy with', () => {
    const planning = (phase: Task['phase'], more = {}): string | undefined =>
      lines({ ...sampleDetails({ phase, ...more }), status: 'planning' })[0]
    const since = NOON + 32_000
    expect(planning(null)).toBe('🧠 Planning')
    expect(planning({ kind: 'loading_model', model: 'qwen3:8b', since })).toBe(
      '🧠 Planning · Loading the model (first use), 40 s',
    )
    expect(planning({ kind: 'asking_model', model: 'qwen3:8b', attempt: 1, since: NOON + 66_000 })).toBe(
      '🧠 Planning with qwen3:8b · 6 s',
    )
    expect(
      planning({ kind: 'asking_model', model: 'qwen3:8b', attempt: 2, since }, { rounds: [endedRound()], round: 1 }),
    ).toBe('🧠 Planning with qwen3:8b · round 2 of 2 · attempt 2 · 40 s')
  })

  it('turns to a raised hand with its buttons when a person has to decide', () => {
    const approval = {
      ...{ round: 1, hash: waitingRound().hash, requestedAt: NOON, expiresAt: NOON + 1, remindedAt: null },
      ...{ decision: null, by: null, decidedAt: null, note: null },
    }
    const task: Task = {
      ...sampleDetails({ rounds: [waitingRound()], round: 1 }),
      status: 'awaiting_approval',
      approval,
    }
    expect(lines(task)).toEqual([
      '✋ Needs approval · 3 commands',
      'Originals stay.',
      "· 1 find . -name '*.png' | wc -l writes",
      '· 2 mkdir -p out writes',
      '· 3 mogrify -format webp -path out *.png writes',
      '[Approve](approve:42:7f3a9c01) [Edit plan](edit:42:7f3a9c01) [Reject](reject:42:7f3a9c01)',
    ])
  })
})

describe('a card while the task runs', () => {
  it('shows clock, steps and the tail of the output', () => {
    const tail = { lines: ['\u001b[32m[117/240]\r[118/240] IMG_0118.png\u001b[0m', ''], lastWriteAt: NOON + 70_000 }
    expect(lines(running(), { tail })).toEqual([
      '⏳ Running · 1:12 · command 3 of 3',
      'Originals stay.',
      "✔ 1 find . -name '*.png' | wc -l writes 0.1 s",
      '✔ 2 mkdir -p out writes 0.0 s',
      '▶ 3 mogrify -format webp -path out *.png writes 1:10',
      'last output 2 s ago',
      '[118/240] IMG_0118.png',
      '[Cancel](cancel:42) [Full log](log:42)',
    ])
  })

  it('asks before it cancels what runs', () => {
    expect(cardView(running(), CONTEXT).controls[0]).toMatchObject({
      style: 'danger',
      confirm: expect.stringContaining('#42'),
    })
  })

  it('shows that it is being stopped, with nothing left to press but the log', () => {
    const stopping = lines(running({ cancelRequestedBy: ANA }))
    expect(stopping[0]).toBe('🛑 Stopping… · asked by Ana')
    expect(stopping.at(-1)).toBe('[Full log](log:42)')
  })

  it('shows a repair as what changes', () => {
    const failed = endedRound({ kind: 'exited', code: 127 })
    const repair = sampleRound(
      [sampleStep(0, 'mkdir -p out', { at: NOON + 130_000 }), sampleStep(1, 'cwebp -o out *.png')],
      { number: 2, repairOf: 'mogrify is missing; will use cwebp' },
    )
    const shown = lines(running({ rounds: [failed, repair], round: 2 }), { now: NOON + 135_000 })
    expect(shown.slice(0, 6)).toEqual([
      '⏳ Running · 2:09 · round 2 of 2 · command 1 of 2',
      '🔧 Round 2 of 2: mogrify is missing; will use cwebp',
      "- find . -name '*.png' | wc -l",
      '  mkdir -p out',
      '- mogrify -format webp -path out *.png',
      '+ cwebp -o out *.png',
    ])
  })

  it('warns while commands run without their protection', () => {
    expect(lines(running(), { sandboxWarning: 'The sandbox is off.' })).toContain('The sandbox is off.')
  })

  it('has room for the longest plan: a dozen steps around the one that runs', () => {
    const huge = hugeRound('👍')
    const steps = huge.steps.map((step) =>
      step.index < 40 ? sampleStep(step.index, step.command, { at: NOON, tookMs: 1 }) : step,
    )
    steps[40] = sampleStep(40, huge.steps[40]?.command ?? '', { at: NOON })
    const view = cardView(running({ rounds: [{ ...huge, steps }] }), CONTEXT)
    expect(view.steps).toHaveLength(12)
    expect(view.steps.some((step) => step.mark === '▶')).toBe(true)
    expect(view.notes).toContain('Commands 35 to 46 of 64')
    expect(renderLines(view).length).toBeLessThan(2500)
  })
})

describe('a card at the end', () => {
  it('collapses to how it went', () => {
    const details = sampleDetails({ rounds: [endedRound()], round: 1, startedAt: NOON, endedAt: NOON + 124_000 })
    expect(lines({ ...details, status: 'done', answer: 'ok' })[0]).toBe('✅ Done in 2:04 · 3 commands')
    const failed = { ...details, rounds: [endedRound({ kind: 'exited', code: 127 })] }
    const failure = { reason: 'step_failed', detail: '', step: 2 } as const
    expect(lines({ ...failed, status: 'failed', failure })[0]).toBe('❌ Failed after 2:04: command 3 of 3, exit 127')
    const interrupted = { ...failure, reason: 'interrupted' } as const
    expect(lines({ ...failed, status: 'failed', failure: interrupted })[0]).toBe(
      '⚡ Interrupted while command 3 of 3 was running',
    )
  })

  it('says who cancelled, what was stopped and what was kept', () => {
    const round = sampleRound([sampleStep(0, 'sleep 99', { at: NOON, tookMs: 48_000, end: { kind: 'cancelled' } })])
    const details = sampleDetails({
      rounds: [round],
      round: 1,
      endedAt: NOON + 48_000,
      outputs: { files: 112, bytes: 9 },
    })
    const cancellation = { reason: 'cancelled', by: ANA, note: '' } as const
    const shown = lines({ ...details, status: 'cancelled', cancellation, cancelRequestedBy: ANA })
    expect(shown[0]).toBe('🛑 Cancelled by Ana after 0:48 (command 1 stopped; 112 files kept)')
    expect(shown.at(-1)).toBe('[Retry](retry:42) [Files](files:42) [Full log](log:42)')
  })

  it('offers to plan again when nobody decided in time, and says why it was rejected', () => {
    const cancelled = (reason: 'expired' | 'rejected') =>
      lines({
        ...sampleDetails(),
        status: 'cancelled',
        cancellation: { reason, by: reason === 'expired' ? null : ANA, note: '' },
      })
    expect(cancelled('expired')).toEqual([
      '🛑 Cancelled: nobody decided on the plan in time',
      '[Plan again](replan:42)',
    ])
    expect(cancelled('rejected')[0]).toBe('🛑 Cancelled: the plan was rejected by Ana')
  })

  it('links to the child that goes on from it', () => {
    const children = [
      { id: 43, kind: 'retry', status: 'running' },
      { id: 44, kind: 'refine', status: 'pending' },
    ] as const
    const shown = lines({ ...sampleDetails(), status: 'done', answer: '' }, { children })
    expect(shown.slice(1)).toEqual(['Continued in #43', 'Continued in #44'])
  })
})

describe('stableKey', () => {
  const tail = { lines: ['a'], lastWriteAt: NOON + 70_000 }
  const key = (context: Partial<CardContext>, task = running()): string =>
    cardView(task, { ...CONTEXT, tail, ...context }).stableKey

  it('is the same while only clocks move', () => {
    expect(key({ now: NOON + 99_000 })).toBe(key({}))
    const phase = { kind: 'asking_model', model: 'm', attempt: 1, since: NOON } as const
    const planning: Task = { ...sampleDetails({ phase }), status: 'planning' }
    expect(key({ now: NOON + 99_000 }, planning)).toBe(key({}, planning))
  })

  it('differs when output, steps or buttons do', () => {
    const keys = [
      key({}),
      key({ tail: { ...tail, lines: ['b'] } }),
      key({}, running({ cancelRequestedBy: ANA })),
      key({}, running({ rounds: [waitingRound()] })),
      key({ sandboxWarning: 'off' }),
    ]
    expect(new Set(keys).size).toBe(keys.length)
  })
})
