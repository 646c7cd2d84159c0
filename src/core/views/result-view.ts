/** The message at the end. A cancelled task has none: its card says it all, and somebody asked for it. */
import { formatBytes, formatCount, formatDuration } from '../format.ts'
import { describeStepEnd, failureSentence, isSuccess } from '../outcome.ts'
import type { Task } from '../task.ts'
import { boundedTail, cleanTerminal, cutWithNote, neutralizeTags, oneLine } from '../text.ts'
import type { FileView, ResultView } from '../view.ts'
import { resultControls } from './controls-view.ts'
import { isInterrupted, statusView } from './status-view.ts'
import { afterWords, hasRun, ranMs, roundWords, stepInFocus, stepWords } from './task-facts.ts'

export interface ResultContext {
  now: number
  /** Last lines of the log, as they are in it; used for a failure. */
  tail: readonly string[]
  /** Outputs worth a line; bounded by the caller. */
  files: readonly FileView[]
  /** One line each, to be added to ours: where to get files that are too large to upload. */
  notes: readonly string[]
  maxRounds: number | null
}

type Ended = Task & { status: 'done' | 'failed' | 'cancelled' }

const MENTION_AFTER_MS = 60_000
const STALE_AFTER_MS = 6 * 3_600_000
const MAX_BODY = 3000
const MAX_HEADLINE_ANSWER = 120
const FAILURE_LINES = { maxLines: 10, maxChars: 1200 }

/** Whether this task's end is told in a message of its own. */
export function hasResult(task: Task): task is Task & { status: 'done' | 'failed' } {
  return task.status === 'done' || task.status === 'failed'
}

export function resultView(task: Ended, context: ResultContext): ResultView {
  const { headline, body } = words(task, context)
  return {
    kind: 'result',
    taskId: task.id,
    status: statusView(task),
    mention: mention(task, context.now),
    headline,
    body,
    lines: task.status === 'failed' && hasRun(task) ? boundedTail(context.tail, FAILURE_LINES) : [],
    files: context.files,
    notes: [...outputNotes(task), ...context.notes],
    controls: resultControls(task),
  }
}

/** Somebody is called only for news that they wait for: a failure, or the end of something that took long. Not half a day later. */
function mention(task: Ended, now: number): string | null {
  const { userId } = task.requester
  if (task.status === 'cancelled') return null
  if (isInterrupted(task)) return now - (task.endedAt ?? now) > STALE_AFTER_MS ? null : userId
  return task.status === 'failed' || ranMs(task, now) > MENTION_AFTER_MS ? userId : null
}

function words(task: Ended, context: ResultContext): { headline: string; body: string } {
  switch (task.status) {
    case 'done':
      return doneWords(task, context.now)
    case 'failed':
      return isInterrupted(task) ? interruptedWords(task) : failedWords(task, context)
    case 'cancelled':
      return { headline: `Task #${task.id} was cancelled${afterWords(task, context.now)}`, body: '' }
  }
}

function doneWords(task: Ended & { status: 'done' }, now: number): { headline: string; body: string } {
  const answer = neutralizeTags(cleanTerminal(task.answer)).trim()
  const done = `Task #${task.id} done${hasRun(task) ? ` in ${formatDuration(ranMs(task, now))}` : ''}`
  const isShort = answer !== '' && answer.length <= MAX_HEADLINE_ANSWER && !answer.includes('\n')
  return isShort
    ? { headline: `${done}: ${answer}`, body: '' }
    : { headline: done, body: cutWithNote(answer, MAX_BODY) }
}

function failedWords(
  task: Ended & { status: 'failed' },
  { maxRounds }: ResultContext,
): { headline: string; body: string } {
  const step = stepWords(task)
  const end = stepInFocus(task)?.end ?? null
  const how = end === null || isSuccess(end) ? '' : `, ${describeStepEnd(end)}`
  const round = roundWords(task.round, maxRounds)
  const where = task.failure.step === null || step === '' ? '' : `: ${step}${how}${round === '' ? '' : ` (${round})`}`
  const detail = oneLine(task.failure.detail, 500)
  const sentence = failureSentence(task.failure.reason)
  const isSaid = detail === '' || (where !== '' && end !== null && detail === describeStepEnd(end))
  const body = isSaid ? sentence : `${sentence} ${detail.charAt(0).toUpperCase()}${detail.slice(1)}`
  return { headline: `Task #${task.id} failed${where}`, body }
}

function interruptedWords(task: Ended): { headline: string; body: string } {
  const step = stepWords(task) || 'a command'
  const body = `The assistant restarted while ${step} was running; it was stopped.`
  return { headline: `Task #${task.id} was interrupted`, body }
}

function outputNotes(task: Ended): string[] {
  const { outputs } = task
  const files = outputs === null || outputs.files === 0 ? [] : [filesNote(outputs.files, outputs.bytes)]
  const secrets = task.redactions === 0 ? [] : [`${formatCount(task.redactions, 'secret')} hidden in the output`]
  return [...authorNote(task), ...secrets, ...files]
}

function filesNote(files: number, bytes: number): string {
  return `${formatCount(files, 'file')}, ${formatBytes(bytes)}`
}

function authorNote(task: Ended): string[] {
  const author = task.rounds.at(-1)?.author
  if (author === undefined || author.kind === 'verbatim') return []
  if (author.kind === 'model') return [`planned by ${oneLine(author.model, 60)}`]
  return [`plan edited by ${oneLine(author.person.name, 60)}`]
}
