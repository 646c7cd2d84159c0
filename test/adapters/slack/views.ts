/** Views for tests, as the reporter would hand them over. */

import type { ApprovalView, CardView, NoticeView, ResultView, RootView } from '../../../src/core/view.ts'
import { statusView } from '../../../src/core/views/status-view.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'

const pending = statusView(sampleTask())

export function sampleRoot(over: Partial<RootView> = {}): RootView {
  return {
    kind: 'root',
    taskId: 42,
    status: pending,
    title: 'Task #42: convert all PNGs here to WebP',
    byLine: 'by Ana',
    ...over,
  }
}

export function sampleCard(over: Partial<CardView> = {}): CardView {
  return {
    kind: 'card',
    taskId: 42,
    status: { status: 'running', icon: '⏳', word: 'Running' },
    headline: 'Running · 1:12 · command 3 of 3',
    why: 'Converts in place; the originals stay.',
    diff: [],
    steps: [
      { number: 1, mark: '✔', command: "find . -name '*.png' | wc -l", badges: ['reads'], note: '0.1 s' },
      { number: 2, mark: '✔', command: 'mkdir -p out', badges: ['writes'], note: '0.0 s' },
      { number: 3, mark: '▶', command: 'mogrify -format webp -path out *.png', badges: ['writes'], note: '1:10' },
    ],
    tail: { header: 'last output 2 s ago', lines: ['[118/240] IMG_0118.png → out/IMG_0118.webp'] },
    notes: [],
    controls: [
      {
        control: { verb: 'cancel', taskId: 42, hash: null },
        label: 'Cancel',
        style: 'danger',
        confirm: 'Stop task #42? The running command is ended.',
      },
      { control: { verb: 'log', taskId: 42, hash: null }, label: 'Full log', style: 'plain', confirm: null },
    ],
    stableKey: 'k',
    ...over,
  }
}

export function sampleApproval(over: Partial<ApprovalView> = {}): ApprovalView {
  return {
    kind: 'approval',
    taskId: 42,
    mentions: ['U0BEN'],
    headline: 'Task #42 needs approval: 2 commands',
    why: 'Downloads the list and counts it.',
    commands: [
      {
        text: 'curl -fsS https://example.com/list.txt -o list.txt',
        hidden: 0,
        badges: ['network'],
        reasons: ['It uses the network.'],
      },
      { text: 'wc -l list.txt', hidden: 0, badges: ['reads'], reasons: [] },
    ],
    terms: ['The sandbox allows example.com and nothing else of the network.'],
    hash: '7f3a9c01',
    decided: null,
    controls: [
      { control: { verb: 'approve', taskId: 42, hash: '7f3a9c01' }, label: 'Approve', style: 'primary', confirm: null },
      { control: { verb: 'edit', taskId: 42, hash: '7f3a9c01' }, label: 'Edit plan', style: 'plain', confirm: null },
      { control: { verb: 'reject', taskId: 42, hash: '7f3a9c01' }, label: 'Reject', style: 'danger', confirm: null },
    ],
    ...over,
  }
}

export function sampleResult(over: Partial<ResultView> = {}): ResultView {
  return {
    kind: 'result',
    taskId: 42,
    status: { status: 'done', icon: '✅', word: 'Done' },
    mention: 'U0ANA',
    headline: 'Task #42 done in 2:04: 240 images converted',
    body: '',
    lines: [],
    files: [{ path: 'summary.csv', sizeBytes: 2048 }],
    notes: ['240 files, 18.4 MB', 'planned by qwen3:8b'],
    controls: [
      { control: { verb: 'retry', taskId: 42, hash: null }, label: 'Retry', style: 'plain', confirm: null },
      { control: { verb: 'rerun', taskId: 42, hash: null }, label: 'Run again exactly', style: 'plain', confirm: null },
      { control: { verb: 'files', taskId: 42, hash: null }, label: 'Files', style: 'plain', confirm: null },
      { control: { verb: 'log', taskId: 42, hash: null }, label: 'Full log', style: 'plain', confirm: null },
    ],
    ...over,
  }
}

export function sampleNotice(over: Partial<NoticeView> = {}): NoticeView {
  return {
    kind: 'notice',
    taskId: 42,
    mentions: [],
    text: 'The files of task #42 are uploaded now.',
    controls: [],
    ...over,
  }
}
