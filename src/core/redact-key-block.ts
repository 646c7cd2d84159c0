import { setOf, type Tail } from './redact-match.ts'

const END = Buffer.from('-----END')
const DASH = 0x2d
const MAX_BYTES = 64 * 1024
const KEY_BLOCK_BYTES = setOf((byte) => /[\w+/=\s\\:;,.()<>"'-]/.test(String.fromCharCode(byte)))

/** From a private key's first line on: to the end of its END line, or before a byte that no such block has, or to a limit. */
export function keyBlockTail(): Tail {
  let taken = 0
  let matched = 0
  let closingDashes = 0
  const takes = (byte: number): boolean => {
    if (closingDashes === 5 || taken === MAX_BYTES || KEY_BLOCK_BYTES[byte] !== 1) return false
    taken++
    if (matched === END.length) closingDashes += byte === DASH ? 1 : 0
    else if (byte === END[matched]) matched++
    else if (byte !== DASH || matched < 5) matched = byte === DASH ? 1 : 0
    return true
  }
  return {
    swallow(data, from) {
      let at = from
      while (at < data.length && takes(data[at] ?? 0)) at++
      return at
    },
  }
}
