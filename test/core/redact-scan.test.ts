import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRedactor, SECRET_MARK } from '../../src/core/redact.ts'
import { formsOfSecrets } from '../../src/core/redact-forms.ts'
import { TOKEN_SHAPES } from '../../src/core/redact-shapes.ts'

const SECRETS = ['hunter2-hunter2', 'p@ss/word', 'long-secret-'.repeat(30), '\u00e9t\u00e9-2024', '----dashes----']
const LETTERS = 'aB3dE5gH7jK9mN1pQ2sT4vW6yZ8xC0fG'.repeat(4)
/** Cut and joined here, so that the file itself holds nothing that looks like a token. */
const TOKENS = [
  `xox${'b'}-${LETTERS.slice(0, 30)}`,
  `gh${'p'}_${LETTERS.slice(0, 36)}`,
  `s${'k'}-${LETTERS.slice(0, 48)}`,
  `AK${'IA'}IOSFODNN7EXAMPLE`,
  `ey${'J'}${LETTERS.slice(0, 30)}.ey${'J'}${LETTERS.slice(0, 60)}`,
  `Bearer ${LETTERS.slice(0, 24)}`,
  'postgres://ana:correct-horse@db/x',
  `hv${'s'}.${LETTERS.slice(0, 30)}`,
]

const redactor = createRedactor({ secrets: SECRETS })
const forms = formsOfSecrets(SECRETS).map((form) => form.toString('latin1'))
const shapes = TOKEN_SHAPES.map(({ keep = '', hide, follows = '', anyCase, wordStart }) => {
  const word = wordStart === true ? '(?<![a-lo-qsu-zA-Z0-9_])' : ''
  return new RegExp(`${word}(${keep})(${hide})(?=${follows})`, anyCase === true ? 'sgi' : 'sg')
})

interface Hidden {
  start: number
  end: number
}

/** The same answer by looking for each thing at each place of the whole, one after the other. */
function slowly(bytes: Buffer): string {
  const text = bytes.toString('latin1')
  const found = [...forms.flatMap((form) => placesOf(form, text)), ...shapes.flatMap((shape) => matchesOf(shape, text))]
  found.sort((a, b) => a.start - b.start || b.end - a.end)
  let out = ''
  let done = 0
  for (const { start, end } of found) {
    if (start >= done) out += text.slice(done, start) + SECRET_MARK
    done = Math.max(done, end)
  }
  return out + text.slice(done)
}

function placesOf(form: string, text: string): Hidden[] {
  const all: Hidden[] = []
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1))
    all.push({ start: at, end: at + form.length })
  return all
}

function matchesOf(shape: RegExp, text: string): Hidden[] {
  const all: Hidden[] = []
  shape.lastIndex = 0
  for (let match = shape.exec(text); match !== null; match = shape.exec(text)) {
    const [, keep = '', hide = ''] = match
    const start = match.index + keep.length
    all.push({ start, end: start + hide.length })
    shape.lastIndex = match.index + 1
  }
  return all
}

/** Each chunk begins at an address of its own, also an odd one. */
function inChunks(bytes: Buffer, sizes: readonly number[]): string {
  const stream = redactor.stream()
  const out: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    const shift = turn % 5
    const memory = Buffer.alloc(shift + Math.min(size, bytes.length - at))
    bytes.copy(memory, shift, at, at + size)
    out.push(Buffer.from(stream.push(memory.subarray(shift))))
    memory.fill(0x21)
    at += size
  }
  out.push(stream.end())
  return Buffer.concat(out).toString('latin1')
}

const whole = fc.constantFrom(...TOKENS, ...SECRETS, ...SECRETS.map((one) => Buffer.from(one).toString('base64')))
const part = fc
  .tuple(whole, fc.nat(), fc.nat())
  .map(([text, from, length]) => text.slice(from % text.length).slice(0, 1 + (length % text.length)))
const noise = fc.oneof(
  fc.string({ maxLength: 30, unit: 'binary' }),
  fc.stringMatching(/^[a-zA-Z0-9 :/._=@-]{0,60}$/),
  fc.constantFrom(' ', '\n', '://', 'http://ana:', '@', 'Bearer ', 'gh', 's', 'xo', 'eyJ', 'task-'),
)
const pieces = fc.array(
  fc.oneof({ weight: 2, arbitrary: whole }, { weight: 2, arbitrary: part }, { weight: 5, arbitrary: noise }),
  {
    maxLength: 40,
  },
)
const sizes = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 8 })

describe('the quick search', () => {
  test('hides what a slow one at every place hides, no more and no less, however the bytes are cut and wherever they lie', () => {
    fc.assert(
      fc.property(pieces, sizes, (text, cuts) => {
        const bytes = Buffer.from(text.join(''))
        expect(inChunks(bytes, cuts)).toBe(slowly(bytes))
        expect(inChunks(bytes, [bytes.length + 1])).toBe(slowly(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  test('finds each secret and token at every place of a word of memory, in the middle and at both ends', () => {
    for (const secret of [...TOKENS, ...SECRETS, ...forms.map((form) => Buffer.from(form, 'latin1').toString())]) {
      for (let left = 0; left <= 9; left++) {
        for (const right of [0, 1, 2, 3, 9]) {
          const bytes = Buffer.from(`${'\n'.repeat(left)}${secret}${'\n'.repeat(right)}`)
          expect(inChunks(bytes, [bytes.length])).toBe(slowly(bytes))
          expect(inChunks(bytes, [left + 3, 7])).toBe(slowly(bytes))
          expect(slowly(bytes)).toContain(SECRET_MARK)
        }
      }
    }
  })

  test('holds back only what something may begin with, by up to three bytes', () => {
    for (const [text, given] of [
      ['a line ', 'a line '],
      ['12g', '12'],
      ['12gh', '12'],
      ['12ghp', '12'],
      ['12ghq', '12ghq'],
      ['12ghp ', '12ghp '],
      ['12:/', '12'],
      ['12hunter2-hunter', '12'],
    ] as const) {
      expect(redactor.stream().push(Buffer.from(text)).toString()).toBe(given)
    }
  })
})
