/** A chat of plain lines in memory: the third adapter, and the measure of how little a new one needs. */
import { buffer } from 'node:stream/consumers'
import { encodeControl } from '../../src/core/controls.ts'
import { formatBytes } from '../../src/core/format.ts'
import type { Place } from '../../src/core/task.ts'
import type { ControlView, MessageView, StatusView } from '../../src/core/view.ts'
import { AdapterError, type ChatAdapter, type ChatLimits, type UploadFile } from '../../src/ports/chat-adapter.ts'

export interface ConsoleMessage {
  key: string
  place: Place
  ref: string
  view: MessageView
  text: string
  silent: boolean
  deleted: boolean
}

export interface ConsoleUpload {
  key: string
  place: Place
  comment: string
  files: { name: string; bytes: Buffer }[]
}

/** `before` a call counts, `after` it has been carried out. Throw to break the call; wait to slow it down. */
export interface ConsoleFaults {
  before?(call: ConsoleCall): void | Promise<void>
  after?(call: ConsoleCall): void | Promise<void>
}

export interface ConsoleCall {
  kind: 'post' | 'edit' | 'upload'
  placeKey: string
  text: string
}

export interface ConsoleAdapter extends ChatAdapter {
  readonly messages: readonly ConsoleMessage[]
  readonly uploads: readonly ConsoleUpload[]
  /** "icon placeKey", in order. */
  readonly marks: readonly string[]
  /** Every call that the platform carried out, in order. */
  readonly calls: readonly ConsoleCall[]
  faults: ConsoleFaults
  /** Each new message takes until it has settled. */
  holdPosts: Promise<void> | undefined
  /** Each mark takes until it has settled. */
  holdMarks: Promise<void> | undefined
  limits: ChatLimits
  delete(ref: string): void
}

const LIMITS: ChatLimits = {
  maxFiles: 10,
  maxUploadBytes: 20_000_000,
  minEditIntervalMs: (liveCards) => Math.max(3000, 1500 * liveCards),
  editBudget: 'shared',
  maxEditAgeMs: null,
}

export function consoleAdapter(): ConsoleAdapter {
  const messages: ConsoleMessage[] = []
  const uploads: ConsoleUpload[] = []
  const marks: string[] = []
  const calls: ConsoleCall[] = []

  async function carryOut<T>(call: ConsoleCall, action: () => T): Promise<T> {
    await adapter.faults.before?.(call)
    const result = action()
    calls.push(call)
    await adapter.faults.after?.(call)
    return result
  }

  function append(place: Place, view: MessageView, options: { key: string; silent: boolean }): ConsoleMessage {
    const before = messages.find((message) => message.key === options.key && !message.deleted)
    if (before !== undefined) return before
    const ref = String(messages.length)
    const thread = place.thread ? place : { ...place, key: `${place.key}/${ref}`, thread: true }
    const message = { ...options, place: thread, ref, view, text: renderLines(view), deleted: false }
    messages.push(message)
    return message
  }

  const adapter: ConsoleAdapter = {
    name: 'console',
    limits: LIMITS,
    faults: {},
    holdPosts: undefined,
    holdMarks: undefined,
    messages,
    uploads,
    marks,
    calls,
    start: async () => undefined,
    health: () => ({ ok: true, problem: '' }),
    async post(place, view, options) {
      await adapter.holdPosts
      const call = { kind: 'post', placeKey: place.key, text: renderLines(view) } as const
      const message = await carryOut(call, () => append(place, view, options))
      return { ref: message.ref, place: message.place }
    },
    async edit(ref, view) {
      const message = messages[Number(ref)]
      const text = renderLines(view)
      await carryOut({ kind: 'edit', placeKey: message?.place.key ?? '', text }, () => {
        if (message === undefined || message.deleted) throw new AdapterError('message_gone', 'The message is gone.')
        Object.assign(message, { view, text })
      })
    },
    async upload(place, files, { key, comment }) {
      const read = await Promise.all(files.map(readFile))
      return carryOut({ kind: 'upload', placeKey: place.key, text: comment }, () => {
        if (!uploads.some((upload) => upload.key === key)) uploads.push({ key, place, comment, files: read })
        return key
      })
    },
    async mark(place: Place, status: StatusView) {
      marks.push(`${status.icon} ${place.key}`)
      await adapter.holdMarks
    },
    fetchInput: () => Promise.reject(new AdapterError('invalid', 'There are no attachments here.')),
    delete(ref) {
      const message = messages[Number(ref)]
      if (message !== undefined) message.deleted = true
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
  return adapter
}

async function readFile(file: UploadFile): Promise<{ name: string; bytes: Buffer }> {
  return { name: file.name, bytes: await buffer(await file.open()) }
}

/** The view as lines: all that an adapter without blocks needs. */
export function renderLines(view: MessageView): string {
  return [...linesOf(view), ...buttonLine('controls' in view ? view.controls : [])]
    .filter((line) => line !== '')
    .join('\n')
}

function linesOf(view: MessageView): readonly string[] {
  switch (view.kind) {
    case 'root':
      return [`${view.status.icon} ${view.title}`, view.byLine]
    case 'card':
      return [
        `${view.status.icon} ${view.headline}`,
        view.why,
        ...view.diff,
        ...view.steps.map((step) =>
          `${step.mark} ${step.number} ${step.command} ${step.badges.join(', ')} ${step.note}`.trimEnd(),
        ),
        ...(view.tail === null ? [] : [view.tail.header, ...view.tail.lines]),
        ...view.notes,
      ]
    case 'approval':
      return [
        mentionLine(view.mentions),
        `✋ ${view.headline}`,
        view.why,
        ...view.commands.flatMap(({ text, hidden, badges, reasons }) => {
          return [`$ ${text}${hidden > 0 ? `… (${hidden} more characters)` : ''}`, ...badges, ...reasons]
        }),
        ...view.terms,
        view.decided ?? '',
      ]
    case 'result':
      return [
        mentionLine(view.mention === null ? [] : [view.mention]),
        `${view.status.icon} ${view.headline}`,
        view.body,
        ...view.lines,
        ...view.files.map((file) => `📎 ${file.path} (${formatBytes(file.sizeBytes)})`),
        ...view.notes,
      ]
    case 'notice':
      return [mentionLine(view.mentions), view.text]
  }
}

function mentionLine(mentions: readonly string[]): string {
  return mentions.map((id) => `@${id}`).join(' ')
}

function buttonLine(controls: readonly ControlView[]): readonly string[] {
  return controls.length === 0
    ? []
    : [controls.map(({ control, label }) => `[${label}](${encodeControl(control)})`).join(' ')]
}
