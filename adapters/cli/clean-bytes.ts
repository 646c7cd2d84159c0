import { StringDecoder } from 'node:string_decoder'
import { cleanTerminal } from '../../src/core/text.ts'

/** A line without an end is cleaned in pieces, so that memory stays bounded. */
const MAX_LINE = 64 * 1024

/** Bytes from outside as text that a terminal can be given: UTF-8, without escapes. */
export async function* cleanBytes(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of source) {
    rest += decoder.write(Buffer.from(chunk))
    const end = rest.length > MAX_LINE ? rest.length : rest.lastIndexOf('\n') + 1
    if (end > 0) yield cleanTerminal(rest.slice(0, end))
    rest = rest.slice(end)
  }
  rest += decoder.end()
  if (rest !== '') yield cleanTerminal(rest)
}
