/**
 * A task of a list as SQLite itself writes it: what `JSON.stringify(summaryJson(task))` answers, to the byte, for less than that costs.
 * `json_quote` escapes as JSON.stringify does; the parts of a column that holds JSON were written by that and stay as they are.
 */
import type { TaskSummaryJson } from '../core/task-json.ts'

type Part = { text: string } | { sql: string }

const FIELDS = {
  id: json`${'id'}`,
  description: json`${'json_quote(description)'}`,
  // The table knows their few words: nothing in them has to be escaped.
  kind: json`"${'kind'}"`,
  status: json`"${'status'}"`,
  parent_id: json`${"ifnull(parent_id, 'null')"}`,
  after_id: json`${"iif(waits = 1, after_id, 'null')"}`,
  requester: object({
    platform: json`${'json_quote(requester_platform)'}`,
    id: json`${'json_quote(requester_user)'}`,
    name: json`${'json_quote(requester_name)'}`,
  }),
  model: json`${'json_quote(model)'}`,
  round: json`${'round'}`,
  cancel_requested_by: orNull(
    'cancel_by',
    object({
      platform: json`${"cancel_by -> 'platform'"}`,
      id: json`${"cancel_by -> 'userId'"}`,
      name: json`${"cancel_by -> 'name'"}`,
    }),
  ),
  created_at: time('created_at'),
  updated_at: time('updated_at'),
  started_at: timeOrNull('started_at'),
  ended_at: timeOrNull('ended_at'),
} as const satisfies Record<keyof TaskSummaryJson, readonly Part[]>

/** An expression over the columns of `task`. */
export const SUMMARY_JSON = concat(object(FIELDS))

/** JSON as it will be, with the SQL of what is in between. */
function json(texts: TemplateStringsArray, ...values: readonly string[]): Part[] {
  return texts.flatMap((text, index) => {
    const sql = values[index]
    return sql === undefined ? [{ text }] : [{ text }, { sql }]
  })
}

function object(fields: Readonly<Record<string, readonly Part[]>>): Part[] {
  const members = Object.entries(fields).flatMap(([name, value], index) => [
    { text: `${index === 0 ? '{' : ','}"${name}":` },
    ...value,
  ])
  return [...members, { text: '}' }]
}

function orNull(column: string, value: readonly Part[]): Part[] {
  return [{ sql: `iif(${column} IS NULL, 'null', ${concat(value)})` }]
}

/** As `isoTime` writes it. From a Julian day: from 'unixepoch', or with strftime, it takes several times as long. */
function time(column: string): Part[] {
  return json`"${dateOf(column)}T${timeOf(column)}Z"`
}

/** The date and the time of nothing are NULL, which `concat` passes over. A text of their own, as `orNull` makes one, would be copied once more. */
function timeOrNull(column: string): Part[] {
  const ifThere = (text: string, otherwise: string) => `iif(${column} IS NULL, ${otherwise}, '${text}')`
  const [open, t, z] = [ifThere('"', "'null'"), ifThere('T', 'NULL'), ifThere('Z"', 'NULL')]
  return json`${open}${dateOf(column)}${t}${timeOf(column)}${z}`
}

function dateOf(column: string): string {
  return `date(${julianDay(column)})`
}

function timeOf(column: string): string {
  return `time(${julianDay(column)}, 'subsec')`
}

function julianDay(column: string): string {
  return `2440587.5 + ${column} / 86400000.0`
}

/** One call with as few arguments as can be: a text made on the way would be copied once more, and each argument costs as much as its text. */
function concat(parts: readonly Part[]): string {
  const values: string[] = []
  let text = ''
  for (const part of parts) {
    if ('text' in part) text += part.text
    else {
      values.push(...quoted(text), part.sql)
      text = ''
    }
  }
  return `concat(${[...values, ...quoted(text)].join(', ')})`
}

function quoted(text: string): string[] {
  return text === '' ? [] : [`'${text}'`]
}
