import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isoTime } from '../../src/core/iso-time.ts'

test('a time is written as Date writes it, whatever the day, before 1970 and with parts of a millisecond', () => {
  const times = fc.oneof(fc.double({ min: -8.64e15, max: 8.64e15, noNaN: true }), fc.integer({ min: 0, max: 4e12 }))
  fc.assert(fc.property(times, (ms) => isoTime(ms) === new Date(ms).toISOString()))
  expect([0, 86_399_999, 86_400_000, -1].map(isoTime)).toEqual(
    [0, 86_399_999, 86_400_000, -1].map((ms) => new Date(ms).toISOString()),
  )
})

test('what is no time is refused and does not spoil the next', () => {
  expect(() => isoTime(Number.NaN)).toThrow(RangeError)
  expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z')
})
