/**
 * Views to Block Kit. Pure, and within Slack's limits by construction.
 * Commands and output go into rich text, which Slack never reads as markup; everything else is escaped.
 */
import { assertNever } from '../../src/core/errors.ts'
import { formatBytes } from '../../src/core/format.ts'
import { cut, neutralizeFences, withEllipsis } from '../../src/core/text.ts'
import type {
  ApprovalView,
  CardView,
  FileView,
  MessageView,
  NoticeView,
  ResultView,
  RootView,
  StepView,
} from '../../src/core/view.ts'
import {
  context,
  controlRow,
  escapeText,
  escapeWithin,
  inline,
  mention,
  plain,
  preformatted,
  type RichElement,
  richLine,
  richText,
  type SlackBlock,
  section,
  wholeFences,
} from './blocks.ts'
import { LIMITS } from './limits.ts'

export interface SlackMessage {
  /** For notifications and screen readers. */
  text: string
  blocks: SlackBlock[]
}

export function renderView(view: MessageView): SlackMessage {
  switch (view.kind) {
    case 'root':
      return renderRoot(view)
    case 'card':
      return renderCard(view)
    case 'approval':
      return renderApproval(view)
    case 'result':
      return renderResult(view)
    case 'notice':
      return renderNotice(view)
    default:
      return assertNever(view)
  }
}

/** What is left when Slack refuses the whole view: one line, and the buttons. */
export function renderSmaller(view: MessageView): SlackMessage {
  const text = summary(view)
  const lines =
    view.kind === 'approval' ? [section(escapeText('The plan is too large to show here: *Edit plan* shows it.'))] : []
  return { text, blocks: [section(text), ...lines, ...controlRow(controlsOf(view))] }
}

function controlsOf(view: MessageView): CardView['controls'] {
  return view.kind === 'root' ? [] : view.controls
}

/** One escaped line. */
function summary(view: MessageView): string {
  switch (view.kind) {
    case 'root':
      return inline(`${view.status.icon} ${view.title}`, LIMITS.text)
    case 'card':
      return inline(`${view.status.icon} Task #${view.taskId}: ${view.headline}`, LIMITS.text)
    case 'approval':
      return view.decided === null
        ? `${mentions(view.mentions)}${inline(`✋ ${view.headline}`, LIMITS.text)}`
        : inline(`Task #${view.taskId}: ${view.decided}`, LIMITS.text)
    case 'result':
      return `${mentions([view.mention])}${inline(`${view.status.icon} ${view.headline}`, LIMITS.text)}`
    case 'notice':
      return `${mentions(view.mentions)}${inline(view.text, LIMITS.text)}`
    default:
      return assertNever(view)
  }
}

function renderRoot(view: RootView): SlackMessage {
  const title = inline(view.title, LIMITS.sectionText - 20)
  return { text: summary(view), blocks: [section(`${view.status.icon} *${title}*`), ...context([view.byLine])] }
}

function renderCard(view: CardView): SlackMessage {
  const headline = inline(view.headline, 500)
  return {
    text: summary(view),
    blocks: [
      section(`${view.status.icon} *Task #${view.taskId}* · ${headline}`),
      ...stepList(view.steps),
      ...(view.diff.length === 0 ? [] : richText([preformatted(withEllipsis(view.diff.join('\n'), 2000))])),
      ...(view.why === '' ? [] : context([view.why])),
      ...tail(view),
      ...context(view.notes),
      ...controlRow(view.controls),
    ],
  }
}

const MAX_COMMAND = 120

function stepList(steps: readonly StepView[]): SlackBlock[] {
  const lines = steps.map((step, index) => {
    const note = [step.note, step.badges.join(', ')].filter((part) => part !== '').join(' · ')
    const elements: RichElement[] = [
      plain(`${index === 0 ? '' : '\n'}${step.mark} ${step.number}  `),
      plain(withEllipsis(step.command, MAX_COMMAND) || ' ', { code: true }),
      plain(note === '' ? '' : `  ${note}`),
    ]
    return elements
  })
  return lines.length === 0 ? [] : richText([richLine(lines.flat())])
}

function tail({ tail: view }: CardView): SlackBlock[] {
  if (view === null || view.lines.length === 0) return []
  const text = withEllipsis(view.lines.join('\n'), 1600)
  return richText([richLine([plain(view.header, { italic: true })]), preformatted(text)])
}

function renderApproval(view: ApprovalView): SlackMessage {
  const title = inline(view.headline, 300)
  const head =
    view.decided === null
      ? `✋ ${mentions(view.mentions)}*${title}*`
      : `*${inline(view.decided, 500)}*\nTask #${view.taskId}`
  return {
    text: summary(view),
    blocks: [
      section(head),
      ...(view.why === '' ? [] : [section(inline(view.why, 600))]),
      ...richText(commandParts(view.commands)),
      ...context([...view.terms.slice(0, 4), `plan ${view.hash}`]),
      ...controlRow(view.controls),
    ],
  }
}

/** Characters of commands, and of what is said about them, in one message. */
const APPROVAL_ROOM = { commands: 6500, words: 2000, maxWords: 300 } as const

/** Each command in full as far as the room goes; what is not shown is always counted. */
function commandParts(commands: ApprovalView['commands']): Parameters<typeof richText>[0] {
  const wordRoom = Math.min(APPROVAL_ROOM.maxWords, Math.floor(APPROVAL_ROOM.words / Math.max(1, commands.length)))
  let room: number = APPROVAL_ROOM.commands
  return commands.flatMap((command, index) => {
    const shown = cut(command.text, room)
    room -= shown.text.length
    const hidden = command.hidden + shown.hidden
    const words = withEllipsis(
      [command.badges.join(', '), ...command.reasons].filter((word) => word !== '').join(' · '),
      wordRoom,
    )
    const note = hidden === 0 ? '' : ` · ${hidden} characters hidden`
    const label = richLine([plain(`${index + 1}  ${words}${note}`)])
    return shown.text === '' ? [label] : [label, preformatted(shown.text)]
  })
}

function renderResult(view: ResultView): SlackMessage {
  const head = `${view.status.icon} ${mentions([view.mention])}*${inline(view.headline, 1000)}*`
  return {
    text: summary(view),
    blocks: [
      section(head),
      ...(view.body === ''
        ? []
        : [section(wholeFences(escapeWithin(view.body, LIMITS.sectionText - 10), LIMITS.sectionText))]),
      ...(view.lines.length === 0
        ? []
        : richText([preformatted(withEllipsis(neutralizeFences(view.lines.join('\n')), 2000))])),
      ...fileList(view.files),
      ...context(view.notes),
      ...controlRow(view.controls),
    ],
  }
}

function fileList(files: readonly FileView[]): SlackBlock[] {
  const shown = files.slice(0, LIMITS.files)
  const lines = shown.map((file) => `📎 ${withEllipsis(file.path, 150)} · ${formatBytes(file.sizeBytes)}`)
  const rest = files.length > shown.length ? [`… and ${files.length - shown.length} more`] : []
  return lines.length === 0 ? [] : richText([richLine([plain([...lines, ...rest].join('\n'))])])
}

function renderNotice(view: NoticeView): SlackMessage {
  const text = `${mentions(view.mentions)}${inline(view.text, LIMITS.sectionText - 300)}`
  return { text: summary(view), blocks: [section(text), ...controlRow(view.controls)] }
}

/** "<@U1> <@U2> ", at most ten. */
function mentions(userIds: readonly (string | null)[]): string {
  const all = userIds.flatMap((id) => (id === null ? [] : [mention(id)])).filter((text) => text !== '')
  return all.length === 0 ? '' : `${all.slice(0, 10).join(' ')} `
}
