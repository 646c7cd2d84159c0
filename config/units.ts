/** Settings as people write them: "10 min", "512 MB", "a, b". */
import { z } from 'zod'

const DURATIONS: Record<string, number> = { ms: 1, s: 1000, min: 60_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZES: Record<string, number> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

/** Milliseconds, from "500 ms", "30 s", "10 min", "24 h", "7 d". */
export function duration(fallback: string, bounds: { min: string; max: string }) {
  return quantity(fallback, bounds, DURATIONS, 'a time such as "30 s", "10 min" or "24 h"')
}

/** Bytes, from "64 KB", "512 MB", "2 GB" (1 KB is 1 024 bytes). */
export function size(fallback: string, bounds: { min: string; max: string }) {
  return quantity(fallback, bounds, SIZES, 'a size such as "512 MB" or "2 GB"')
}

export function wholeNumber(fallback: number, bounds: { min: number; max: number }) {
  const expected = `a whole number from ${bounds.min} to ${bounds.max}`
  return z
    .preprocess(
      numberFrom,
      z
        .int({ error: `expected ${expected}` })
        .min(bounds.min, `expected ${expected}`)
        .max(bounds.max, `expected ${expected}`),
    )
    .default(fallback)
}

export function onOff(fallback: boolean) {
  return z.preprocess(booleanFrom, z.boolean({ error: 'expected true or false' })).default(fallback)
}

/** A list, in a variable separated by commas. */
export function list() {
  return z
    .preprocess(listFrom, z.array(z.string(), { error: 'expected a list, in a variable separated by commas' }))
    .default([])
}

function quantity(
  fallback: string,
  bounds: { min: string; max: string },
  units: Record<string, number>,
  expected: string,
) {
  const range = `expected ${expected}, from ${bounds.min} to ${bounds.max}`
  const read = (text: string) => parseQuantity(text, units)
  const least = read(bounds.min) ?? 0
  const most = read(bounds.max) ?? Number.MAX_SAFE_INTEGER
  return z
    .string({ error: range })
    .transform((text) => read(text))
    .refine((value): value is number => value !== undefined && value >= least && value <= most, { error: range })
    .prefault(fallback)
}

function parseQuantity(text: string, units: Record<string, number>): number | undefined {
  const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*$/i.exec(text)
  const unit = units[match?.[2]?.toLowerCase() ?? '']
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit)
}

function numberFrom(value: unknown): unknown {
  return typeof value === 'string' && /^-?[0-9]+$/.test(value.trim()) ? Number(value) : value
}

function booleanFrom(value: unknown): unknown {
  if (value === 'true' || value === '1' || value === 'on') return true
  if (value === 'false' || value === '0' || value === 'off') return false
  return value
}

function listFrom(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
