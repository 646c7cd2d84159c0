import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRedactor, SECRET_MARK } from '../../src/core/redact.ts'

const letters = (count: number): string => 'aB3dE5gH7jK9mN1pQ2sT4vW6yZ8'.repeat(20).slice(0, count)
const hexDigits = (count: number): string => '0123456789abcdef'.repeat(10).slice(0, count)

/** Put together here, so that the file itself holds nothing that looks like a token. */
const TOKENS: readonly (readonly [string, string])[] = [
  ['Slack bot', `xox${'b'}-1234567890-${letters(24)}`],
  ['Slack app', `xap${'p'}-1-A0123-${letters(30)}`],
  ['Slack rotating', `xox${'e'}.xoxb-1-${letters(40)}`],
  ['Discord bot', `${Buffer.from('123456789012345678').toString('base64')}.Gabcde.${letters(38)}`],
  [
    'Discord bot, older id',
    `${Buffer.from('12345678901234567').toString('base64').replaceAll('=', '')}.Xabcde.${letters(27)}`,
  ],
  ['GitHub', `gh${'p'}_${letters(36)}`],
  ['GitHub fine-grained', `github_${'pat'}_${letters(22)}_${letters(59)}`],
  ['GitLab', `gl${'pat'}-${letters(20)}`],
  ['AWS key id', `AK${'IA'}IOSFODNN7EXAMPLE`],
  ['Google', `AI${'za'}${letters(35)}`],
  ['OpenAI', `s${'k'}-proj-${letters(40)}`],
  ['OpenAI, older', `s${'k'}-${letters(48)}`],
  ['Anthropic', `s${'k'}-ant-api03-${letters(90)}`],
  ['Stripe', `sk_${'live'}_${letters(24)}`],
  ['npm', `np${'m'}_${letters(36)}`],
  ['Hugging Face', `h${'f'}_${letters(34)}`],
  ['DigitalOcean', `dop_${'v1'}_${hexDigits(64)}`],
  ['web token', `ey${'J'}${letters(33)}.ey${'J'}${letters(60)}.${letters(43)}`],
]

const redactor = createRedactor({ secrets: [] })

describe('well-known tokens', () => {
  test.each(TOKENS)('%s token is hidden whole, between words, quotes and line ends', (_, token) => {
    for (const [left, right] of [
      ['', ''],
      ['token ', ' and more'],
      ['"', '"'],
      ['TOKEN=', '\n'],
      ['\u001b[32m', '\u001b[0m'],
    ]) {
      expect(redactor.text(`${left}${token}${right}`)).toEqual({ text: `${left}${SECRET_MARK}${right}`, count: 1 })
    }
  })

  test('credentials in headers, addresses and settings are hidden and what leads to them stays readable', () => {
    const lines = [
      [`Authorization: Bearer ${letters(24)}`, `Authorization: Bearer ${SECRET_MARK}`],
      ['authorization: Basic dXNlcjpwYXNzd29yZA==', `authorization: Basic ${SECRET_MARK}`],
      ['postgres://ana:correct-horse@db.internal/x', `postgres://ana:${SECRET_MARK}@db.internal/x`],
      ['redis://:correct-horse@cache', `redis://:${SECRET_MARK}@cache`],
      [`AWS_SECRET_ACCESS_KEY=${letters(40)}`, `AWS_SECRET_ACCESS_KEY=${SECRET_MARK}`],
      [
        `https://hooks.slack.com/services/T0000/B0000/${letters(24)}`,
        `https://hooks.slack.com/services/${SECRET_MARK}`,
      ],
      [
        `https://discord.com/api/webhooks/123456789012345678/${letters(68)}`,
        `https://discord.com/api/webhooks/123456789012345678/${SECRET_MARK}`,
      ],
    ] as const
    for (const [line, hidden] of lines) expect(redactor.text(line).text).toBe(hidden)
  })

  test('a private key block is hidden up to its end line, also as one escaped line', () => {
    const body = `${letters(64)}\n`.repeat(20)
    const key = `-----BEGIN RSA PRIVATE ${'KEY'}-----\n${body}-----END RSA PRIVATE KEY-----`
    expect(redactor.text(`before\n${key}\nafter`)).toEqual({ text: `before\n${SECRET_MARK}\nafter`, count: 1 })
    expect(redactor.text(`{"k":"${key.replaceAll('\n', '\\n')}","n":1}`).text).toBe(`{"k":"${SECRET_MARK}","n":1}`)
  })

  test('ordinary text stays as it is', () => {
    const text = [
      'http://localhost:8080/path?x=1@2 and git@github.com:o/r.git and https://a.b/c:d',
      'task-management-for-everyone-and-more risk-assessment-of-the-whole-thing sk-short',
      'bearer of bad news; basic understanding; AKIA; eyJ; xoxb-; -----BEGIN CERTIFICATE-----',
      'commit 2e4c88d5f0a1b2c3d4e5f60718293a4b5c6d7e8f, uuid 123e4567-e89b-12d3-a456-426614174000',
    ].join('\n')
    expect(redactor.text(text)).toEqual({ text, count: 0 })
  })
})

describe('known secrets', () => {
  const secret = 'p@ss/wörd+with "quotes"'
  const known = createRedactor({
    secrets: [secret, 'short', '', 'first-line-of-a-key-file\nsecond-line-of-a-key-file'],
  })

  test.each([
    ['as it is', secret],
    ['as JSON', JSON.stringify(secret).slice(1, -1)],
    ['in a URL', encodeURIComponent(secret)],
    ['in a form', encodeURIComponent(secret).replaceAll('%20', '+')],
    ['in hex', Buffer.from(secret).toString('hex')],
    ['in upper-case hex', Buffer.from(secret).toString('hex').toUpperCase()],
  ])('hidden %s', (_, form) => {
    expect(known.text(`a ${form} b`)).toEqual({ text: `a ${SECRET_MARK} b`, count: 1 })
  })

  test('hidden in base64 at every alignment, but for the characters it shares with its neighbours', () => {
    for (const before of ['', 'x', 'xy', 'xyz']) {
      const encoded = Buffer.from(`${before}${secret}tail`).toString('base64')
      expect(known.text(encoded).count).toBe(1)
      expect(known.text(Buffer.from(`${before}${secret}tail`).toString('base64url')).count).toBe(1)
    }
  })

  test('each line of a secret with several lines is hidden by itself', () => {
    expect(known.text('  second-line-of-a-key-file\r\n').text).toBe(`  ${SECRET_MARK}\r\n`)
  })

  test('a secret of five bytes is not looked for, one of six is', () => {
    expect(known.text('short').count).toBe(0)
    expect(createRedactor({ secrets: ['sixsix'] }).text('a sixsix b').text).toBe(`a ${SECRET_MARK} b`)
  })

  test('secrets that overlap each other or a token leave no part of either', () => {
    const overlapping = createRedactor({ secrets: ['abcdefgh', 'efghijkl!mnop', 'xyz!12345'] })
    expect(overlapping.text('abcdefghijkl!mnop')).toEqual({ text: SECRET_MARK, count: 1 })
    expect(overlapping.text(`Bearer ${letters(20)}xyz!12345.`).text).toBe(`Bearer ${SECRET_MARK}.`)
    expect(createRedactor({ secrets: ['//ana:secret'] }).text('http://ana:secret@h').text).toBe(`http:${SECRET_MARK}@h`)
  })
})

describe('chunks', () => {
  const secrets = ['hunter2-hunter2', 'ana:pw', 'long-secret-'.repeat(30)]
  const all = createRedactor({ secrets })
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...TOKENS.map(([, token]) => token), ...secrets) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...TOKENS.map(([, token]) => token.slice(0, 9)),
        ...secrets.map((one) => one.slice(1, -1)),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        '://',
        'http://ana:',
        '@',
        'Bearer ',
        'eyJ',
        '-----BEGIN ',
        'PRIVATE KEY',
        '-----',
        '-----END',
        '\n',
        ' ',
        '.',
        'M',
        'MT',
      ),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 12, unit: 'binary' }) },
  )

  function inChunks(bytes: Buffer, sizes: readonly number[]): { bytes: Buffer; count: number; mostHeld: number } {
    const stream = all.stream()
    const out: Buffer[] = []
    let at = 0
    let given = 0
    let mostHeld = 0
    for (let turn = 0; at < bytes.length; turn++) {
      const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
      const chunk = Buffer.from(bytes.subarray(at, at + size))
      const part = Buffer.from(stream.push(chunk))
      chunk.fill(0x21)
      out.push(part)
      at += size
      given += part.length
      mostHeld = Math.max(mostHeld, at - given)
    }
    out.push(stream.end())
    return { bytes: Buffer.concat(out), count: stream.count, mostHeld }
  }

  test('however the bytes are cut, the result is the same as for the whole', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 }),
        (pieces, sizes) => {
          const bytes = Buffer.from(pieces.join(''))
          const whole = inChunks(bytes, [bytes.length])
          const cut = inChunks(bytes, sizes)
          expect(cut.bytes.toString('latin1')).toBe(whole.bytes.toString('latin1'))
          expect(cut.count).toBe(whole.count)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('no known secret and no token survives, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30 }),
        fc.constantFrom(...secrets),
        fc.string({ maxLength: 30 }),
        (left, secret, right) => {
          expect(all.text(left + secret + right).text).not.toContain(secret)
        },
      ),
    )
  })

  test('an endless line without a line end is not kept in memory', () => {
    const stream = all.stream()
    const chunk = Buffer.alloc(64 * 1024, 'x')
    let written = 0
    for (let turn = 0; turn < 100; turn++) written += stream.push(chunk).length
    expect(100 * chunk.length - written).toBeLessThan(8)
    const token = all.stream()
    token.push(Buffer.from('Bearer '))
    let leaked = 0
    for (let turn = 0; turn < 100; turn++) leaked += token.push(chunk).length
    expect(leaked + token.end().length).toBe(`Bearer ${SECRET_MARK}`.length)
  })

  test('output that ends in the middle of a line is not held back unless a secret may begin there', () => {
    const stream = all.stream()
    expect(stream.push(Buffer.from('Continue? [y/N] ')).toString()).toBe('Continue? [y/N] ')
    expect(stream.push(Buffer.from('hunter2')).toString()).toBe('')
    expect(stream.push(Buffer.from(' is no.')).toString()).toBe('hunter2 is no.')
  })
})
