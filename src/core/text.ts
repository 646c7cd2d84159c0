/**
 * Text from users, models and commands, made safe to show. Pure, and linear in the length of the text.
 * Nothing here escapes for a platform: an adapter's render does that, after this.
 */

/** Control and format characters, lone surrogates, line and paragraph separators, and whatever else draws as nothing. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/u
const INVISIBLES = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/gu
/** Those, and spaces that look like a plain one and are not: a shell does not split words at them. */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]|(?! )\p{Zs}/gu
const EMOJI_STYLE = '\uFE0F'
const TAB_WIDTH = 8

/** What a terminal would show: escapes dropped, carriage returns and backspaces carried out, invisible characters gone. Only `\n` splits lines. */
export function cleanTerminal(text: string): string {
  return text.split('\n').map(cleanLine).join('\n')
}

function cleanLine(line: string): string {
  return INVISIBLE.test(line) ? renderLine(line) : line
}

/** One line of a terminal: a row of cells and a cursor. An escape that is not finished ends with its line, so it can hide no more than that. */
function renderLine(line: string): string {
  const cells: string[] = []
  let column = 0
  for (let at = 0; at < line.length; ) {
    const char = String.fromCodePoint(line.codePointAt(at) ?? 0)
    if (isEscape(char)) {
      const { end, erase } = readEscape(line, at)
      if (erase !== null) eraseLine(cells, column, erase)
      at = end
    } else {
      column = typeChar(cells, column, char)
      at += char.length
    }
  }
  return Array.from(cells, (cell) => cell ?? ' ')
    .join('')
    .trimEnd()
}

/** Answers where the cursor is afterwards. */
function typeChar(cells: string[], column: number, char: string): number {
  if (char === '\r') return 0
  if (char === '\b') return Math.max(0, column - 1)
  if (char === '\t') return typeTab(cells, column)
  if (!isShown(char)) return column
  cells[column] = char.isWellFormed() ? char : '\uFFFD'
  return column + 1
}

function typeTab(cells: string[], column: number): number {
  const end = column + TAB_WIDTH - (column % TAB_WIDTH)
  for (let at = column; at < end; at++) cells[at] ??= ' '
  return end
}

function isShown(char: string): boolean {
  return char === EMOJI_STYLE || !INVISIBLE.test(char) || !char.isWellFormed()
}

function eraseLine(cells: string[], column: number, part: 'right' | 'left' | 'all'): void {
  if (part === 'right') cells.length = Math.min(cells.length, column)
  else cells.fill(' ', 0, part === 'left' ? Math.min(cells.length, column + 1) : cells.length)
}

const ESC = '\u001b'
const STRING_OPENERS = new Set([']', 'P', 'X', '^', '_'])
const C1_STRING_OPENERS = new Set(['\u0090', '\u0098', '\u009d', '\u009e', '\u009f'])
const C1_CSI = '\u009b'
const C1_END = '\u009c'
const BELL = '\u0007'

function isEscape(char: string): boolean {
  return char === ESC || char === C1_CSI || C1_STRING_OPENERS.has(char)
}

interface Escape {
  end: number
  erase: 'right' | 'left' | 'all' | null
}

function readEscape(line: string, start: number): Escape {
  const first = line.charAt(start)
  if (first === C1_CSI) return readCsi(line, start + 1)
  if (first !== ESC) return { end: endOfString(line, start + 1), erase: null }
  const second = line.charAt(start + 1)
  if (second === '[') return readCsi(line, start + 2)
  if (STRING_OPENERS.has(second)) return { end: endOfString(line, start + 2), erase: null }
  const body = skipWhile(line, start + 1, ' ', '/')
  return { end: isBetween(line.charAt(body), '0', '~') ? body + 1 : body, erase: null }
}

function readCsi(line: string, start: number): Escape {
  const intermediate = skipWhile(line, start, '0', '?')
  const final = skipWhile(line, intermediate, ' ', '/')
  const isComplete = isBetween(line.charAt(final), '@', '~')
  const erase = line.charAt(final) === 'K' ? eraseOf(line.slice(start, intermediate)) : null
  return { end: isComplete ? final + 1 : final, erase }
}

function eraseOf(parameter: string): Escape['erase'] {
  if (parameter === '' || parameter === '0') return 'right'
  return parameter === '1' ? 'left' : 'all'
}

/** Operating system commands and the like: up to BEL, ST, the next escape or the end of the line. */
function endOfString(line: string, start: number): number {
  for (let at = start; at < line.length; at++) {
    const char = line.charAt(at)
    if (char === BELL || char === C1_END) return at + 1
    if (char === ESC) return line.charAt(at + 1) === '\\' ? at + 2 : at
  }
  return line.length
}

function skipWhile(line: string, start: number, from: string, to: string): number {
  let at = start
  while (isBetween(line.charAt(at), from, to)) at++
  return at
}

function isBetween(char: string, from: string, to: string): boolean {
  return char !== '' && char >= from && char <= to
}

/** For text that a person approves: every deceptive character written out, nothing dropped. Line breaks stay. */
export function visibleControls(text: string): string {
  return text.replace(DECEPTIVE, (char) => (char === '\n' ? char : writtenOut(char)))
}

const SHORT_NAMES: Readonly<Record<string, string>> = { '\t': '\\t', '\r': '\\r', '\b': '\\b', '\u001b': '\\e' }

function writtenOut(char: string): string {
  return SHORT_NAMES[char] ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}}`
}

/** One line of at most `max` UTF-16 units: white space collapsed, invisible characters gone, the end cut with an ellipsis. */
export function oneLine(text: string, max: number): string {
  // Cut before the work: a megabyte of description must not be cleaned for a title of a hundred characters.
  const near = text.slice(0, max * 8)
  const line = cleanTerminal(near).replace(INVISIBLES, dropOrSpace).replace(/\s+/g, ' ').trim()
  return withEllipsis(near.length < text.length ? `${line} …` : line, max)
}

function dropOrSpace(char: string): string {
  if (char === EMOJI_STYLE) return char
  return char === '\n' ? ' ' : ''
}

/** At most `max` UTF-16 units, the last of them an ellipsis when something was cut. */
export function withEllipsis(text: string, max: number): string {
  return text.length <= max ? text : `${safeSlice(text, Math.max(0, max - 1))}…`
}

/** The first part of the text, and how many UTF-16 units of it are not shown. */
export function cut(text: string, max: number): { text: string; hidden: number } {
  const kept = safeSlice(text, max)
  return { text: kept, hidden: text.length - kept.length }
}

/** The same as one text that says how much is missing: "… (1234 more characters)". The note comes on top of `max`. */
export function cutWithNote(text: string, max: number): string {
  const { text: kept, hidden } = cut(text, max)
  return hidden === 0 ? text : `${kept}… (${hidden} more characters)`
}

/** The first `max` UTF-16 units, one less where that would halve a character. */
export function safeSlice(text: string, max: number): string {
  if (text.length <= max) return text
  const last = text.charCodeAt(max - 1)
  const isHighSurrogate = last >= 0xd800 && last <= 0xdbff
  return text.slice(0, isHighSurrogate ? max - 1 : max)
}

export interface TailBounds {
  maxLines: number
  maxChars: number
}

export const TAIL_BOUNDS: TailBounds = { maxLines: 15, maxChars: 1500 }
const MAX_TAIL_LINE = 300

/** The last lines that fit, cleaned; each line at most 300 characters; line breaks count. Empty lines at the end are left out. */
export function boundedTail(lines: readonly string[], bounds: TailBounds = TAIL_BOUNDS): string[] {
  const kept: string[] = []
  let left = bounds.maxChars
  for (let at = lines.length - 1; at >= 0 && kept.length < bounds.maxLines && left > 0; at--) {
    const line = tailLine(lines[at] ?? '')
    if (line === '' && kept.length === 0) continue
    const shown = withEllipsis(line, left)
    kept.push(shown)
    left -= shown.length + 1
  }
  return kept.reverse()
}

/** A line of output that may stand in a chat message or a report: cleaned, without fences, without anything like our own tag. */
export function tailLine(text: string): string {
  // A progress bar may be megabytes long before its line ends: what counts is at the end.
  const near = text.length > 20_000 ? text.slice(-20_000) : text
  return withEllipsis(neutralizeTags(neutralizeFences(cleanTerminal(near).replaceAll('\n', ' '))), MAX_TAIL_LINE)
}

/** Runs of three and more back-ticks become letters that look alike and close no code block. */
export function neutralizeFences(text: string): string {
  return text.replace(/`{3,}/g, (run) => 'ˋ'.repeat(run.length))
}

/** `[TASK 7]` belongs to us: in text from outside it becomes `(TASK 7)`, so that no output can pass for another task's line. */
export function neutralizeTags(text: string): string {
  return text.replace(/\[([^\S\n]?TASK[^\S\n]?[0-9]{0,16}[^\S\n]?)\]/gi, '($1)')
}
