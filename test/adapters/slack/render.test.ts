/** Rendered messages as fixtures that a person can read. `UPDATE_FIXTURES=1` writes them anew; look at them before you commit. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { homeView } from '../../../adapters/slack/home.ts'
import { editForm, rejectForm, runForm } from '../../../adapters/slack/modals.ts'
import { renderSmaller, renderView } from '../../../adapters/slack/render.ts'
import type { Task } from '../../../src/core/task.ts'
import type { MessageView } from '../../../src/core/view.ts'
import { cardView } from '../../../src/core/views/card-view.ts'
import { reminderView, uploadFailedView } from '../../../src/core/views/notice-views.ts'
import { resultView } from '../../../src/core/views/result-view.ts'
import { rootView } from '../../../src/core/views/root-view.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { endedRound, NOON, runningRound, sampleDetails, waitingRound } from '../../fakes/sample-task.ts'
import { blockProblems, messageProblem, viewProblems } from '../../fakes/slack-server-limits.ts'
import { isJson } from '../../fakes/slack-server-state.ts'
import { sampleApproval, sampleCard, sampleResult } from './views.ts'

const FOLDER = new URL('../../fixtures/slack/', import.meta.url)
const SELF = {
  teamId: 'T0TEAM',
  botUserId: 'U0BOT',
  botId: 'B0BOT',
  botName: 'assistant',
  url: 'https://tests.slack.com/',
}
const CONTEXT = { now: NOON + 72_000, tail: null, queue: null, children: [], sandboxWarning: null, maxRounds: 2 }

const details = (over: Parameters<typeof sampleDetails>[0] = {}) => sampleDetails({ round: 1, ...over })
const ended = {
  rounds: [endedRound()],
  startedAt: NOON,
  endedAt: NOON + 124_000,
  outputs: { files: 240, bytes: 18_400_000 },
}
const done: Task & { status: 'done' } = { ...details(ended), status: 'done', answer: '240 images converted' }
const failed: Task & { status: 'failed' } = {
  ...details({ ...ended, rounds: [runningRound()], outputs: null }),
  status: 'failed',
  failure: { reason: 'step_failed', detail: '', step: 2 },
}
const interrupted: Task & { status: 'failed' } = { ...failed, failure: { reason: 'interrupted', detail: '', step: 2 } }
const ana = { platform: 'slack', userId: 'U0ANA', name: 'Ana' } as const
const waiting: Task = {
  ...details({ rounds: [waitingRound()] }),
  status: 'awaiting_approval',
  approval: {
    round: 1,
    hash: waitingRound().hash,
    requestedAt: NOON,
    expiresAt: NOON + 3_600_000,
    remindedAt: null,
    decision: null,
    by: null,
    decidedAt: null,
    note: null,
  },
}

const MESSAGES: Readonly<Record<string, MessageView>> = {
  root: rootView(done),
  'card-queued': cardView(
    { ...details(), status: 'pending' },
    { ...CONTEXT, queue: { position: 2, estimateMs: 60_000 } },
  ),
  'card-planning': cardView(
    {
      ...details({ phase: { kind: 'asking_model', model: 'qwen3:8b', attempt: 1, since: NOON + 66_000 } }),
      status: 'planning',
    },
    CONTEXT,
  ),
  'card-loading-model': cardView(
    { ...details({ phase: { kind: 'loading_model', model: 'qwen3:8b', since: NOON + 32_000 } }), status: 'planning' },
    CONTEXT,
  ),
  'card-needs-approval': cardView(waiting, CONTEXT),
  'card-running': cardView(
    { ...details({ rounds: [runningRound()] }), status: 'running' },
    {
      ...CONTEXT,
      tail: {
        lines: ['[117/240] IMG_0117.png', '[118/240] IMG_0118.png → out/IMG_0118.webp'],
        lastWriteAt: NOON + 70_000,
      },
    },
  ),
  'card-repair': sampleCard({
    headline: 'Running · 0:07 · round 2 of 2 · command 1 of 1',
    why: '🔧 Round 2 of 2: mogrify is missing; will use cwebp',
    diff: ['- mogrify -format webp -path out *.png', '+ ls *.png | xargs -I{} cwebp {} -o out/{}.webp'],
    steps: [
      {
        number: 1,
        mark: '▶',
        command: 'ls *.png | xargs -I{} cwebp {} -o out/{}.webp',
        badges: ['writes'],
        note: '0:07',
      },
    ],
  }),
  'card-done': cardView(done, CONTEXT),
  'card-failed': cardView(failed, CONTEXT),
  'card-cancelled': cardView(
    {
      ...details({ ...ended, outputs: { files: 112, bytes: 9_000_000 } }),
      status: 'cancelled',
      cancellation: { reason: 'cancelled', by: ana, note: '' },
    },
    CONTEXT,
  ),
  'card-frozen-with-child': cardView(done, { ...CONTEXT, children: [{ id: 43, kind: 'refine', status: 'running' }] }),
  approval: sampleApproval(),
  'approval-decided': sampleApproval({
    decided: '✅ Approved by Ben, 14:02 · plan 7f3a9c01',
    controls: [],
    mentions: [],
  }),
  'result-done': resultView(done, {
    now: NOON + 124_000,
    tail: [],
    files: [{ path: 'out/summary.csv', sizeBytes: 2048 }],
    notes: [],
    maxRounds: 2,
  }),
  'result-answer': sampleResult({
    mention: null,
    headline: 'Task #42 done in 3.1 s',
    body: 'The three largest files:\n```\n1.2 GB  video.mp4\n300 MB  photos.zip\n 12 MB  notes.pdf\n```\nThe rest is below 10 MB.',
    files: [],
  }),
  'result-failed': resultView(failed, {
    now: NOON + 124_000,
    tail: ['mogrify: command not found'],
    files: [],
    notes: [],
    maxRounds: 2,
  }),
  'result-interrupted': resultView(interrupted, { now: NOON + 124_000, tail: [], files: [], notes: [], maxRounds: 2 }),
  'notice-upload-failed': uploadFailedView(
    done,
    'The Slack app lacks the scope files:write: add it under OAuth & Permissions and reinstall the app.',
  ),
  'notice-reminder': reminderView(waiting, ['U0BEN'], NOON),
}

const plan = { taskId: 42, hash: '7f3a9c01', channelId: 'C0BUILDS', threadTs: '1893456000.000100' }
const shortcut = {
  userId: 'U0ANA',
  teamId: null,
  channelId: 'C0BUILDS',
  ts: '1893456000.000100',
  threadTs: null,
  text: 'sort these',
  fileIds: ['F1'],
  triggerId: 't',
}
const home = (id: number, description: string, status: 'running' | 'done' | 'awaiting_approval') => ({
  ...sampleTask({ id, description }),
  status,
})

const SURFACES: Readonly<Record<string, object>> = {
  'form-edit-plan': editForm(plan, ["find . -name '*.png' | wc -l", 'cat > notes.txt <<EOF\nfirst\nsecond\nEOF']),
  'form-reject': rejectForm(plan),
  'form-run-as-task': runForm(shortcut),
  home: homeView(
    {
      problem: '',
      refusal: null,
      tasks: [home(44, 'convert all PNGs here to WebP', 'running'), home(41, 'count the lines of data.csv', 'done')],
      toDecide: [{ task: home(43, 'fetch the price list', 'awaiting_approval'), hash: '7f3a9c01' }],
    },
    { self: SELF, command: '/task' },
  ),
}

test.each(Object.entries(MESSAGES))('%s looks as in its fixture, and Slack takes it', (name, view) => {
  const message = renderView(view)
  expectFixture(name, message)
  expect(messageProblem(message.text, plainBlocks(message.blocks), true)).toBeUndefined()
  const smaller = renderSmaller(view)
  expect(messageProblem(smaller.text, plainBlocks(smaller.blocks), true)).toBeUndefined()
})

test.each(Object.entries(SURFACES))('%s looks as in its fixture, and Slack takes it', (name, view) => {
  expectFixture(name, view)
  expect(viewProblems(JSON.parse(JSON.stringify(view)))).toEqual([])
})

test('a Home with everything full is within the limits', () => {
  const many = Array.from({ length: 10 }, (_, index) =>
    home(index + 1, '<&>'.repeat(3000), index % 2 === 0 ? 'done' : 'running'),
  )
  const view = homeView(
    {
      problem: 'x'.repeat(5000),
      refusal: 'y'.repeat(5000),
      tasks: many,
      toDecide: many.map((task) => ({ task, hash: '7f3a9c01' })),
    },
    { self: SELF, command: '/task' },
  )
  expect(viewProblems(JSON.parse(JSON.stringify(view)))).toEqual([])
})

test('sixty-four commands of sixteen kilobytes fit into one approval, and what is hidden is counted', () => {
  const commands = Array.from({ length: 64 }, () => ({
    text: 'x'.repeat(16_000),
    hidden: 0,
    badges: ['network', 'deletes'] as const,
    reasons: ['r'.repeat(900)],
  }))
  const { text, blocks } = renderView(
    sampleApproval({ commands, terms: Array.from({ length: 30 }, () => 't'.repeat(900)) }),
  )
  expect(messageProblem(text, plainBlocks(blocks), false)).toBeUndefined()
  expect(JSON.stringify(blocks)).toContain('16000 characters hidden')
  expect(blockProblems(plainBlocks(blocks), { max: 50, surface: 'message' })).toEqual([])
})

function plainBlocks(blocks: unknown): Record<string, unknown>[] {
  const copied: unknown = JSON.parse(JSON.stringify(blocks))
  return Array.isArray(copied) ? copied.filter(isJson) : []
}

function expectFixture(name: string, value: unknown): void {
  const file = new URL(`${name}.json`, FOLDER)
  const drawn = `${JSON.stringify(value, null, 2)}\n`
  if (process.env.UPDATE_FIXTURES === '1') {
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(file, drawn)
  }
  expect(drawn).toBe(readFileSync(file, 'utf8'))
}
