import { expect, test } from 'vitest'
import { dropForbiddenCharacters, findForbiddenCharacter } from '../../src/core/characters.ts'

test.each([
  ['ls\0', 'a NUL character (U+0000) at character 3'],
  ['a\rb', 'a carriage return (U+000D) at character 2'],
  ['\u001b[31m', 'a terminal escape (U+001B) at character 1'],
  ['a\u0085', 'a control character (U+0085) at character 2'],
  ['é\u202eb', 'a bidirectional mark (U+202E) at character 2'],
  ['\u{1f600}\u200b', 'a zero-width character (U+200B) at character 2'],
  ['\ufeffx', 'a zero-width character (U+FEFF) at character 1'],
  ['\u{e0041}', 'a tag character (U+E0041) at character 1'],
  ['\ud800', 'half a character (a lone surrogate) (U+D800) at character 1'],
  ['a\u2028b', 'a line separator (U+2028) at character 2'],
  ['plain\n\ttext ~', undefined],
  ['Grüße 日本語 \u{1f600} \u{2764}\u{fe0f}', undefined],
])('%j holds %s', (text, found) => {
  expect(findForbiddenCharacter(text)).toBe(found)
})

test('prose keeps what can be seen, and lines for carriage returns', () => {
  expect(dropForbiddenCharacters('a\r\nb\rc\u001b[1m\u202e\0é')).toBe('a\nb\nc[1mé')
})
