import { expect, it } from 'vitest'
import {
  formatAge,
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatEstimate,
  formatOrdinal,
  formatTime,
} from '../../src/core/format.ts'

it('formats times as people read them', () => {
  expect([0, 48_400, 72_000, 3_723_000, -5].map(formatClock)).toEqual(['0:00', '0:48', '1:12', '1:02:03', '0:00'])
  expect([49, 100, 9_940, 10_000, 124_000].map(formatDuration)).toEqual(['0.0 s', '0.1 s', '9.9 s', '0:10', '2:04'])
  expect([6_900, 240_000, 10_800_000, 259_200_000].map(formatAge)).toEqual(['6 s', '4 min', '3 h', '3 days'])
  expect([10_000, 61_000, 7_200_000].map(formatEstimate)).toEqual(['less than a minute', 'about 1 min', 'about 2 h'])
  expect(formatTime(Date.UTC(2026, 0, 1, 14, 2), 'UTC')).toBe('14:02')
})

it('formats sizes, counts and positions as people read them', () => {
  expect([0, 999, 18_400_000].map(formatBytes)).toEqual(['0 B', '999 B', '18.4 MB'])
  expect([1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(formatOrdinal)).toEqual([
    '1st',
    '2nd',
    '3rd',
    '4th',
    '11th',
    '12th',
    '13th',
    '21st',
    '102nd',
    '111th',
  ])
  expect([formatCount(1, 'file'), formatCount(240, 'file')]).toEqual(['1 file', '240 files'])
})
