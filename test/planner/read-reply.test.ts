import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FinishReason, readReply } from '../../src/planner/read-reply.ts'

/** What a reply is worth: its commands, its answer, or words that the reason must hold. */
type Expected = { commands: string[] } | { answer: string } | { invalid: RegExp } | { declined: true }

const FENCE = '```'
const LS = { commands: ['ls'] }

const ROWS: readonly [name: string, reply: string, expected: Expected][] = [
  ['a plain object', '{"commands": ["ls"], "summary": "lists"}', LS],
  ['a bare object', '{"commands": ["ls", "pwd"]}', { commands: ['ls', 'pwd'] }],
  ['an answer', '{"commands": [], "answer": "42"}', { answer: '42' }],
  ['a fenced object', `${FENCE}json\n{"commands": ["ls"]}\n${FENCE}`, LS],
  ['prose around', 'Sure! Here it is: {"commands": ["ls"]} Hope that helps.', LS],
  ['prose with braces around', 'I use {a,b} and { x } and f() { echo hi; }. {"commands": ["ls"]}', LS],
  ['prose with a quoted word in braces', 'f() { "$x"; }\n{"commands": ["ls"]}', LS],
  ['a closed think block', '<think>hm {"commands": ["rm -rf x"]}</think>{"commands": ["ls"]}', LS],
  ['a think block in capitals', '<THINK>{"commands": ["x"]}</THINK>{"commands": ["ls"]}', LS],
  ['a think block whose start the template ate', 'hm {"commands": ["x"]}</think>{"commands": ["ls"]}', LS],
  ['a think block that is not closed', '<think>hm {"commands": ["ls"]}', { invalid: /think block is not closed/ }],
  [
    'think tags inside a string',
    '{"commands": ["echo \'<think></think>\'"]}',
    { commands: ["echo '<think></think>'"] },
  ],
  ['only a think block', '<think>hm</think>', { invalid: /no JSON object/ }],
  ['trailing commas', '{"commands": ["ls",], "summary": "x",}', LS],
  ['comments', '{// why\n"commands": [/* list */ "ls"] /* end */}', LS],
  ['single quotes', "{'commands': ['ls']}", LS],
  ['single quotes with an escaped one', "{'commands': ['echo it\\'s']}", { commands: ["echo it's"] }],
  ['bare keys', '{commands: ["ls"]}', LS],
  ['a raw newline in a string', '{"commands": ["cat <<E\nhi\nE"]}', { commands: ['cat <<E\nhi\nE'] }],
  ['escapes', '{"commands": ["printf \\"a\\\\n\\"\\u0021"]}', { commands: ['printf "a\\n"!'] }],
  ['other keys beside', '{"thoughts": {"a": [1, true, null]}, "commands": ["ls"]}', LS],
  ['an object without commands beside', '{"note": "x"} {"commands": ["ls"]}', LS],
  ['optional keys that are null', '{"commands": ["ls"], "summary": null, "answer": null}', LS],
  ['a byte order mark in front', '\ufeff{"commands": ["ls"]}', LS],
  ['nothing', '', { invalid: /empty/ }],
  ['white space', ' \n\t ', { invalid: /empty/ }],
  ['prose only', 'You can run ls to see the files.', { invalid: /no JSON object/ }],
  ['prose with a fenced command', `Run this:\n${FENCE}sh\nrm -rf x\n${FENCE}`, { invalid: /no JSON object/ }],
  ['a refusal', "I'm sorry, but I can't help with that.", { declined: true }],
  ['a refusal with a typographic apostrophe', 'I can’t do this.', { declined: true }],
  ['wrong keys', '{"cmd": "ls"}', { invalid: /"cmd".*not the key "commands"/ }],
  ['wrong capitals in the key', '{"Commands": ["ls"]}', { invalid: /"Commands"/ }],
  ['an empty object', '{}', { invalid: /no keys/ }],
  ['a list of objects as commands', '{"commands": [{"command": "ls"}]}', { invalid: /commands\.0/ }],
  ['a list of objects', '[{"commands": ["ls"]}]', { invalid: /list/ }],
  ['a list of strings', '["ls"]', { invalid: /no JSON object/ }],
  ['commands as one string', '{"commands": "ls"}', { invalid: /commands/ }],
  ['an empty command', '{"commands": [" "]}', { invalid: /empty/ }],
  ['no commands and no answer', '{"commands": []}', { invalid: /no commands and no "answer"/ }],
  ['no commands and an empty answer', '{"commands": [], "answer": " "}', { invalid: /no "answer"/ }],
  ['two objects with commands', '{"commands": ["ls"]} {"commands": ["pwd"]}', { invalid: /two objects/ }],
  ['double braces', '{{"commands": ["ls"]}}', { invalid: /inside other brackets/ }],
  ['duplicate keys', '{"commands": ["ls"], "commands": ["pwd"]}', { invalid: /twice/ }],
  ['duplicate keys deeper down', '{"x": {"a": 1, "a": 2}, "commands": ["ls"]}', { invalid: /twice/ }],
  ['a reply cut in a string', '{"commands": ["rm -rf /tmp/x', { invalid: /not finished/ }],
  ['a reply cut between commands', '{"commands": ["cd build", ', { invalid: /not finished/ }],
  ['a reply cut before its last brace', '{"commands": ["ls"]', { invalid: /not finished/ }],
  ['a cut object after a whole one', '{"commands": ["ls"]} {"commands": ["p', { invalid: /not finished/ }],
  ['a lone brace', '{', { invalid: /not finished/ }],
  ['an unknown escape', '{"commands": ["awk \\$1"]}', { invalid: /escape/ }],
  ['an escaped quote of the other kind', '{"commands": ["echo \\\'hi\\\'"]}', { invalid: /escape/ }],
  ['a half unicode escape', '{"commands": ["\\u12"]}', { invalid: /hexadecimal/ }],
  ['a missing comma', '{"commands": ["ls" "pwd"]}', { invalid: /comma/ }],
  ['quotes that do not pair', '{"commands": ["echo "hi""]}', { invalid: /comma/ }],
  ['words of another language', '{"commands": ["ls"], "network": True}', { invalid: /"True" is no value/ }],
  ['a comment that does not end', '{"a": 1, /* "commands": ["ls"]}', { invalid: /not finished/ }],
  ['a NUL', '{"commands": ["ls\\u0000"]}', { invalid: /NUL/ }],
  ['a carriage return', '{"commands": ["ls\\r"]}', { invalid: /carriage return/ }],
  ['a terminal escape', '{"commands": ["\\u001b[2Jls"]}', { invalid: /terminal escape/ }],
  ['a bidirectional mark', '{"commands": ["ls \\u202e"]}', { invalid: /bidirectional/ }],
  ['a zero-width character', '{"commands": ["l\\u200bs"]}', { invalid: /zero-width/ }],
  ['a tag character', '{"commands": ["ls \\udb40\\udc41"]}', { invalid: /tag character/ }],
  ['half a character', '{"commands": ["ls \\ud800"]}', { invalid: /half a character/ }],
  ['65 commands', JSON.stringify({ commands: Array(65).fill('ls') }), { invalid: /commands/ }],
  ['a command of 17 KiB', JSON.stringify({ commands: ['x'.repeat(17 * 1024)] }), { invalid: /16 KiB/ }],
  ['a reply of 257 KiB', `{"commands": ["ls"]}${' '.repeat(257 * 1024)}`, { invalid: /256 KiB/ }],
  [
    'a host with a scheme',
    '{"commands": ["ls"], "network": true, "network_hosts": ["https://x/"]}',
    { invalid: /host names/ },
  ],
  ['a key that is a prototype', '{"__proto__": {"commands": ["x"]}, "commands": ["ls"]}', LS],
  ['nesting without end', `{"a":${'['.repeat(5000)}`, { invalid: /deep/ }],
]

function outcome(text: string, finish: FinishReason = 'stop') {
  const reply = readReply(text, finish)
  if (reply.kind === 'plan') return { commands: reply.plan.commands }
  return reply.kind === 'answer' ? { answer: reply.answer } : reply
}

describe('replies of a model', () => {
  test.each(ROWS)('%s', (_name, text, expected) => {
    const reply = outcome(text)
    if ('invalid' in expected) expect(reply).toEqual({ kind: 'invalid', why: expect.stringMatching(expected.invalid) })
    else if ('declined' in expected) expect(reply).toMatchObject({ kind: 'declined' })
    else expect(reply).toEqual(expected)
  })

  test('a network request is taken with its reason and hosts, and only when it is asked for', () => {
    const asked = readReply(
      '{"commands": ["curl x"], "network": true, "network_reason": "r", "network_hosts": ["a.org"]}',
      'stop',
    )
    expect(asked).toMatchObject({ plan: { network: { reason: 'r', hosts: ['a.org'] } } })
    expect(readReply('{"commands": ["ls"], "network": false, "network_hosts": ["a.org"]}', 'stop')).toMatchObject({
      plan: { network: null },
    })
  })

  test.each(['length', 'too_large', 'other'] as const)(
    'a reply that ended by %s is not taken, whole as it looks',
    (finish) => {
      expect(outcome('{"commands": ["ls"]}', finish)).toMatchObject({ kind: 'invalid' })
    },
  )
})

describe('the reply reader, with anything', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    ':',
    ',',
    '\\',
    '/',
    '/*',
    '*/',
    '//',
    '\n',
    '<think>',
    '</think>',
    'commands',
    '"commands"',
    '{"commands":["ls"]}',
    'a',
    ' ',
    '\\u',
    '0',
    'null',
    '```',
  )

  test('never throws and always says what a reply is', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(['plan', 'answer', 'declined', 'invalid']).toContain(readReply(text, 'stop').kind)
      }),
      { numRuns: 3000 },
    )
  })

  test('reads back what JSON.stringify writes', () => {
    const command = fc.string({ minLength: 1, maxLength: 50 }).map((text) => `x${text}`)
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 8 }), fc.nat(8), (commands, indent) => {
        expect(outcome(JSON.stringify({ commands }, null, indent))).toEqual({ commands })
      }),
    )
  })

  test('never takes a reply that was cut, wherever it was cut', () => {
    const command = fc.string({ minLength: 1, maxLength: 30 }).map((text) => `x${text}`)
    const reply = fc.record({ commands: fc.array(command, { minLength: 1, maxLength: 4 }), summary: fc.string() })
    fc.assert(
      fc.property(reply, fc.nat(), (value, at) => {
        const text = JSON.stringify(value)
        expect(readReply(text.slice(0, at % text.length), 'stop').kind).toBe('invalid')
      }),
      { numRuns: 2000 },
    )
  })

  // A quadratic reader would need minutes for the larger one; the bound is far from what any machine needs. Processor time, so that others do not count.
  test.each(['{', '{"', "{'", '{a', '{/*', '[{', '[ ', '<think></think>', '{"a":{', '{"{\'', '<', '{ ', '"{', '/*{'])(
    'takes a time that is linear in the length: %s',
    (unit) => {
      const text = unit.repeat(Math.floor((256 * 1024) / unit.length))
      const before = process.cpuUsage()
      readReply(text, 'stop')
      expect(process.cpuUsage(before).user).toBeLessThan(5_000_000)
    },
  )
})
