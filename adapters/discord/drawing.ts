/** What a view looks like on Discord before it is known whether as components or as an embed: texts, colour, buttons. Pure. */
import { assertNever } from '../../src/core/errors.ts'
import { formatBytes } from '../../src/core/format.ts'
import type {
  ApprovalView,
  CardView,
  ControlView,
  MessageView,
  NoticeView,
  ResultView,
  RootView,
  StatusView,
  StepView,
} from '../../src/core/view.ts'
import { drawCommands } from './draw-commands.ts'
import { DISCORD_LIMITS } from './limits.ts'
import { escapeWithin, fence, inlineCode, isSnowflake, mention } from './markdown.ts'

export interface Drawing {
  /** Markdown, each a block of its own; together at most 4 000 characters. */
  texts: readonly string[]
  /** Who is pinged, as far as the texts mention them. */
  mentions: readonly string[]
  /** Null: no coloured box around it. */
  accent: number | null
  controls: readonly ControlView[]
}

const GREY = 0x80848e
const BLUE = 0x5865f2
const AMBER = 0xf0b232
const GREEN = 0x23a55a
const RED = 0xda373c

const ACCENTS: Record<StatusView['status'], number> = {
  pending: GREY,
  planning: BLUE,
  awaiting_approval: AMBER,
  running: BLUE,
  done: GREEN,
  failed: RED,
  cancelled: GREY,
  interrupted: AMBER,
}

const MAX_MENTIONS = 10

export function draw(view: MessageView): Drawing {
  switch (view.kind) {
    case 'root':
      return drawRoot(view)
    case 'card':
      return drawCard(view)
    case 'approval':
      return drawApproval(view)
    case 'result':
      return drawResult(view)
    case 'notice':
      return drawNotice(view)
    default:
      return assertNever(view)
  }
}

function drawRoot({ status, title, byLine }: RootView): Drawing {
  const text = `**${status.icon} ${escapeWithin(title, 400)}**\n-# ${escapeWithin(byLine, 200)}`
  return { texts: [text], mentions: [], accent: null, controls: [] }
}

function drawCard(view: CardView): Drawing {
  // With its number: a thread can have several cards, and they point to each other.
  const title = `**${view.status.icon} ${escapeWithin(view.headline, 240)}** · #${view.taskId}`
  const before = [title, ...small(view.why, 360)]
  const diff = view.diff.length === 0 ? [] : [fence(view.diff, 600, 'diff')]
  const after = [...drawTail(view), ...smallLines(view.notes, 400)]
  const left = DISCORD_LIMITS.displayText - total([...before, ...diff, ...after])
  const texts = [...before, ...diff, ...drawSteps(view.steps, left), ...after]
  return { texts, mentions: [], accent: ACCENTS[view.status.status], controls: view.controls }
}

function drawTail({ tail }: CardView): string[] {
  if (tail === null || tail.lines.length === 0) return tail === null ? [] : small(tail.header, 80)
  return [`-# ${escapeWithin(tail.header, 80)}\n${fence(tail.lines, 1520)}`]
}

/** As many lines as fit; the caller has chosen the window around the step that counts. */
function drawSteps(steps: readonly StepView[], room: number): string[] {
  const lines: string[] = []
  let left = room - '… 99 more'.length
  for (const [at, step] of steps.entries()) {
    const line = stepLine(step)
    left -= line.length + 1
    if (left < 0) {
      lines.push(`… ${steps.length - at} more`)
      break
    }
    lines.push(line)
  }
  return lines.length === 0 ? [] : [lines.join('\n')]
}

function stepLine({ number, mark, command, badges, note }: StepView): string {
  const details = [badges.join(', '), note].filter((part) => part !== '')
  const words = details.length === 0 ? '' : ` ${escapeWithin(details.join(' · '), 120)}`
  return `${mark} ${number} ${inlineCode(command, 104)}${words}`
}

function drawApproval(view: ApprovalView): Drawing {
  const mentions = view.decided === null ? pingable(view.mentions) : []
  const before = [approvalHead(view, mentions), ...plain(view.why, 520)]
  const after = smallLines([...view.terms, `plan ${view.hash}`], 600)
  const left = DISCORD_LIMITS.displayText - total([...before, ...after])
  const texts = [...before, drawCommands(view.commands, left), ...after]
  const accent = view.decided === null ? AMBER : GREY
  return { texts: texts.filter((text) => text !== ''), mentions, accent, controls: view.controls }
}

/** What was decided takes the place of the question. */
function approvalHead(view: ApprovalView, mentions: readonly string[]): string {
  if (view.decided !== null) return `**${escapeWithin(view.decided, 240)}**\n-# Task #${view.taskId}`
  const headline = `✋ **${escapeWithin(view.headline, 240)}**`
  return mentions.length === 0 ? headline : `${headline}\n${mentions.map(mention).join(' ')}`
}

function drawResult(view: ResultView): Drawing {
  const mentions = pingable(view.mention === null ? [] : [view.mention])
  const who = mentions.length === 0 ? '' : ` ${mentions.map(mention).join(' ')}`
  const before = [`${view.status.icon}${who} **${escapeWithin(view.headline, 300)}**`]
  const lines = view.lines.length === 0 ? [] : [fence(view.lines, 1240)]
  const files = drawFiles(view.files, 700)
  const notes = smallLines(view.notes, 400)
  const left = DISCORD_LIMITS.displayText - total([...before, ...lines, ...files, ...notes])
  const texts = [...before, ...plain(view.body, Math.min(left, 3200)), ...lines, ...files, ...notes]
  return { texts, mentions, accent: ACCENTS[view.status.status], controls: view.controls }
}

function drawFiles(files: ResultView['files'], room: number): string[] {
  const lines: string[] = []
  let left = room - '… 9999 more'.length
  for (const [at, file] of files.entries()) {
    const line = `📎 ${inlineCode(file.path, 100)} ${formatBytes(file.sizeBytes)}`
    left -= line.length + 1
    if (left < 0) {
      lines.push(`… ${files.length - at} more`)
      break
    }
    lines.push(line)
  }
  return lines.length === 0 ? [] : [lines.join('\n')]
}

function drawNotice(view: NoticeView): Drawing {
  const mentions = pingable(view.mentions)
  const text = [mentions.map(mention).join(' '), escapeWithin(view.text, 1900)].filter(Boolean).join(' ')
  return { texts: [text], mentions, accent: null, controls: view.controls }
}

function pingable(ids: readonly string[]): string[] {
  return [...new Set(ids)].filter(isSnowflake).slice(0, MAX_MENTIONS)
}

function plain(text: string, max: number): string[] {
  return text.trim() === '' || max < 2 ? [] : [escapeWithin(text, max)]
}

function small(text: string, max: number): string[] {
  return text.trim() === '' ? [] : [`-# ${escapeWithin(text.replace(/\s+/g, ' '), max)}`]
}

/** Small print, one line each, together at most `max`. */
function smallLines(lines: readonly string[], max: number): string[] {
  const kept: string[] = []
  let left = max
  for (const line of lines.flatMap((text) => small(text, Math.min(240, max)))) {
    left -= line.length + 1
    if (left < 0) break
    kept.push(line)
  }
  return kept.length === 0 ? [] : [kept.join('\n')]
}

function total(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0)
}
