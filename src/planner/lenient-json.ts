/**
 * Reads one JSON value, and tolerates what models get wrong in syntax and in syntax only: comments, trailing commas,
 * single quotes, bare keys, raw newlines and tabs in strings. It never completes and never guesses: unknown escapes,
 * unknown words, duplicate keys and unfinished input are errors. Each character is looked at once, so it is linear.
 */

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export type JsonObject = ReadonlyMap<string, JsonValue>

/** `broken` was meant as JSON but is not; `prose` is an opening brace that begins no object at all. `next` is where reading stopped. */
export type ReadResult =
  | { kind: 'value'; value: JsonValue; next: number }
  | { kind: 'prose'; next: number }
  | { kind: 'broken'; why: string; next: number }

const MAX_DEPTH = 32
const WHITESPACE = new Set([' ', '\n', '\t', '\r'])
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}
const WORDS: ReadonlyMap<string, JsonValue> = new Map<string, JsonValue>([
  ['true', true],
  ['false', false],
  ['null', null],
])

/** Thrown inside this file only. Not an Error: taking its stack would make each brace in a long reply cost 10 µs. */
class Broken {
  readonly why: string
  constructor(why: string) {
    this.why = why
  }
}

/** Reads the object or list that begins at `start`, which must be `{` or `[`. */
export function readJson(text: string, start: number): ReadResult {
  const reader = new Reader(text, start)
  try {
    const value = reader.value(0)
    return { kind: 'value', value, next: reader.at }
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    if (!reader.sawKey && reader.at < text.length) return { kind: 'prose', next: Math.max(reader.at, start + 1) }
    return { kind: 'broken', why: error.why, next: reader.at }
  }
}

class Reader {
  readonly #text: string
  at: number
  /** A key with its colon has been read: from here on this was meant as an object. */
  sawKey = false

  constructor(text: string, start: number) {
    this.#text = text
    this.at = start
  }

  value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) throw this.#broken('it is nested too deeply')
    const first = this.#text[this.at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#list(depth)
    if (first === '"' || first === "'") return this.#string(first)
    if (first !== undefined && /[-0-9]/.test(first)) return this.#number()
    return this.#word()
  }

  #object(depth: number): JsonObject {
    const entries = new Map<string, JsonValue>()
    this.at += 1
    for (this.#skipSpace(); this.#text[this.at] !== '}'; this.#separator('}')) {
      const key = this.#key()
      this.#skipSpace()
      if (this.#text[this.at] !== ':') throw this.#broken('a colon is missing after a key')
      this.at += 1
      this.sawKey = true
      if (entries.has(key)) throw this.#broken(`the key "${key.slice(0, 40)}" is there twice`)
      this.#skipSpace()
      entries.set(key, this.value(depth + 1))
    }
    this.at += 1
    return entries
  }

  #list(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = []
    this.at += 1
    for (this.#skipSpace(); this.#text[this.at] !== ']'; this.#separator(']')) items.push(this.value(depth + 1))
    this.at += 1
    return items
  }

  /** After an item: a comma, with or without another item behind it, or the end. */
  #separator(close: string): void {
    this.#skipSpace()
    const next = this.#text[this.at]
    if (next === close) return
    if (next !== ',') throw this.#broken(`a comma or "${close}" is missing`)
    this.at += 1
    this.#skipSpace()
  }

  #key(): string {
    const quote = this.#text[this.at]
    if (quote === '"' || quote === "'") return this.#string(quote)
    const name = this.#run(/[A-Za-z0-9_$-]/)
    if (name === '') throw this.#broken('a key is missing')
    return name
  }

  #string(quote: string): string {
    let value = ''
    this.at += 1
    for (;;) {
      const character = this.#text[this.at]
      if (character === undefined) throw this.#broken('a string is not closed')
      if (character === quote) break
      if (character === '\\') value += this.#escape(quote)
      else value += this.#plain(character)
    }
    this.at += 1
    return value
  }

  #plain(character: string): string {
    if (character < ' ' && character !== '\n' && character !== '\t') {
      throw this.#broken('a string holds a control character')
    }
    this.at += 1
    return character
  }

  #escape(quote: string): string {
    const letter = this.#text[this.at + 1]
    if (letter === undefined) throw this.#broken('a string is not closed')
    if (letter === 'u') return this.#unicodeEscape()
    const value = letter === quote ? quote : Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined
    if (value === undefined) throw this.#broken(`"\\${letter}" is not an escape of JSON`)
    this.at += 2
    return value
  }

  #unicodeEscape(): string {
    const digits = this.#text.slice(this.at + 2, this.at + 6)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#broken('"\\u" needs four hexadecimal digits')
    this.at += 6
    return String.fromCharCode(Number.parseInt(digits, 16))
  }

  #number(): number {
    const digits = this.#run(/[-+.0-9eE]/)
    if (!/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/.test(digits))
      throw this.#broken('a number is not one')
    return Number(digits)
  }

  #word(): JsonValue {
    const word = this.#run(/[A-Za-z0-9_]/)
    const value = WORDS.get(word)
    if (value === undefined)
      throw this.#broken(word === '' ? 'a value is missing' : `"${word.slice(0, 40)}" is no value`)
    return value
  }

  #run(allowed: RegExp): string {
    const start = this.at
    for (;;) {
      const character = this.#text[this.at]
      if (character === undefined || !allowed.test(character)) return this.#text.slice(start, this.at)
      this.at += 1
    }
  }

  #skipSpace(): void {
    for (;;) {
      const character = this.#text[this.at]
      if (character !== undefined && WHITESPACE.has(character)) this.at += 1
      else if (character === '/') this.#comment()
      else return
    }
  }

  #comment(): void {
    const second = this.#text[this.at + 1]
    const close = second === '/' ? '\n' : second === '*' ? '*/' : undefined
    if (close === undefined) throw this.#broken('a single "/" stands where no text may be')
    const end = this.#text.indexOf(close, this.at + 2)
    if (end === -1) {
      this.at = this.#text.length
      throw this.#broken('a comment is not closed')
    }
    this.at = end + close.length
  }

  #broken(why: string): Broken {
    if (this.at >= this.#text.length) return new Broken('the JSON is not finished: it ends in the middle')
    return new Broken(`the JSON is broken at character ${this.at + 1}: ${why}`)
  }
}
