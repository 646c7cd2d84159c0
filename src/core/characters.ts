/** Characters that a person who reads a command cannot see, or that make it read as something else. */

interface CharacterRange {
  from: number
  to: number
  name: string
}

const FORBIDDEN: readonly CharacterRange[] = [
  { from: 0x00, to: 0x00, name: 'a NUL character' },
  { from: 0x01, to: 0x08, name: 'a control character' },
  { from: 0x0b, to: 0x0c, name: 'a control character' },
  { from: 0x0d, to: 0x0d, name: 'a carriage return' },
  { from: 0x0e, to: 0x1a, name: 'a control character' },
  { from: 0x1b, to: 0x1b, name: 'a terminal escape' },
  { from: 0x1c, to: 0x1f, name: 'a control character' },
  { from: 0x7f, to: 0x9f, name: 'a control character' },
  { from: 0xad, to: 0xad, name: 'an invisible character' },
  { from: 0x34f, to: 0x34f, name: 'an invisible character' },
  { from: 0x61c, to: 0x61c, name: 'a bidirectional mark' },
  { from: 0x115f, to: 0x1160, name: 'an invisible character' },
  { from: 0x17b4, to: 0x17b5, name: 'an invisible character' },
  { from: 0x180b, to: 0x180f, name: 'an invisible character' },
  { from: 0x200b, to: 0x200d, name: 'a zero-width character' },
  { from: 0x200e, to: 0x200f, name: 'a bidirectional mark' },
  { from: 0x2028, to: 0x2029, name: 'a line separator' },
  { from: 0x202a, to: 0x202e, name: 'a bidirectional mark' },
  { from: 0x2060, to: 0x2064, name: 'a zero-width character' },
  { from: 0x2065, to: 0x2069, name: 'a bidirectional mark' },
  { from: 0x206a, to: 0x206f, name: 'an invisible character' },
  { from: 0x3164, to: 0x3164, name: 'an invisible character' },
  { from: 0xd800, to: 0xdfff, name: 'half a character (a lone surrogate)' },
  { from: 0xfeff, to: 0xfeff, name: 'a zero-width character' },
  { from: 0xffa0, to: 0xffa0, name: 'an invisible character' },
  { from: 0xfff0, to: 0xfffb, name: 'an invisible character' },
  { from: 0xe0000, to: 0xe007f, name: 'a tag character' },
  { from: 0xe0080, to: 0xe0fff, name: 'an invisible character' },
]
// A quick test that almost all text passes: printable ASCII, newline and tab only.
const PLAIN = /^[\x20-\x7e\n\t]*$/

/** What a command may not hold, and where: "a carriage return (U+000D) at character 12"; undefined when all is visible. Newline and tab may stand. */
export function findForbiddenCharacter(text: string): string | undefined {
  if (PLAIN.test(text)) return undefined
  let index = 0
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    const name = forbiddenName(code)
    if (name !== undefined) {
      return `${name} (U+${code.toString(16).toUpperCase().padStart(4, '0')}) at character ${index + 1}`
    }
    index += 1
  }
  return undefined
}

/** The same text without such characters, for prose that people read; a carriage return becomes a newline. */
export function dropForbiddenCharacters(text: string): string {
  if (PLAIN.test(text)) return text
  let kept = ''
  for (const character of text.replaceAll('\r\n', '\n').replaceAll('\r', '\n')) {
    if (forbiddenName(character.codePointAt(0) ?? 0) === undefined) kept += character
  }
  return kept
}

function forbiddenName(code: number): string | undefined {
  if (code >= 0x20 && code < 0x7f) return undefined
  return FORBIDDEN.find((range) => code >= range.from && code <= range.to)?.name
}
