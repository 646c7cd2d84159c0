/** A new message: a plan waits for a decision. What people read here is what will run, nothing dropped, nothing hidden silently. */
import { shortHash } from '../approval.ts'
import { assertNever } from '../errors.ts'
import { formatCount, formatTime } from '../format.ts'
import type { Approval, Person, Round, Task } from '../task.ts'
import { cut, oneLine, visibleControls } from '../text.ts'
import type { ApprovalView } from '../view.ts'
import { decisionControls } from './controls-view.ts'
import { roundWords } from './task-facts.ts'

export interface ApprovalContext {
  /** Platform user ids of who is asked. */
  mentions: readonly string[]
  /** What the sandbox allows, one line each. */
  terms: readonly string[]
  /** UTF-16 units of command text that one message can hold. */
  maxChars: number
  maxRounds: number | null
  /** IANA name. */
  timeZone: string
}

/** Room for the commands when a platform does not say how much it has. */
export const DEFAULT_APPROVAL_CHARS = 2400

/** The approval of round `number`; undefined when the task has no such round. A round that is over shows what was decided. */
export function approvalView(task: Task, number: number, context: ApprovalContext): ApprovalView | undefined {
  const round = task.rounds.find((candidate) => candidate.number === number)
  if (round === undefined) return undefined
  const decided = decision(task, round, context.timeZone)
  const commands = commandViews(round, context.maxChars)
  const hidden = commands.some((command) => command.hidden > 0)
  const words = roundWords(round.number, context.maxRounds)
  return {
    kind: 'approval',
    taskId: task.id,
    mentions: decided === null ? context.mentions : [],
    headline: `Task #${task.id} needs approval: ${formatCount(commands.length, 'command')}${words === '' ? '' : ` (${words})`}`,
    why: oneLine(round.repairOf ?? round.plan.summary, 500),
    commands,
    terms: [...networkTerms(round), ...context.terms, ...(hidden ? ['Edit plan shows the commands in full.'] : [])],
    hash: shortHash(round.hash),
    decided,
    controls: decided === null ? decisionControls(task) : [],
  }
}

/** Short commands are shown whole; what they leave is shared by the long ones. */
function commandViews(round: Round, maxChars: number): ApprovalView['commands'] {
  const texts = round.plan.commands.map(visibleControls)
  const room = roomPerCommand(
    texts.map((text) => text.length),
    maxChars,
  )
  return texts.map((text, index) => {
    const verdict = round.verdict.steps[index]
    return { ...cut(text, room), badges: verdict?.badges ?? [], reasons: verdict?.reasons ?? [] }
  })
}

/** The largest length to which all can be cut so that together they fit. */
export function roomPerCommand(lengths: readonly number[], total: number): number {
  let left = total
  const sorted = lengths.toSorted((a, b) => a - b)
  for (const [index, length] of sorted.entries()) {
    const share = Math.floor(left / (sorted.length - index))
    if (length > share) return share
    left -= length
  }
  return sorted.at(-1) ?? 0
}

function networkTerms({ plan }: Round): string[] {
  if (plan.network === null) return []
  const hosts =
    plan.network.hosts.length === 0 ? 'no host is named, so none can be reached' : plan.network.hosts.join(', ')
  const reason = oneLine(plan.network.reason, 300)
  return [`Asks for the network: ${oneLine(hosts, 300)}${reason === '' ? '' : ` (${reason})`}.`]
}

/** "Approved by Ana, 14:02 · plan 7f3a9c01"; null while it waits. */
function decision(task: Task, round: Round, timeZone: string): string | null {
  const plan = `plan ${shortHash(round.hash)}`
  const { approval } = task
  if (approval === null || approval.round !== round.number) return `Decided · ${plan}`
  if (approval.decision === null) return endedUndecided(task, plan)
  return `${decisionWords(approval, timeZone)} · ${plan}`
}

function endedUndecided(task: Task, plan: string): string | null {
  if (task.status === 'awaiting_approval' && task.cancelRequestedBy === null) return null
  return task.status === 'cancelled' ? `Cancelled${by(task.cancellation.by)} · ${plan}` : `No longer waiting · ${plan}`
}

function decisionWords(approval: Approval, timeZone: string): string {
  const time = approval.decidedAt === null ? '' : `, ${formatTime(approval.decidedAt, timeZone)}`
  const { decision: kind } = approval
  switch (kind) {
    case 'approved':
      return `✅ Approved${by(approval.by)}${time}`
    case 'rejected':
      return `🛑 Rejected${by(approval.by)}${time}${approval.note ? `: ${oneLine(approval.note, 200)}` : ''}`
    case 'expired':
      return 'Expired: nobody decided in time'
    case 'superseded':
      return `Superseded${by(approval.by)}${time}`
    case null:
      return ''
    default:
      return assertNever(kind)
  }
}

function by(person: Person | null): string {
  return person === null ? '' : ` by ${oneLine(person.name, 60)}`
}
