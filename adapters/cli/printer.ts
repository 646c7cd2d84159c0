/** The only way to stdout and stderr. Text from outside comes cleaned from the renderers; JSON is escaped here. */
import { styleText } from 'node:util'
import type { CliDeps, TextStream } from './deps.ts'

export type Style = Parameters<typeof styleText>[0]

export interface Printer {
  /** A person looks at stdout. */
  readonly isTerminal: boolean
  /** Columns to fill; Infinity where nobody counts them. */
  readonly width: number
  line(text: string): void
  /** One JSON value on a line of its own. */
  json(value: object): void
  /** For people, beside the result: on stderr. */
  note(text: string): void
  /** Colours on a terminal that wants them, nothing elsewhere. */
  style(style: Style, text: string): string
}

export function createPrinter({ stdout, stderr }: Pick<CliDeps, 'stdout' | 'stderr'>): Printer {
  return {
    get isTerminal() {
      return stdout.isTTY === true
    },
    get width() {
      return stdout.isTTY === true ? (stdout.columns ?? 80) : Number.POSITIVE_INFINITY
    },
    line: (text) => void stdout.write(`${text}\n`),
    json: (value) => void stdout.write(`${escapeJson(JSON.stringify(value))}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    style: (style, text) => paint(stdout, style, text),
  }
}

/** Node decides whether the stream wants colours: NO_COLOR, FORCE_COLOR, the terminal. */
export function paint(stream: TextStream, style: Style, text: string): string {
  return stream.isTTY === true ? styleText(style, text, { stream }) : text
}

/** JSON.stringify leaves C1 controls and direction marks as they are, which a terminal would obey. */
function escapeJson(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
    Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )
}
