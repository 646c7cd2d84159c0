import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Approval, Task } from '../../../src/core/task.ts'
import { type ApprovalContext, approvalView, roomPerCommand } from '../../../src/core/views/approval-view.ts'
import { reminderView, uploadFailedView } from '../../../src/core/views/notice-views.ts'
import { hasResult, type ResultContext, resultView } from '../../../src/core/views/result-view.ts'
import { rootView } from '../../../src/core/views/root-view.ts'
import { renderLines } from '../../fakes/console-adapter.ts'
import { ANA, endedRound, NOON, sampleDetails, sampleRound, sampleStep, sampleTask } from '../../fakes/sample-task.ts'

const RESULT: ResultContext = { now: NOON + 124_000, tail: [], files: [], notes: [], maxRounds: 2 }

function done(answer: string, changes: Parameters<typeof sampleDetails>[0] = {}): Task & { status: 'done' } {
  const details = sampleDetails({
    rounds: [endedRound()],
    round: 1,
    startedAt: NOON,
    endedAt: NOON + 124_000,
    ...changes,
  })
  return { ...details, status: 'done', answer }
}

function failed(
  reason: 'step_failed' | 'interrupted' | 'planner_unreachable',
  detail = '',
): Task & { status: 'failed' } {
  const rounds = [endedRound({ kind: 'exited', code: 127 })]
  const details = sampleDetails({ rounds, round: 1, endedAt: NOON + 124_000 })
  return {
    ...details,
    status: 'failed',
    failure: { reason, detail, step: reason === 'planner_unreachable' ? null : 2 },
  }
}

describe('a result', () => {
  it('of a task that is done: how long, the answer, its files, its buttons', () => {
    const task = done('240 images converted', { outputs: { files: 240, bytes: 18_400_000 }, redactions: 1 })
    expect(renderLines(resultView(task, RESULT)).split('\n')).toEqual([
      '@U-ANA',
      '✅ Task #42 done in 2:04: 240 images converted',
      'planned by qwen3:8b',
      '1 secret hidden in the output',
      '240 files, 18.4 MB',
      '[Retry](retry:42) [Run again exactly](rerun:42) [Files](files:42) [Full log](log:42)',
    ])
  })

  it('gives a long answer room of its own, within bounds', () => {
    const view = resultView(done(`first\n${'x'.repeat(9000)}`), RESULT)
    expect(view.headline).toBe('Task #42 done in 2:04')
    expect(view.body.length).toBeLessThan(3100)
    expect(view.body).toContain('more characters)')
  })

  it('of an answer without commands has nothing to run again', () => {
    const view = resultView(done('42', { rounds: [], round: 0, endedAt: NOON + 900 }), RESULT)
    expect(view.headline).toBe('Task #42 done: 42')
    expect(view.mention).toBeNull()
    expect(view.controls.map(({ control }) => control.verb)).toEqual(['retry'])
  })

  it('of a failure: where, why, and the last lines', () => {
    const tail = ['one', '\u001b[31mmogrify: command not found\u001b[0m']
    const view = resultView(failed('step_failed', 'ImageMagick is not installed.'), { ...RESULT, tail })
    expect(renderLines(view).split('\n')).toEqual([
      '@U-ANA',
      '❌ Task #42 failed: command 3 of 3, exit 127',
      'A command failed. ImageMagick is not installed.',
      'one',
      'mogrify: command not found',
      'planned by qwen3:8b',
      '[Retry](retry:42) [Edit plan](edit:42:7f3a9c01) [Full log](log:42)',
    ])
  })

  it('of a failure says a thing once, and begins each sentence as one', () => {
    expect(resultView(failed('step_failed', 'exit 127'), RESULT).body).toBe('A command failed.')
    expect(resultView(failed('planner_unreachable', 'connection refused'), RESULT).body).toMatch(
      /\. Connection refused$/,
    )
  })

  it('of an interruption offers to go on, and calls nobody after six hours', () => {
    const view = resultView(failed('interrupted'), RESULT)
    expect(view.body).toBe('The assistant restarted while command 3 of 3 was running; it was stopped.')
    expect(view.controls.map(({ label }) => label)).toEqual(['Resume from 3', 'Start over', 'Discard'])
    expect(view.mention).toBe('U-ANA')
    expect(resultView(failed('interrupted'), { ...RESULT, now: NOON + 7 * 3_600_000 }).mention).toBeNull()
  })

  it('calls the requester only after a minute or a failure', () => {
    const quick = sampleRound([sampleStep(0, 'ls', { at: NOON, tookMs: 59_000 })])
    expect(resultView(done('ok', { rounds: [quick], endedAt: NOON + 59_000 }), RESULT).mention).toBeNull()
    expect(resultView(failed('planner_unreachable'), RESULT).mention).toBe('U-ANA')
  })

  it('is not posted for a task that somebody cancelled, nor before the end', () => {
    const cancellation = { reason: 'cancelled', by: ANA, note: '' } as const
    expect(hasResult({ ...sampleDetails(), status: 'cancelled', cancellation })).toBe(false)
    expect(hasResult(sampleTask())).toBe(false)
    expect(hasResult(done(''))).toBe(true)
  })
})

describe('an approval', () => {
  const CONTEXT: ApprovalContext = {
    mentions: ['U-BOSS'],
    terms: ['No network.'],
    maxChars: 400,
    maxRounds: 2,
    timeZone: 'UTC',
  }

  function waiting(commands: string[], decision: Partial<Approval> = {}): Task {
    const rounds = [sampleRound(commands.map((command, index) => sampleStep(index, command)))]
    const approval: Approval = {
      ...{ round: 1, hash: '', requestedAt: NOON, expiresAt: NOON + 1, remindedAt: null },
      ...{ decision: null, by: null, decidedAt: null, note: null, ...decision },
    }
    return { ...sampleDetails({ rounds, round: 1 }), status: 'awaiting_approval', approval }
  }

  it('shows every character that will run, and what the sandbox allows', () => {
    const view = approvalView(waiting(['echo hi\u202e\u001b[2K', 'cat <<E\nx\nE']), 1, CONTEXT)
    expect(view?.commands.map(({ text, hidden }) => [text, hidden])).toEqual([
      ['echo hi\\u{202e}\\e[2K', 0],
      ['cat <<E\nx\nE', 0],
    ])
    expect(view).toMatchObject({ mentions: ['U-BOSS'], terms: ['No network.'], hash: '7f3a9c01', decided: null })
    expect(view?.headline).toBe('Task #42 needs approval: 2 commands')
  })

  it('says how much of a long command is hidden and where to read it, and keeps short ones whole', () => {
    const view = approvalView(waiting(['ls', 'x'.repeat(1000), 'y'.repeat(1000)]), 1, CONTEXT)
    expect(view?.commands.map(({ text, hidden }) => [text.length, hidden])).toEqual([
      [2, 0],
      [199, 801],
      [199, 801],
    ])
    expect(view?.terms).toContain('Edit plan shows the commands in full.')
  })

  it('says who decided, and calls nobody any more', () => {
    const decided = (decision: Partial<Approval>) => {
      const view = approvalView(
        waiting(['ls'], { by: ANA, decidedAt: Date.UTC(2030, 0, 1, 14, 2), ...decision }),
        1,
        CONTEXT,
      )
      expect(view).toMatchObject({ mentions: [], controls: [] })
      return view?.decided
    }
    expect(decided({ decision: 'approved' })).toBe('✅ Approved by Ana, 14:02 · plan 7f3a9c01')
    expect(decided({ decision: 'rejected', note: 'too risky' })).toBe(
      '🛑 Rejected by Ana, 14:02: too risky · plan 7f3a9c01',
    )
    expect(decided({ decision: 'expired', by: null })).toBe('Expired: nobody decided in time · plan 7f3a9c01')
  })

  it('has room for all, however the lengths fall', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(5000), { minLength: 1, maxLength: 64 }),
        fc.integer({ min: 64, max: 10_000 }),
        (lengths, total) => {
          const room = roomPerCommand(lengths, total)
          const shown = lengths.map((length) => Math.min(length, room))
          expect(shown.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(total)
          if (lengths.reduce((sum, length) => sum + length, 0) <= total) expect(shown).toEqual(lengths)
        },
      ),
    )
  })
})

it('a root names the task and who asked, in one line each', () => {
  const view = rootView(sampleTask({ description: 'convert\nall \u202e PNGs' }))
  expect(renderLines(view)).toBe('🕒 Task #42: convert all PNGs\nby Ana')
})

it('notices carry their buttons', () => {
  expect(renderLines(uploadFailedView(sampleTask(), 'no\nroom'))).toBe(
    'The files of task #42 could not be uploaded: no room\n[Retry upload](upload:42)',
  )
  expect(reminderView(sampleTask(), ['U-BOSS'], NOON).mentions).toEqual(['U-BOSS'])
})
