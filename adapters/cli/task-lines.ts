/** A task in lines of text. Pure: task in, lines out; everything from outside is cleaned by core's views. */
import { shortHash } from '../../src/core/approval.ts'
import { COMMAND } from '../../src/core/command.ts'
import { formatBytes, formatCount } from '../../src/core/format.ts'
import { currentRound, type Platform, type Task } from '../../src/core/task.ts'
import { boundedTail, cleanTerminal, oneLine } from '../../src/core/text.ts'
import type { StepView } from '../../src/core/view.ts'
import { approvalView } from '../../src/core/views/approval-view.ts'
import { type CardContext, cardView } from '../../src/core/views/card-view.ts'
import { resultControls } from '../../src/core/views/controls-view.ts'
import { resultView } from '../../src/core/views/result-view.ts'
import type { DeliveryOutcome, Refusal } from '../../src/ports/inbox.ts'
import type { OutputFile } from '../../src/ports/workspace.ts'
import type { Style } from './printer.ts'

export type Paint = (style: Style, text: string) => string

const MAX_FILES = 10
/** A terminal scrolls: nobody should approve what is not shown. */
const ALL = Number.MAX_SAFE_INTEGER

const STATUS_STYLES = {
  pending: 'gray',
  planning: 'blue',
  awaiting_approval: 'yellow',
  running: 'cyan',
  done: 'green',
  failed: 'red',
  cancelled: 'yellow',
  interrupted: 'red',
} as const

export interface ShowContext extends Omit<CardContext, 'children'> {
  files: readonly OutputFile[]
  /** IANA name. */
  timeZone: string
  /** How far its thread has been told; null where that is not known. */
  delivery: Exclude<DeliveryOutcome, Refusal> | null
  chatsOff: readonly Platform[]
}

/** Everything that `show` tells. */
export function showLines(task: Task, context: ShowContext, paint: Paint): string[] {
  const card = cardView(task, { ...context, children: [] })
  const head = `${paint('bold', `#${task.id}`)} ${oneLine(task.description, 500)}`
  const meta = [
    `${card.status.icon} ${card.headline}`,
    `by ${oneLine(task.requester.name, 60)} (${task.requester.platform}), ${new Date(task.createdAt).toISOString()}`,
    ...(task.parentId === null ? [] : [`${task.kind} of #${task.parentId}`]),
    ...(task.inputs.length === 0 ? [] : [`inputs: ${task.inputs.map((input) => oneLine(input.name, 60)).join(', ')}`]),
    ...(card.why === '' ? [] : [card.why]),
    ...card.notes,
    ...decidedLines(task, context),
    ...deliveryLines(task, context),
  ]
  const isWaiting = task.status === 'awaiting_approval'
  const plan = isWaiting
    ? [...approvalLines(task, context, paint), `   ${decideHint(task)}`]
    : indent(card.steps.map((step) => stepLine(step, paint)))
  return [head, ...indent(meta), ...plan, ...tailLines(context, paint), ...endLines(task, context, paint)]
}

/** How to decide from anywhere: the commands, with the plan that was seen. */
export function decideHint(task: Task): string {
  const hash = shortHash(currentRound(task)?.hash ?? '')
  return `Decide with: ${COMMAND} approve ${task.id} --hash ${hash}, or: ${COMMAND} reject ${task.id}`
}

/** "Rejected by ana, 14:02: too risky": who decided on the current plan, when, and why. */
function decidedLines(task: Task, { timeZone, maxRounds }: ShowContext): string[] {
  const { approval } = task
  if (approval === null || approval.decision === null) return []
  const view = approvalView(task, approval.round, { timeZone, maxRounds, mentions: [], terms: [], maxChars: ALL })
  return view?.decided == null ? [] : [view.decided]
}

/** What its thread does not know; nothing where it knows all, or soon will. */
function deliveryLines(task: Task, { delivery, chatsOff }: ShowContext): string[] {
  if (delivery === null || delivery.place === null) return []
  const { place, failure, attempts, isTold } = delivery
  const chat = CHATS[place.platform] ?? place.platform
  if (failure !== null) {
    return [
      `Its thread in ${chat} could not be told: ${oneLine(failure, 300)} Once that is mended: ${COMMAND} redeliver ${task.id}`,
    ]
  }
  if (isTold) return []
  if (chatsOff.includes(place.platform)) {
    return [`Its thread was never told to the end: ${chat} is off. To switch it on: ${COMMAND} setup ${place.platform}`]
  }
  return attempts === 0
    ? []
    : [
        `Its thread in ${chat} is not told yet, after ${attempts === 1 ? 'one try' : `${attempts} tries`}; it is tried again.`,
      ]
}

const CHATS: Partial<Record<Platform, string>> = { slack: 'Slack', discord: 'Discord' }

function tailLines({ tail }: ShowContext, paint: Paint): string[] {
  const lines = tail === null ? [] : boundedTail(tail.lines)
  return lines.map((line) => paint('dim', `   │ ${line}`))
}

function stepLine({ mark, number, command, note, badges }: StepView, paint: Paint): string {
  const colour = mark === '✖' ? 'red' : mark === '✔' ? 'green' : 'cyan'
  const details = [note, ...badges].filter((text) => text !== '').join(' · ')
  return `${paint(colour, mark)} ${number}  ${command}${details === '' ? '' : paint('dim', `   ${details}`)}`
}

/** The end: what it came to, its files, and how to get them. Empty while the task goes on. */
export function endLines(
  task: Task,
  context: { now: number; files: readonly OutputFile[]; maxRounds: number | null },
  paint: Paint,
): string[] {
  if (task.status !== 'done' && task.status !== 'failed' && task.status !== 'cancelled') return []
  const view = resultView(task, { ...context, tail: [], notes: [] })
  const headline = paint(['bold', STATUS_STYLES[view.status.status]], `${view.status.icon} ${view.headline}`)
  const body = view.body === '' ? [] : view.body.split('\n')
  const files = fileLines(task.id, context.files, paint)
  return [headline, ...indent([...body, ...view.notes, ...files, ...nextLines(task, paint)])]
}

const NEXT = {
  resume: 'runs what is left, in a copy of its folder',
  restart: 'begins anew, in a clean folder',
  discard: 'gives up its files',
  replan: 'has it planned again',
} as const

/** What only this end offers; what every end offers is in the help. */
function nextLines(task: Task, paint: Paint): string[] {
  return resultControls(task).flatMap(({ control: { verb } }) => {
    if (verb !== 'resume' && verb !== 'restart' && verb !== 'discard' && verb !== 'replan') return []
    return [`${COMMAND} ${verb} ${task.id}  ${paint('dim', NEXT[verb])}`]
  })
}

function fileLines(taskId: number, files: readonly OutputFile[], paint: Paint): string[] {
  if (files.length === 0) return []
  const shown = files.slice(0, MAX_FILES).map((file) => `${file.path}  ${paint('dim', formatBytes(file.sizeBytes))}`)
  const more = files.length - shown.length
  const rest = more > 0 ? [paint('dim', `… and ${formatCount(more, 'more file')}: ${COMMAND} outputs ${taskId}`)] : []
  const only = files.length === 1 ? files[0] : undefined
  const how =
    only === undefined ? `${COMMAND} get ${taskId} [file]` : `${COMMAND} get ${taskId} ${quoteWord(only.path)}`
  return [...shown, ...rest, paint('dim', `Get ${only === undefined ? 'them' : 'it'}: ${how}`)]
}

/** What a person decides on: whole commands, control characters written out. */
export function approvalLines(
  task: Task,
  context: { timeZone: string; maxRounds: number | null; sandboxWarning: string | null },
  paint: Paint,
): string[] {
  const terms = context.sandboxWarning === null ? [] : [context.sandboxWarning]
  const view = approvalView(task, task.rounds.at(-1)?.number ?? 0, { ...context, mentions: [], terms, maxChars: ALL })
  if (view === undefined) return []
  const commands = view.commands.flatMap(({ text, badges, reasons }, at) => {
    const [first = '', ...rest] = text.split('\n')
    const marks = badges.length === 0 ? '' : paint('dim', `   [${badges.join(' · ')}]`)
    return [
      `${paint('bold', String(at + 1))}  ${first}${marks}`,
      ...rest.map((line) => `   ${line}`),
      ...reasons.map((reason) => paint('yellow', `   ${oneLine(reason, 300)}`)),
    ]
  })
  const why = view.why === '' ? [] : [`Why: ${view.why}`]
  return [
    paint(['bold', 'yellow'], `✋ ${view.headline} · plan ${view.hash}`),
    ...indent([...commands, ...why, ...view.terms]),
  ]
}

/** A line of the log on a terminal: our own step boundaries are dimmed, and no output can look like one. */
export function logLine(line: { text: string; ours: boolean }, paint: Paint): string {
  const text = cleanTerminal(line.text)
  return line.ours ? paint('dim', text) : text
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `   ${line}`)
}

/** A word that can be pasted into a shell. */
function quoteWord(text: string): string {
  return /^[\w./@+-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", "'\\''")}'`
}
