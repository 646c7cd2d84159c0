/** What a bench answers, and how it is shown. */
import { styleText } from 'node:util'

/** The middle of several values; half of them lay between `low` and `high`. */
export interface Spread {
  median: number
  low: number
  high: number
}

export interface Goal {
  of: 'ratio' | 'ours'
  atLeast?: number
  atMost?: number
}

/** One figure: ours, where there is one the limit or the peer that was measured in between, and what it should be. */
export interface Figure {
  name: string
  unit: string
  ours: Spread
  /** Named as a person would: 'raw better-sqlite3'. */
  peer?: Spread & { name: string }
  /** Ours by the peer's: for a rate more is better, for a time less. */
  ratio?: Spread
  goal?: Goal
  /** What else to know, in some words. */
  note?: string
}

/** Something that could not be measured here, with what to do about it. */
export interface Skipped {
  name: string
  skipped: string
}

export type Result = Figure | Skipped

export interface Bench {
  run(args: readonly string[]): Promise<readonly Result[]>
}

/** Undefined where there is no goal. */
export function isMet({ goal, ours, ratio }: Figure): boolean | undefined {
  if (goal === undefined) return undefined
  const value = goal.of === 'ours' ? ours.median : ratio?.median
  if (value === undefined) return undefined
  return value >= (goal.atLeast ?? Number.NEGATIVE_INFINITY) && value <= (goal.atMost ?? Number.POSITIVE_INFINITY)
}

const HEADINGS = ['', 'ours', 'limit or peer', 'ratio', 'goal', ''] as const

/** Lines of a table, aligned. */
export function renderTable(results: readonly Result[]): string {
  const rows = [HEADINGS, ...results.map(rowOf)]
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => paint(line.trimEnd()))
    .join('\n')
}

function paint(line: string): string {
  if (line.endsWith('missed')) return styleText('yellow', line)
  return line.endsWith('met') ? styleText('green', line) : line
}

function rowOf(result: Result): readonly string[] {
  if ('skipped' in result) return [result.name, 'skipped', result.skipped, '', '', '']
  const { name, unit, ours, peer, ratio, goal, note } = result
  const met = isMet(result)
  return [
    note === undefined ? name : `${name} (${note})`,
    `${number(ours.median)} ${unit}`,
    peer === undefined ? '' : `${peer.name}: ${number(peer.median)}`,
    ratio === undefined ? '' : `${number(ratio.median)} (${number(ratio.low)}–${number(ratio.high)})`,
    goal === undefined ? '' : renderGoal(goal, unit),
    met === undefined ? '' : met ? 'met' : 'missed',
  ]
}

function renderGoal({ of, atLeast, atMost }: Goal, unit: string): string {
  const sign = atLeast === undefined ? '≤' : '≥'
  return `${sign} ${number(atLeast ?? atMost ?? 0)}${of === 'ours' ? ` ${unit}` : ''}`
}

/** Three digits are all that a shared machine can tell. */
export function number(value: number): string {
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(value < 10 && value >= 1 ? 3 : 2)))
}
