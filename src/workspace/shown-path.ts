/**
 * File names are bytes. Inside this part they are strings of one character per byte (latin1), which lose nothing; people see UTF-8, with
 * backslash escapes for what is not, and for what could deceive: control, direction and invisible characters, line ends, and the backslash.
 */
const DECEIVING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u
/** What a line of ours begins with: a file's name must not look like one. */
const OUR_TAG = /\[(?=[^\S\n]?TASK[^\S\n]?[0-9]{0,16}[^\S\n]?\])/gi
const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }
const ESCAPE = /\\(?:x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\}|([nrt\\]))/y

export function shownPath(bytePath: string): string {
  const bytes = Buffer.from(bytePath, 'latin1')
  let shown = ''
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at)
    const piece = bytes.subarray(at, at + Math.max(1, length))
    shown += length === 0 ? `\\x${piece.toString('hex')}` : shownCharacter(piece.toString())
    at += piece.length
  }
  return shown.replace(OUR_TAG, '\\u{5b}')
}

/** The byte path that is shown like this; undefined when none is, or when it would leave its folder. */
export function bytePathOf(shown: string): string | undefined {
  const parts: Buffer[] = []
  for (let at = 0; at < shown.length; ) {
    const plain = shown.indexOf('\\', at) < 0 ? shown.length : shown.indexOf('\\', at)
    parts.push(Buffer.from(shown.slice(at, plain)))
    at = plain
    if (at === shown.length) break
    ESCAPE.lastIndex = at
    const found = ESCAPE.exec(shown)
    const bytes = found === null ? undefined : escapedBytes(found)
    if (found === null || bytes === undefined) return undefined
    parts.push(bytes)
    at += found[0].length
  }
  const path = Buffer.concat(parts).toString('latin1')
  return path.split('/').every(isName) ? path : undefined
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0') && name.length <= 255
}

function escapedBytes([, hex, point, letter]: RegExpExecArray): Buffer | undefined {
  if (hex !== undefined) return Buffer.from(hex, 'hex')
  if (point !== undefined) {
    const code = Number.parseInt(point, 16)
    return code > 0x10ffff ? undefined : Buffer.from(String.fromCodePoint(code))
  }
  return Buffer.from({ n: '\n', r: '\r', t: '\t' }[letter ?? ''] ?? '\\')
}

function shownCharacter(character: string): string {
  const known = ESCAPES[character]
  if (known !== undefined) return known
  return DECEIVING.test(character) ? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}` : character
}

/** Length of the valid UTF-8 sequence here; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  const piece = bytes.subarray(at, at + length)
  return piece.length === length && Buffer.from(piece.toString()).equals(piece) ? length : 0
}
