import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatVerbatim, parseVerbatim } from '../../src/core/verbatim.ts'

describe('a request written as code', () => {
  it.each([
    ['!echo hi', ['echo hi']],
    ['!echo a\n! echo b', ['echo a', 'echo b']],
    ['!cd /tmp; ls -l | wc -l', ['cd /tmp; ls -l | wc -l']],
    ['```\nls\n```', ['ls']],
    ['```bash\nfor i in 1 2; do\n  echo $i\ndone\n```', ['for i in 1 2; do\n  echo $i\ndone']],
    ['```\na\n```\n\n```sh\nb\n```', ['a', 'b']],
    ['````\necho "```"\n````', ['echo "```"']],
    ['  !seq 1 5  ', ['seq 1 5']],
    ['```\r\nls\r\n```\r\n', ['ls']],
  ])('%j is run as written', (description, commands) => {
    expect(parseVerbatim(description)).toEqual(commands)
  })

  it.each([
    'list the files',
    'run `ls`',
    'please:\n```\nls\n```',
    '```\nls',
    '!',
    '!a\nand then b',
    '```\n\n```',
    '',
    '   ',
  ])('%j is not', (description) => {
    expect(parseVerbatim(description)).toBeUndefined()
  })

  it('comes back from commands unchanged, whatever they hold', () => {
    const command = fc
      .string({ unit: fc.constantFrom('`', '!', 'a', ' ', '\n', '$', '"'), minLength: 1 })
      .filter((text) => text.trim() !== '')
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 5 }), (commands) => {
        expect(parseVerbatim(formatVerbatim(commands))).toEqual(commands)
      }),
    )
  })
})
