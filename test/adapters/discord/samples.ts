/** Views as people would see them, one per state, and some that are as large and as nasty as they can be. */
import type { Control } from '../../../src/core/controls.ts'
import type {
  ApprovalView,
  CardView,
  ControlView,
  MessageView,
  NoticeView,
  ResultView,
  RootView,
} from '../../../src/core/view.ts'

export function button(verb: Control['verb'], label: string, style: ControlView['style'] = 'plain'): ControlView {
  const hash = verb === 'approve' || verb === 'reject' || verb === 'edit' ? '7f3a9c01' : null
  return { control: { verb, taskId: 42, hash }, label, style, confirm: null }
}

export function sampleRoot(): RootView {
  return {
    kind: 'root',
    taskId: 42,
    status: { status: 'pending', icon: '🕒', word: 'Queued' },
    title: 'Task #42: convert all PNGs here to WebP',
    byLine: 'by Ana',
  }
}

export function sampleCard(overrides: Partial<CardView> = {}): CardView {
  return {
    kind: 'card',
    taskId: 42,
    status: { status: 'running', icon: '⏳', word: 'Running' },
    headline: 'Running · 1:12 · command 3 of 3',
    why: 'Converts in place-safe mode; originals stay.',
    diff: [],
    steps: [
      { number: 1, mark: '✔', command: "find . -name '*.png' | wc -l", badges: ['reads'], note: '0.1 s' },
      { number: 2, mark: '✔', command: 'mkdir -p out', badges: ['writes'], note: '0.0 s' },
      { number: 3, mark: '▶', command: 'mogrify -format webp -path out *.png', badges: ['writes'], note: '1:10' },
    ],
    tail: {
      header: 'last output 2 s ago',
      lines: ['[117/240] IMG_0117.png → out/IMG_0117.webp', '[118/240] IMG_0118.png → out/IMG_0118.webp'],
    },
    notes: ['no network · 1 GB of memory'],
    controls: [button('cancel', 'Cancel', 'danger'), button('log', 'Full log')],
    stableKey: 'k',
    ...overrides,
  }
}

const ENDED_STEPS: CardView['steps'] = sampleCard().steps.map((step) => ({
  ...step,
  mark: '✔',
  note: step.number === 3 ? '2:03' : step.note,
}))

export function sampleApproval(overrides: Partial<ApprovalView> = {}): ApprovalView {
  return {
    kind: 'approval',
    taskId: 42,
    mentions: ['111111111111111111'],
    headline: 'Task #42 needs approval: 2 commands',
    why: 'Fetches the list, then sorts it.',
    commands: [
      {
        text: 'curl -fsS https://example.org/list.txt -o list.txt',
        hidden: 0,
        badges: ['network', 'writes'],
        reasons: ['Uses the network: example.org.'],
      },
      { text: 'sort list.txt | uniq -c > counts.txt', hidden: 0, badges: ['writes'], reasons: [] },
    ],
    terms: ['Asks for the network: example.org.', 'May write only in the folder of the task.'],
    hash: '7f3a9c01',
    decided: null,
    controls: [
      button('approve', 'Approve', 'primary'),
      button('edit', 'Edit plan'),
      button('reject', 'Reject', 'danger'),
    ],
    ...overrides,
  }
}

export function sampleResult(overrides: Partial<ResultView> = {}): ResultView {
  return {
    kind: 'result',
    taskId: 42,
    status: { status: 'done', icon: '✅', word: 'Done' },
    mention: '111111111111111111',
    headline: 'Task #42 done in 2:04: 240 images converted',
    body: 'All 240 images are in out/. The originals are untouched.',
    lines: [],
    files: [
      { path: 'out.zip', sizeBytes: 18_400_000 },
      { path: 'summary.csv', sizeBytes: 5120 },
    ],
    notes: ['240 files, 18.4 MB', 'planned by qwen3:8b'],
    controls: [
      button('retry', 'Retry'),
      button('rerun', 'Run again exactly'),
      button('files', 'Files'),
      button('log', 'Full log'),
    ],
    ...overrides,
  }
}

export function sampleNotice(overrides: Partial<NoticeView> = {}): NoticeView {
  return {
    kind: 'notice',
    taskId: 42,
    mentions: [],
    text: 'The files of task #42 could not be uploaded: Discord cannot be reached.',
    controls: [button('upload', 'Retry upload')],
    ...overrides,
  }
}

/** A view for each state, by a name that says which. */
export const SAMPLES: Readonly<Record<string, MessageView>> = {
  root: sampleRoot(),
  'card-queued': sampleCard({
    status: { status: 'pending', icon: '🕒', word: 'Queued' },
    headline: 'Queued · 2nd in line · about 1 min',
    why: '',
    steps: [],
    tail: null,
    notes: [],
    controls: [button('cancel', 'Cancel', 'danger')],
  }),
  'card-planning': sampleCard({
    status: { status: 'planning', icon: '🧠', word: 'Planning' },
    headline: 'Planning with qwen3:8b · 6 s',
    why: '',
    steps: [],
    tail: null,
    notes: [],
    controls: [button('cancel', 'Cancel', 'danger')],
  }),
  'card-awaiting-approval': sampleCard({
    status: { status: 'awaiting_approval', icon: '✋', word: 'Needs approval' },
    headline: 'Needs approval · 3 commands',
    steps: sampleCard().steps.map((step) => ({ ...step, mark: '·', note: '' })),
    tail: null,
    controls: [
      button('approve', 'Approve', 'primary'),
      button('edit', 'Edit plan'),
      button('reject', 'Reject', 'danger'),
    ],
  }),
  'card-running': sampleCard(),
  'card-repair': sampleCard({
    headline: 'Running · 0:12 · round 2 of 2 · command 1 of 1',
    why: '🔧 Round 2 of 2: mogrify is missing; will use cwebp',
    diff: ['- mogrify -format webp *.png', '+ for f in *.png; do cwebp "$f" -o "out/$f.webp"; done'],
  }),
  'card-done': sampleCard({
    status: { status: 'done', icon: '✅', word: 'Done' },
    headline: 'Done in 2:04 · 3 commands',
    steps: ENDED_STEPS,
    tail: null,
    notes: [],
    controls: [],
  }),
  'card-cancelled': sampleCard({
    status: { status: 'cancelled', icon: '🛑', word: 'Cancelled' },
    headline: 'Cancelled by Ana after 0:48 (command 3 stopped; 112 files kept)',
    tail: null,
    notes: [],
    controls: [button('retry', 'Retry'), button('files', 'Files'), button('log', 'Full log')],
  }),
  'approval-waiting': sampleApproval(),
  'approval-decided': sampleApproval({ decided: 'Approved by Ana, 14:02 · plan 7f3a9c01', mentions: [], controls: [] }),
  'result-done': sampleResult(),
  'result-failed': sampleResult({
    status: { status: 'failed', icon: '❌', word: 'Failed' },
    headline: 'Task #42 failed: command 3 of 3, exit 127 (round 2 of 2)',
    body: 'A command ended with an error. Likely cause: ImageMagick is not installed on this host.',
    lines: ['bash: line 1: mogrify: command not found'],
    files: [],
    notes: ['planned by qwen3:8b'],
    controls: [button('retry', 'Retry'), button('edit', 'Edit plan'), button('log', 'Full log')],
  }),
  'result-interrupted': sampleResult({
    status: { status: 'interrupted', icon: '⚡', word: 'Interrupted' },
    headline: 'Task #42 was interrupted',
    body: 'The assistant restarted while command 3 of 3 was running; it was stopped.',
    files: [],
    notes: [],
    controls: [
      button('resume', 'Resume from 3', 'primary'),
      button('restart', 'Start over'),
      button('discard', 'Discard'),
    ],
  }),
  'notice-upload-failed': sampleNotice(),
}
