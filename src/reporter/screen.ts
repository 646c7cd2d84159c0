/** What of a task a thread should show now: the views, from the store and the workspace as they are. */
import type { Task } from '../core/task.ts'
import type { ApprovalView, CardView, ResultView } from '../core/view.ts'
import { approvalView, DEFAULT_APPROVAL_CHARS } from '../core/views/approval-view.ts'
import { type CardContext, cardView } from '../core/views/card-view.ts'
import { resultView } from '../core/views/result-view.ts'
import { hasRun, stepInFocus } from '../core/views/task-facts.ts'
import type { ChatLimits } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { LogTail, Workspace } from '../ports/workspace.ts'
import type { ReporterConfig } from './reporter-config.ts'
import { chooseUpload, type UploadChoice, type UploadLimits, uploadLimits, uploadNote } from './uploads.ts'

export interface ScreenOptions {
  store: Store
  workspace: Workspace
  clock: Clock
  config: ReporterConfig
}

export interface DrawnCard {
  view: CardView
  /** Equal keys: neither the task nor one of its steps has moved on; output, queue and clocks may have. */
  stepKey: string
}

export interface Screen {
  card(task: Task): Promise<DrawnCard>
  approval(task: Task, round: number, limits: ChatLimits): ApprovalView | undefined
  result(task: Task & { status: 'done' | 'failed' }, limits: ChatLimits): Promise<ResultView>
  upload(task: Task, limits: ChatLimits): Promise<{ choice: UploadChoice; limits: UploadLimits }>
}

const LINES_READ = 40
const FILES_SHOWN = 10

export function createScreen({ store, workspace, clock, config }: ScreenOptions): Screen {
  /** A log that cannot be read is no reason to show nothing: the worker tells of a lost folder by itself. */
  const orNothing = <T>(reading: Promise<T>): Promise<T | undefined> => reading.catch(() => undefined)

  async function tailOf(task: Task): Promise<LogTail | undefined> {
    const round = task.round
    const step = stepInFocus(task)
    if (step === undefined) return undefined
    return task.status === 'failed'
      ? orNothing(workspace.tailOfStep(task.id, { round, index: step.index }, LINES_READ))
      : orNothing(workspace.tail(task.id, LINES_READ))
  }

  async function cardContext(task: Task): Promise<CardContext> {
    const [queue, tail, children] = await Promise.all([
      task.status === 'pending' ? store.queuePosition(task.id) : undefined,
      task.status === 'running' && hasRun(task) ? tailOf(task) : undefined,
      store.children(task.id),
    ])
    return {
      now: clock.now(),
      tail: tail === undefined ? null : { lines: printed(tail), lastWriteAt: tail.lastWriteAt },
      queue: queue ?? null,
      children: children.filter(
        ({ place }) => place?.platform === task.place?.platform && place?.key === task.place?.key,
      ),
      sandboxWarning: config.sandboxWarning(),
      maxRounds: config.maxRounds,
    }
  }

  async function upload(task: Task, chat: ChatLimits) {
    const limits = uploadLimits(config, chat)
    const hasFiles = task.status === 'done' && (task.outputs?.files ?? 0) > 0
    const choice = hasFiles ? await orNothing(chooseUpload(workspace, task.id, limits)) : undefined
    return { choice: choice ?? ({ kind: 'none' } as const), limits }
  }

  return {
    upload,
    async card(task) {
      const context = await cardContext(task)
      const { stableKey } = cardView(task, { ...context, tail: null, queue: null })
      return { view: cardView(task, context), stepKey: stableKey }
    },
    approval(task, round, limits) {
      return approvalView(task, round, {
        mentions: config.approvers(task),
        terms: config.terms(task),
        maxChars: limits.approvalChars ?? DEFAULT_APPROVAL_CHARS,
        maxRounds: config.maxRounds,
        timeZone: config.timeZone,
      })
    },
    async result(task, limits) {
      const chosen = await upload(task, limits)
      const tail = task.status === 'failed' ? await tailOf(task) : undefined
      return resultView(task, {
        now: clock.now(),
        tail: tail === undefined ? [] : printed(tail),
        files: chosen.choice.kind === 'files' ? chosen.choice.files.slice(0, FILES_SHOWN) : [],
        notes: uploadNote(task.id, chosen.choice, chosen.limits),
        maxRounds: config.maxRounds,
      })
    },
  }
}

function printed(tail: LogTail): string[] {
  return tail.lines.filter((line) => !line.ours).map((line) => line.text)
}
