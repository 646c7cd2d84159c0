import { mkdir, readFile, writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { draw } from '../../../adapters/discord/drawing.ts'
import { escapeMarkdown, escapeWithin, fence, inlineCode } from '../../../adapters/discord/markdown.ts'
import { markerOf, nonceOf, renderFallback, renderMessage } from '../../../adapters/discord/render.ts'
import { RISK_BADGES } from '../../../src/core/verdict.ts'
import type { ControlView, MessageView } from '../../../src/core/view.ts'
import { textsOf } from '../../fakes/discord-server-messages.ts'
import { checkMessage, isJson, list } from '../../fakes/discord-server-validate.ts'
import { button, SAMPLES, sampleApproval, sampleCard, sampleNotice, sampleResult, sampleRoot } from './samples.ts'

const FIXTURES = new URL('../../fixtures/discord/', import.meta.url)

function asJson(value: unknown): Record<string, unknown> {
  const copy: unknown = JSON.parse(JSON.stringify(value))
  if (!isJson(copy)) throw new Error('not an object')
  return copy
}

function check(view: MessageView): void {
  for (const render of [renderMessage, renderFallback]) {
    const body = asJson(render(view, markerOf('key')))
    checkMessage({ ...body, nonce: nonceOf('key') }, [], Number(body.flags))
  }
}

describe('each state', () => {
  test.each(Object.entries(SAMPLES))('%s looks as the fixture shows and is within the limits', async (name, view) => {
    const body = asJson(renderMessage(view, null))
    check(view)
    const file = new URL(`${name}.json`, FIXTURES)
    const text = `${JSON.stringify(body, null, 2)}\n`
    if (process.env.UPDATE_FIXTURES === '1') {
      await mkdir(FIXTURES, { recursive: true })
      await writeFile(file, text)
    }
    expect(text).toBe(await readFile(file, 'utf8'))
  })
})

const words = fc.oneof(
  fc.string({ maxLength: 400 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom(
    '```',
    '`',
    '<@1>',
    '@everyone',
    '||x||',
    '> q',
    '# h',
    '-# s',
    '[a](http://b)',
    '漢'.repeat(2000),
    '\\'.repeat(3000),
    '*'.repeat(5000),
    '👍'.repeat(900),
  ),
  fc.array(fc.constantFrom('`', '\\', '*', '\n', 'a', '<'), { maxLength: 3000 }).map((parts) => parts.join('')),
)
const lines = fc.array(words, { maxLength: 20 })
const controls: fc.Arbitrary<ControlView[]> = fc
  .uniqueArray(
    fc.constantFrom(
      'cancel',
      'retry',
      'rerun',
      'replan',
      'files',
      'log',
      'resume',
      'restart',
      'discard',
      'apply',
      'upload',
      'approve',
      'edit',
      'reject',
    ),
    { maxLength: 10 },
  )
  .chain((verbs) => words.map((label) => verbs.map((verb) => button(verb, label === '' ? 'x' : label, 'danger'))))
const badges = fc.subarray([...RISK_BADGES])

const cards = fc
  .record({
    headline: words,
    why: words,
    diff: lines,
    notes: lines,
    controls,
    tail: fc.option(fc.record({ lines, header: words })),
    steps: fc.array(
      fc.record({ number: fc.nat(99), mark: fc.constantFrom('✔', '▶', '·', '✖'), command: words, badges, note: words }),
      { maxLength: 64 },
    ),
  })
  .map((parts) => sampleCard(parts))
const approvals = fc
  .record({
    headline: words,
    why: words,
    mentions: fc.array(fc.oneof(fc.constantFrom('1', '22', '<@1>', 'U1'), words), { maxLength: 30 }),
    commands: fc.array(fc.record({ text: words, hidden: fc.nat(99_999), badges, reasons: lines }), {
      minLength: 1,
      maxLength: 64,
    }),
    terms: lines,
    decided: fc.option(words),
    controls,
  })
  .map((parts) => sampleApproval(parts))
const results = fc
  .record({
    headline: words,
    body: words,
    lines,
    notes: lines,
    controls,
    files: fc.array(fc.record({ path: words, sizeBytes: fc.nat() }), { maxLength: 60 }),
    mention: fc.option(words),
  })
  .map((parts) => sampleResult(parts))

test('whatever the views hold, what is rendered is within every limit of Discord', () => {
  fc.assert(fc.property(fc.oneof(cards, approvals, results), check), { numRuns: 400 })
  fc.assert(
    fc.property(words, words, (title, text) => {
      check({ ...sampleRoot(), title: title || 'x', byLine: text })
      check(sampleNotice({ text: text || 'x' }))
    }),
    { numRuns: 200 },
  )
})

test('nothing from outside can mention, link or format', () => {
  fc.assert(
    fc.property(words, (text) => {
      const shown = escapeMarkdown(text)
      expect(shown).not.toMatch(/(?<!\\)(?:\\\\)*[*_~`|<>[\]@]/)
      expect(shown).not.toMatch(/^\s*(?:[-+#]|\d+[.)])/m)
    }),
    { numRuns: 500 },
  )
})

test('a fence is closed by its own end only, inline code by its own', () => {
  fc.assert(
    fc.property(lines, (each) => {
      const block = fence(each, 1500)
      expect(block.length).toBeLessThanOrEqual(1500)
      expect(block.slice(3, -3)).not.toContain('```')
      expect(inlineCode(each.join(' '), 100).slice(1, -1)).not.toMatch(/[`\n]/)
      expect(inlineCode(each.join(' '), 100).length).toBeLessThanOrEqual(100)
      expect(escapeWithin(each.join('\n'), 77).length).toBeLessThanOrEqual(77)
    }),
  )
})

test('a plan whose commands fit is shown whole; what does not fit says how much is missing', () => {
  const whole = sampleApproval()
  for (const { text } of whole.commands)
    expect(textsOf(list(asJson(renderMessage(whole, null)).components)).join('\n')).toContain(text)
  for (const count of [1, 8, 9, 64]) {
    const commands = Array.from({ length: count }, () => ({
      text: 'x'.repeat(16_000),
      hidden: 7,
      badges: [],
      reasons: [],
    }))
    const text = draw(sampleApproval({ commands })).texts.join('\n')
    const shown = [...text.matchAll(/x{2,}/g)].reduce((sum, run) => sum + run[0].length, 0)
    const hidden = [...text.matchAll(/… (?:\(\+)?(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0)
    expect(shown + hidden).toBe(count * 16_007)
  }
})

test('the mark of a post is a number that Discord keeps, and its nonce is short enough', () => {
  fc.assert(
    fc.property(fc.string(), (key) => {
      expect(markerOf(key)).toBeGreaterThan(0)
      expect(markerOf(key)).toBeLessThan(2 ** 31)
      expect(nonceOf(key)).toHaveLength(25)
    }),
  )
})
