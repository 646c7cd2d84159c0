import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  boundedTail,
  cleanTerminal,
  cut,
  cutWithNote,
  neutralizeFences,
  neutralizeTags,
  oneLine,
  safeSlice,
  tailLine,
  visibleControls,
  withEllipsis,
} from '../../src/core/text.ts'

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

describe('cleanTerminal', () => {
  it('keeps plain text, its line breaks and letters of any script as they are', () => {
    const text = '  two\n\nlines: äöü 漢字 👍\n'
    expect(cleanTerminal(text)).toBe(text)
  })

  it('shows a carriage-return progress bar as a terminal would: the last state only', () => {
    expect(cleanTerminal('10 %\r50 %\r100 %\ndone')).toBe('100 %\ndone')
    expect(cleanTerminal('12345\rab')).toBe('ab345')
    expect(cleanTerminal('downloading\r\u001b[Kok')).toBe('ok')
    expect(cleanTerminal('downloading\r\u001b[2Kok')).toBe('ok')
    expect(cleanTerminal('windows line\r\nnext')).toBe('windows line\nnext')
    expect(cleanTerminal('ab\b\bcd')).toBe('cd')
  })

  it('drops colours, titles, hyperlinks, device control strings and their 8-bit forms', () => {
    expect(cleanTerminal('\u001b[1;31mred\u001b[0m')).toBe('red')
    expect(cleanTerminal('\u001b]0;title\u0007text')).toBe('text')
    expect(cleanTerminal('\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\')).toBe('link')
    expect(cleanTerminal('\u001bP1$r0m\u001b\\text')).toBe('text')
    expect(cleanTerminal('\u009b31mred\u009d0;t\u009ctext')).toBe('redtext')
    expect(cleanTerminal('\u001b(Bplain\u001b=\u001b7')).toBe('plain')
  })

  it('lets an unfinished escape hide no more than its own line', () => {
    expect(cleanTerminal('a\u001b]0;hidden\nshown')).toBe('a\nshown')
    expect(cleanTerminal('a\u001b[')).toBe('a')
    expect(cleanTerminal('a\u001b')).toBe('a')
  })

  it('drops marks that reorder or hide text', () => {
    expect(cleanTerminal('a\u202eb\u2066c\u200bd\ufeffe\u{e0041}f\u00adg')).toBe('abcdefg')
    expect(cleanTerminal('one\u2028two\u0085three\u000bfour')).toBe('onetwothreefour')
  })

  it('replaces halves of characters and expands tabs', () => {
    expect(cleanTerminal('a\ud800b')).toBe('a\ufffdb')
    expect(cleanTerminal('a\tb')).toBe('a       b')
  })

  it('leaves nothing invisible behind, whatever comes', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\u001b',
        '\u001b[',
        '\u001b]',
        '\u009b',
        '\u0090',
        '\r',
        '\b',
        '\t',
        '\u001b[K',
        '\u001b[1K',
        '\ud83d',
      ),
    )
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const lines = cleanTerminal(parts.join('')).split('\n')
        expect(lines.filter((line) => INVISIBLE.test(line))).toEqual([])
        expect(lines).toHaveLength(parts.join('').split('\n').length)
      }),
      { numRuns: 500 },
    )
  })

  it('takes time in proportion to the text, also for text made to hurt', () => {
    for (const unit of ['\u001b]', '\u001b[1K', '\u009b', 'x\r', '\u001bP', '\u001b[0;']) {
      const text = unit.repeat(400_000)
      const before = process.cpuUsage()
      cleanTerminal(text)
      // A few hundredths of a second; in proportion to its square it would be minutes. Processor time, so that others do not count.
      expect(process.cpuUsage(before).user, JSON.stringify(unit)).toBeLessThan(5_000_000)
    }
  })
})

describe('visibleControls', () => {
  it('writes out what could deceive whoever approves, and drops nothing', () => {
    expect(visibleControls('rm\u202e -rf\u00a0x\u001b[2K\r\t\u200b')).toBe(
      'rm\\u{202e} -rf\\u{00a0}x\\e[2K\\r\\t\\u{200b}',
    )
    expect(visibleControls('cat <<E\nhi\nE')).toBe('cat <<E\nhi\nE')
    expect(visibleControls('\u{e0041}\ud800')).toBe('\\u{e0041}\\u{d800}')
  })

  it('leaves only visible characters and line breaks', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = visibleControls(text)
        expect(shown.replaceAll('\n', '')).not.toMatch(INVISIBLE)
        expect(shown.length).toBeGreaterThanOrEqual(text.length)
      }),
    )
  })
})

describe('lengths', () => {
  it('never halves a character and says how much is hidden', () => {
    expect(safeSlice('a👍b', 2)).toBe('a')
    expect(cut('a👍b', 2)).toEqual({ text: 'a', hidden: 3 })
    expect(cutWithNote('abcdef', 4)).toBe('abcd… (2 more characters)')
    expect(cutWithNote('abc', 4)).toBe('abc')
    expect(withEllipsis('abcdef', 4)).toBe('abc…')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, max) => {
        expect(safeSlice(text, max).length).toBeLessThanOrEqual(max)
        expect(safeSlice(text, max).isWellFormed()).toBe(true)
      }),
    )
  })

  it('makes one line of anything', () => {
    expect(oneLine('  a\n b\t\tc\u202e ', 20)).toBe('a b c')
    expect(oneLine('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`)
    expect(oneLine(`${' '.repeat(1000)}far`, 10)).toMatch(/…$/)
  })
})

describe('boundedTail', () => {
  it('keeps the last lines within both bounds', () => {
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`)
    expect(boundedTail(lines)).toEqual(lines.slice(-15))
    const long = boundedTail(Array.from({ length: 15 }, () => 'y'.repeat(1000)))
    expect(long.join('\n').length).toBeLessThanOrEqual(1500)
    expect(long.every((line) => line.length <= 300)).toBe(true)
  })

  it('leaves out empty lines at the end and keeps those in between', () => {
    expect(boundedTail(['a', '', 'b', '', ''])).toEqual(['a', '', 'b'])
    expect(boundedTail(['', ''])).toEqual([])
  })

  it('keeps the end of a line of megabytes, in no time', () => {
    const bar = `${'\r10 %'.repeat(500_000)}\r100 % done`
    expect(boundedTail([bar])).toEqual(['100 % done'])
  })
})

describe('what output may not fake', () => {
  it('keeps it from closing a code block', () => {
    expect(neutralizeFences('a ``` b ```` `c`')).toBe('a ˋˋˋ b ˋˋˋˋ `c`')
  })

  it('keeps it from posing as the line of a task', () => {
    expect(neutralizeTags('[TASK 7] done [task 12] [TASK]')).toBe('(TASK 7) done (task 12) (TASK)')
    expect(tailLine('\u001b[31m[TA\u200bSK 7]\u001b[0m ```')).toBe('(TASK 7) ˋˋˋ')
  })
})
