import { eastAsianWidth } from 'get-east-asian-width'

const PLAIN = /^[\x20-\x7e]*$/
/** Combining marks, invisible characters, and skin tones, which change the character before them. */
const WITHOUT_WIDTH = /\p{Mark}|\p{Format}|\p{Control}|\p{Emoji_Modifier}/u
const JOINER = '\u200d'
/** Makes an emoji of the character before it. */
const EMOJI_STYLE = '\ufe0f'

/** Columns that text takes in a terminal, near enough for a table; without the tables of emoji that take longer to build than a list to print. */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  let last = 0
  let isJoined = false
  for (const character of text) {
    if (character === EMOJI_STYLE && last === 1) {
      width += 1
      last = 2
    } else if (!isJoined && !WITHOUT_WIDTH.test(character)) {
      last = eastAsianWidth(character.codePointAt(0) ?? 0)
      width += last
    }
    isJoined = character === JOINER
  }
  return width
}
