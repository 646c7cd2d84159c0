import type { Redactor } from './redact.ts'

/** The same data with secrets hidden in every string of it, however deep. For plain data: what JSON can hold. */
export function redactValue<T>(value: T, redactor: Redactor): T {
  // The one cast: text stays text, a list a list and an object an object, key by key.
  return redacted(value, redactor) as T
}

function redacted(value: unknown, redactor: Redactor): unknown {
  if (typeof value === 'string') return redactor.text(value).text
  if (Array.isArray(value)) return value.map((each) => redacted(each, redactor))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, redacted(each, redactor)]))
}
