import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPolicy } from '../../src/policy/policy.ts'

const policy = createPolicy({ rules: [] })
const CONTEXTS = ['full', 'weak', 'none'] as const

const PIECES = [
  ...[
    'ls',
    'rm -rf /',
    'sh -c ',
    'eval ',
    'env ',
    'xargs ',
    'find . -exec ',
    'sudo ',
    'awk ',
    'echo ',
    'cat ',
    'nice -n ',
    'alias a=',
  ],
  ...[
    '$(',
    ')',
    '`',
    '"',
    "'",
    '${',
    '}',
    '((',
    '))',
    '{',
    '[[',
    ']]',
    '<(',
    '>(',
    '|',
    '&',
    ';',
    '&&',
    '\n',
    '\\',
    '$',
    '*',
    '?',
  ],
  ...[
    '<<E\n',
    '\nE\n',
    '<<<',
    '> ',
    '2>&1',
    '< ',
    '>&',
    'if ',
    'then ',
    'fi',
    'for x in ',
    'do ',
    'done',
    'case ',
    'esac',
    'f() ',
    '$X',
  ],
  ...[' ', ' ', 'a', '/', '=', ',', '-', '#', '!', '\t', 'é', '\u200b', '\0', '\r'],
]
const anyShell = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ maxLength: 200 }),
)

describe('the policy, with anything', () => {
  test('never throws, always decides, and says the same each time', () => {
    fc.assert(
      fc.property(anyShell, fc.constantFrom(...CONTEXTS), (command, sandbox) => {
        const once = policy.explain(command, { sandbox })
        expect(['allow', 'ask', 'deny']).toContain(once.decision)
        expect(policy.explain(command, { sandbox })).toEqual(once)
        policy.networkNeeded({ commands: [command], summary: '', network: null })
      }),
      { numRuns: 4000 },
    )
  })

  test('is never laxer in a weaker box', () => {
    const rank = { allow: 0, ask: 1, deny: 2 }
    fc.assert(
      fc.property(anyShell, (command) => {
        const [full, weak, none] = CONTEXTS.map((sandbox) => policy.explain(command, { sandbox }).decision)
        if (full === undefined || weak === undefined || none === undefined) throw new Error('three contexts')
        expect(rank[weak]).toBeGreaterThanOrEqual(rank[full])
        // Where there is no box, what only the box cannot give is a person's decision, never allowed outright.
        expect(rank[none]).toBeGreaterThanOrEqual(Math.min(rank[weak], 1))
      }),
      { numRuns: 2000 },
    )
  })

  test('finds a destruction wherever it stands', () => {
    const around = fc.constantFrom<[string, string]>(
      ['', ''],
      ['( ', ' )'],
      ['{ ', '; }'],
      ['echo "$( ', ' )"'],
      ['cat <(', ')'],
      ['if true; then ', '; fi'],
      ['while false; do ', '; done'],
      ['f() { ', '; }'],
      ['ls | ', ''],
      ['ls || ', ' &'],
      ['x=$( ', ' )'],
      ['nice ', ''],
      ['cat <<E\n$( ', ' )\nE\n'],
    )
    fc.assert(
      fc.property(fc.array(around, { maxLength: 6 }), (wrappings) => {
        const text = wrappings.reduce((inner, [before, after]) => before + inner + after, 'rm -rf /')
        expect([text, policy.explain(text, { sandbox: 'full' }).decision]).not.toEqual([text, 'allow'])
      }),
      { numRuns: 1000 },
    )
  })

  // Quadratic or worse would take minutes; the bound is far from what any machine needs.
  test.each([
    '$(',
    '"$(',
    '`',
    '<(',
    '((',
    '{a,',
    '${a:-',
    "awk 'print print ",
    'sh -c ',
    'eval "',
    'f(){ ',
    'nice ',
    'alias a=b ',
    '<<E\n',
    'ls;',
    "'\\''",
  ])('takes bounded time for the largest command made of %s', (unit) => {
    const command = unit.repeat(Math.floor((16 * 1024) / unit.length))
    // Processor time, so that others do not count.
    const before = process.cpuUsage()
    policy.explain(command, { sandbox: 'full' })
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000)
  })
})
