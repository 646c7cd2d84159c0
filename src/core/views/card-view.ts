/** The one message that is edited: the task as it is now. */
import { createHash } from 'node:crypto'
import { diffArrays } from 'diff'
import { assertNever } from '../errors.ts'
import { formatAge, formatClock, formatCount, formatDuration, formatEstimate, formatOrdinal } from '../format.ts'
import { describeStepEnd, isSuccess } from '../outcome.ts'
import type { Round, Step, Task, TaskSummary } from '../task.ts'
import { currentRound, isFinal } from '../task.ts'
import { boundedTail, oneLine } from '../text.ts'
import type { CardView, StepView, TailView } from '../view.ts'
import { cardControls } from './controls-view.ts'
import { isInterrupted, statusView } from './status-view.ts'
import { afterWords, keptWords, ranMs, roundWords, stepInFocus, stepWords } from './task-facts.ts'

export interface CardContext {
  /** Epoch ms. */
  now: number
  /** Last lines of the log, as they are in it; null where there is no tail to show. */
  tail: { lines: readonly string[]; lastWriteAt: number | null } | null
  /** Only for a task that waits. */
  queue: { position: number; estimateMs: number | null } | null
  /** Children told of in the same place. */
  children: readonly Pick<TaskSummary, 'id' | 'kind' | 'status'>[]
  /** Shown when commands run with less protection than promised; null when all is well. */
  sandboxWarning: string | null
  /** How many rounds a task may have; null when not known. */
  maxRounds: number | null
}

const MAX_STEPS_SHOWN = 12
const MAX_COMMAND = 100
const MAX_WHY = 300
const MAX_DIFF_LINES = 12

type Drawing = Omit<CardView, 'stableKey'>
/** A time span that grows while nothing else happens; left out of the stable key. */
type Ticking = (text: string) => string
type Scene = CardContext & { ticking: Ticking }

/** Draws the card. Equal `stableKey`s mean that only clocks have moved. */
export function cardView(task: Task, context: CardContext): CardView {
  const drawing = draw(task, { ...context, ticking: (text) => text })
  const still = draw(task, { ...context, ticking: () => '' })
  const stableKey = createHash('sha256').update(JSON.stringify(still)).digest('base64url')
  return { ...drawing, stableKey }
}

function draw(task: Task, scene: Scene): Drawing {
  const round = currentRound(task)
  const window = round === undefined ? undefined : stepWindow(task, round)
  return {
    kind: 'card',
    taskId: task.id,
    status: statusView(task),
    headline: headlineParts(task, scene)
      .filter((part) => part !== '')
      .join(' · '),
    why: whyLine(task, round, scene),
    diff: isFinal(task.status) || round === undefined ? [] : repairDiff(task, round),
    steps: window?.steps.map((step) => stepView(step, task, scene)) ?? [],
    tail: tailView(task, scene),
    notes: notes(task, scene, window),
    controls: cardControls(task),
  }
}

function headlineParts(task: Task, scene: Scene): string[] {
  if (!isFinal(task.status) && task.cancelRequestedBy !== null) {
    return ['Stopping…', `asked by ${oneLine(task.cancelRequestedBy.name, 60)}`]
  }
  switch (task.status) {
    case 'pending':
      return queuedParts(task, scene)
    case 'planning':
      return planningParts(task, scene)
    case 'awaiting_approval':
      return ['Needs approval', plannedWords(task), roundWords(task.round, scene.maxRounds)]
    case 'running':
      return runningParts(task, scene)
    case 'done':
      return [
        task.rounds.length === 0 ? 'Done' : `Done in ${formatDuration(ranMs(task, scene.now))}`,
        plannedWords(task),
      ]
    case 'failed':
      return [failedHeadline(task, scene)]
    case 'cancelled':
      return [cancelledHeadline(task, scene.now)]
    default:
      return assertNever(task)
  }
}

function queuedParts(task: Task, { queue }: CardContext): string[] {
  const waiting = task.inputs.filter((input) => input.state === 'waiting').length
  if (waiting > 0) return ['Queued', `fetching ${formatCount(waiting, 'file')}`]
  if (task.afterId !== null) return ['Queued', `runs after #${task.afterId}`]
  if (queue === null) return ['Queued']
  const estimate = queue.estimateMs === null ? '' : formatEstimate(queue.estimateMs)
  return ['Queued', `${formatOrdinal(queue.position)} in line`, estimate]
}

function planningParts(task: Task, { now, maxRounds, ticking }: Scene): string[] {
  const { phase } = task
  // While a repair is planned, the round that failed is still the current one.
  const round = task.rounds.length === 0 ? '' : roundWords(task.rounds.length + 1, maxRounds)
  if (phase === null || phase.kind === 'starting') return ['Planning', round]
  const span = ticking(formatAge(now - phase.since))
  if (phase.kind === 'loading_model') return ['Planning', round, `Loading the model (first use), ${span}`]
  const attempt = phase.attempt > 1 ? `attempt ${phase.attempt}` : ''
  return [`Planning with ${oneLine(phase.model, 60)}`, round, attempt, span]
}

function runningParts(task: Task, { now, maxRounds, ticking }: Scene): string[] {
  const words = stepWords(task)
  const round = roundWords(task.round, maxRounds)
  if (words === '') return ['Running', round, 'about to start', plannedWords(task)]
  return ['Running', ticking(formatClock(ranMs(task, now))), round, words]
}

function plannedWords(task: Task): string {
  const count = currentRound(task)?.steps.length ?? 0
  return count === 0 ? '' : formatCount(count, 'command')
}

function failedHeadline(task: Task, { now, maxRounds }: CardContext): string {
  const words = stepWords(task)
  if (isInterrupted(task)) return words === '' ? 'Interrupted' : `Interrupted while ${words} was running`
  const end = stepInFocus(task)?.end ?? null
  const how = end === null || isSuccess(end) ? '' : `, ${describeStepEnd(end)}`
  const round = roundWords(task.round, maxRounds)
  const where = words === '' ? '' : `: ${words}${how}${round === '' ? '' : ` (${round})`}`
  return `Failed${afterWords(task, now)}${where}`
}

function cancelledHeadline(task: Task & { status: 'cancelled' }, now: number): string {
  const { reason, by } = task.cancellation
  const who = by === null ? '' : ` by ${oneLine(by.name, 60)}`
  switch (reason) {
    case 'cancelled':
      return `Cancelled${who}${afterWords(task, now)}${keptWords(task)}`
    case 'rejected':
      return `Cancelled: the plan was rejected${who}`
    case 'expired':
      return 'Cancelled: nobody decided on the plan in time'
    case 'superseded':
      return `Cancelled: a newer request${who} took its place`
    default:
      return assertNever(reason)
  }
}

function whyLine(task: Task, round: Round | undefined, { maxRounds }: CardContext): string {
  if (round === undefined) return ''
  if (round.repairOf === null || isFinal(task.status)) return oneLine(round.plan.summary, MAX_WHY)
  const words = roundWords(round.number, maxRounds)
  return `🔧 ${words.charAt(0).toUpperCase()}${words.slice(1)}: ${oneLine(round.repairOf, MAX_WHY)}`
}

/** What a repair changes in the list of commands. */
function repairDiff(task: Task, round: Round): string[] {
  const before = task.rounds.find(({ number }) => number === round.number - 1)
  if (before === undefined) return []
  const lines = diffArrays(before.plan.commands, round.plan.commands).flatMap((part) =>
    part.value.map((command) => `${part.added ? '+' : part.removed ? '-' : ' '} ${oneLine(command, MAX_COMMAND)}`),
  )
  const changed = lines.filter((line) => !line.startsWith(' '))
  const shown = lines.length <= MAX_DIFF_LINES ? lines : changed.slice(0, MAX_DIFF_LINES)
  return changed.length > shown.length ? [...shown, `  … ${changed.length - shown.length} more changed`] : shown
}

interface StepWindow {
  steps: readonly Step[]
  from: number
  total: number
}

/** The steps around the one that counts now: a card has room for a dozen. */
function stepWindow(task: Task, { steps }: Round): StepWindow {
  const focus = stepInFocus(task)?.index ?? 0
  const latest = Math.max(0, steps.length - MAX_STEPS_SHOWN)
  const from = Math.min(latest, Math.max(0, focus - Math.floor(MAX_STEPS_SHOWN / 2)))
  return { steps: steps.slice(from, from + MAX_STEPS_SHOWN), from, total: steps.length }
}

function stepView(step: Step, task: Task, { now, ticking }: Scene): StepView {
  return {
    number: step.index + 1,
    mark: stepMark(step, task),
    command: oneLine(step.command, MAX_COMMAND),
    badges: currentRound(task)?.verdict.steps[step.index]?.badges ?? [],
    note: stepNote(step, now, ticking),
  }
}

function stepMark({ state, end }: Step, task: Task): StepView['mark'] {
  if (end !== null) return isSuccess(end) ? '✔' : '✖'
  if (state !== 'running') return '·'
  return isFinal(task.status) ? '✖' : '▶'
}

function stepNote({ state, end, startedAt, endedAt }: Step, now: number, ticking: Ticking): string {
  if (end !== null && !isSuccess(end)) return describeStepEnd(end)
  if (startedAt !== null && endedAt !== null) return formatDuration(endedAt - startedAt)
  return state === 'running' && startedAt !== null ? ticking(formatClock(now - startedAt)) : ''
}

function tailView(task: Task, { tail, now, ticking }: Scene): TailView | null {
  if (tail === null || task.status !== 'running') return null
  const lines = boundedTail(tail.lines)
  if (lines.length === 0) return null
  const header =
    tail.lastWriteAt === null ? 'last output' : `last output ${ticking(formatAge(now - tail.lastWriteAt))} ago`
  return { lines, header }
}

function notes(task: Task, { children, sandboxWarning }: CardContext, window: StepWindow | undefined): string[] {
  const hidden = window !== undefined && window.total > window.steps.length
  const shown = hidden ? [`Commands ${window.from + 1} to ${window.from + window.steps.length} of ${window.total}`] : []
  const warning = sandboxWarning === null || isFinal(task.status) ? [] : [oneLine(sandboxWarning, MAX_WHY)]
  const failedInputs = task.inputs.filter((input) => input.state === 'failed')
  const inputs = failedInputs.slice(0, 3).map((input) => {
    return `${oneLine(input.name, 60)} could not be fetched: ${oneLine(input.problem ?? 'unknown', 120)}`
  })
  return [...shown, ...warning, ...inputs, ...children.map((child) => childNote(task, child))]
}

/** Of an ended task only what stays true: its card is not drawn again when the child goes on. */
function childNote(task: Task, { id, kind, status }: Pick<TaskSummary, 'id' | 'kind' | 'status'>): string {
  const isNoted = kind === 'refine' && status === 'pending' && !isFinal(task.status)
  return isNoted ? `Noted: #${id} follows` : `Continued in #${id}`
}
