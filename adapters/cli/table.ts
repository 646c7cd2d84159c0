import { textWidth } from './text-width.ts'

export interface Column {
  title: string
  align?: 'left' | 'right'
  /** Takes what width is left and is cut to it; one column at most. */
  flexible?: boolean
}

/** Lines of a table no wider than `width` columns, whatever the cells hold. Cells are one line each. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const all = [columns.map((column) => column.title), ...rows]
  const widths = columns.map((_, at) => Math.max(...all.map((row) => textWidth(row[at] ?? ''))))
  const flexible = columns.findIndex((column) => column.flexible === true)
  if (flexible >= 0 && Number.isFinite(width)) {
    const others = widths.reduce((sum, each, at) => (at === flexible ? sum : sum + each), 2 * (columns.length - 1))
    widths[flexible] = Math.max(8, Math.min(widths[flexible] ?? 0, width - others))
  }
  return all.map((row) => {
    const cells = columns.map(({ align }, at) => pad(row[at] ?? '', widths[at] ?? 0, align ?? 'left'))
    return cutToWidth(cells.join('  ').trimEnd(), width)
  })
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const shown = cutToWidth(text, width)
  const space = ' '.repeat(Math.max(0, width - textWidth(shown)))
  return align === 'left' ? shown + space : space + shown
}

/** At most `width` columns of a terminal, the last an ellipsis when something was cut. Whole characters only. */
export function cutToWidth(text: string, width: number): string {
  if (!Number.isFinite(width) || textWidth(text) <= width) return text
  let shown = ''
  let used = 0
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)) {
    used += textWidth(segment)
    if (used > width - 1) break
    shown += segment
  }
  return `${shown}…`
}
