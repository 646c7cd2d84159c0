/**
 * What a thread shows, without saying how: adapters render these to Block Kit, Components V2 or plain lines.
 * Every string here is plain text from outside or from us; an adapter escapes all of it.
 */
import type { Control } from './controls.ts'
import type { TaskStatus } from './task.ts'
import type { RiskBadge } from './verdict.ts'

export interface StatusView {
  status: TaskStatus | 'interrupted'
  /** Always shown together: an icon and a word. */
  icon: string
  word: string
}

/** `danger` asks for a confirmation where the platform has one. `modal` controls open a form first. */
export interface ControlView {
  control: Control
  label: string
  style: 'plain' | 'primary' | 'danger'
  confirm: string | null
}

export interface StepView {
  number: number
  mark: '✔' | '▶' | '·' | '✖'
  /** One line, bounded; the whole command is in the approval message and the log. */
  command: string
  badges: readonly RiskBadge[]
  /** "1:10", "0.1 s", "exit 127"; '' while it waits. */
  note: string
}

export interface TailView {
  /** Cleaned lines: no escapes, no carriage returns, secrets hidden. At most 15 lines and 1 500 characters together. */
  lines: readonly string[]
  /** "last output 3 s ago" */
  header: string
}

/** The task's title line: a message of its own only where the platform has no message of the requester's. */
export interface RootView {
  kind: 'root'
  taskId: number
  status: StatusView
  title: string
  byLine: string
}

/** The one message that is edited. */
export interface CardView {
  kind: 'card'
  taskId: number
  status: StatusView
  /** "Running · 1:12 · command 3 of 3", "Queued · 2nd in line · about 1 min" */
  headline: string
  /** Why the plan does what it does: the model's summary. '' when there is none. */
  why: string
  /** Lines of a repair shown as a diff, each beginning with '-', '+' or ' '; empty outside a repair. */
  diff: readonly string[]
  steps: readonly StepView[]
  tail: TailView | null
  /** One line each: what the box allows, a link to a child, a warning that the sandbox is off. */
  notes: readonly string[]
  controls: readonly ControlView[]
  /** The same view without its clocks: equal keys mean that only the clock has moved. */
  stableKey: string
}

/** A new message: a plan waits for a decision. */
export interface ApprovalView {
  kind: 'approval'
  taskId: number
  /** Platform user ids to mention. */
  mentions: readonly string[]
  headline: string
  why: string
  /** Whole commands, control characters escaped. `hidden` says how many characters of it are not shown; 0 when all are. */
  commands: readonly { text: string; hidden: number; badges: readonly RiskBadge[]; reasons: readonly string[] }[]
  /** What the sandbox allows these commands. */
  terms: readonly string[]
  hash: string
  /** Set once it is decided: "Approved by Ana, 14:02 · plan 7f3a9c01". */
  decided: string | null
  controls: readonly ControlView[]
}

/** A new message at the end. */
export interface ResultView {
  kind: 'result'
  taskId: number
  status: StatusView
  /** Platform user id to mention, or null: only when it ran longer than a minute or failed. */
  mention: string | null
  headline: string
  /** The answer, or the sentence of cause; may have several lines. */
  body: string
  /** Last lines of output of a failure; empty otherwise. */
  lines: readonly string[]
  /** "out/ 240 files, 18.4 MB" and the like. */
  files: readonly FileView[]
  notes: readonly string[]
  controls: readonly ControlView[]
}

export interface FileView {
  /** Path in the task's working directory, shown escaped. */
  path: string
  sizeBytes: number
}

/** A short message of its own. */
export interface NoticeView {
  kind: 'notice'
  taskId: number
  mentions: readonly string[]
  text: string
  controls: readonly ControlView[]
}

export type MessageView = RootView | CardView | ApprovalView | ResultView | NoticeView
