import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { textWidth } from '../../../adapters/cli/text-width.ts'

test.each([
  '',
  'plain text',
  '✅ done',
  '⏳ Läuft',
  '画像を変換',
  'ｱｲｳ',
  'e\u0301te\u0301',
  '👍🏽 ok',
  '👨‍👩‍👧 three',
  '⚠️ careful',
  '🇩🇪',
  'a\u200bb',
])('%j is as wide as a library with all tables says', (text) => expect(textWidth(text)).toBe(stringWidth(text)))
