import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatVerbatim, parseVerbatim, verbatimFault } from '../../src/core/verbatim.ts'

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
    ['```Shell title=x\nls\n```', ['ls']],
    ['```console\nls\n```', ['ls']],
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
    '```python\nprint(1)\n```',
    '```sh\nls\n```\n```json\n{}\n```',
    '',
    '   ',
  ])('%j is not', (description) => {
    expect(parseVerbatim(description)).toBeUndefined()
  })

  it.each([
    ['!', 'nothing to run'],
    ['!ls\n!\n', 'nothing to run'],
    ['!cat > a <<EOF\nhello\nEOF', 'fenced code block'],
    ['!for i in 1 2; do\n  echo $i\ndone', 'fenced code block'],
    ['!echo a \\\n  b', 'fenced code block'],
  ])('%j is told what is wrong with it', (description, sentence) => {
    expect(verbatimFault(description)).toContain(sentence)
  })

  it.each(['!ls', '!cat <<EOF', 'a\n!', 'list the files', '!urgent\nmake a list of the files', '```\n!\n```'])(
    'nothing is wrong with %j',
    (description) => {
      expect(verbatimFault(description)).toBeUndefined()
    },
  )

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
