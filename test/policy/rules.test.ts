import { describe, expect, test } from 'vitest'
import { SetupError } from '../../src/core/errors.ts'
import type { Decision } from '../../src/core/verdict.ts'
import { matchesGlob } from '../../src/policy/glob.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import { type Rule, rulesSchema } from '../../src/policy/rules.ts'

function rule(rest: Partial<Rule> & Pick<Rule, 'matches' | 'nonMatches'>): Rule {
  return { name: 'a rule', decision: 'deny', ...rest }
}

const RULES: Record<string, Rule> = {
  command: rule({ command: 'git*', matches: ['git push', 'git-lfs x'], nonMatches: ['ls git'] }),
  args: rule({
    command: 'git',
    args: ['push', '--force*'],
    matches: ['git push --force-with-lease'],
    nonMatches: ['git push'],
  }),
  path: rule({ path: '*.pem', matches: ['cat x.pem', 'openssl -in=x.pem', 'cat < y.pem'], nonMatches: ['cat pem'] }),
  redirect: rule({
    redirect: 'data/*',
    matches: ['ls > data/x', 'ls >> ./data/x'],
    nonMatches: ['cat < data/x', 'cat data/x'],
  }),
  host: rule({ host: '*.example.org', matches: ['a.example.org'], nonMatches: ['example.org.evil.net'] }),
  both: rule({
    command: 'curl',
    host: 'evil.net',
    matches: ['curl http://evil.net/x'],
    nonMatches: ['curl http://good.net'],
  }),
}

function decide(rules: readonly Rule[], command: string): Decision {
  return createPolicy({ rules }).explain(command, { sandbox: 'full' }).decision
}

describe('a rule of the operator', () => {
  test.each<[keyof typeof RULES, string, Decision]>([
    ['command', 'git status', 'deny'],
    ['command', "sh -c 'x=$(nice git status)'", 'deny'],
    ['command', 'echo git', 'allow'],
    ['args', 'git push origin --force', 'deny'],
    ['args', 'git push origin', 'ask'],
    ['path', 'cp a/../key.pem b', 'deny'],
    ['path', 'cp a b', 'allow'],
    ['redirect', 'ls | tee x > data/y', 'deny'],
    ['redirect', 'ls > other/y', 'allow'],
    ['both', 'curl -s https://evil.net/x', 'deny'],
  ])('on %s: %s', (key, command, decision) => {
    expect(decide([RULES[key] ?? rule({ matches: [], nonMatches: [] })], command)).toBe(decision)
  })

  test('is outdone by a stricter one, whatever their order', () => {
    const allow = rule({ name: 'a', decision: 'allow', command: 'curl', matches: ['curl x'], nonMatches: ['ls'] })
    const deny = rule({ name: 'b', decision: 'deny', args: ['*evil*'], matches: ['curl evil.org'], nonMatches: ['ls'] })
    for (const rules of [
      [allow, deny],
      [deny, allow],
    ]) {
      expect(decide(rules, 'curl good.org')).toBe('allow')
      expect(decide(rules, 'curl evil.org')).toBe('deny')
    }
  })

  test('cannot allow what is refused by itself, nor other parts of the same step', () => {
    const allow = rule({ decision: 'allow', command: '*', matches: ['x'], nonMatches: ['> x'] })
    expect(decide([allow], 'rm -rf /')).toBe('deny')
    expect(decide([allow], 'sudo ls')).toBe('deny')
    expect(decide([allow], 'echo "')).toBe('deny')
    const curl = rule({ decision: 'allow', command: 'curl', matches: ['curl x'], nonMatches: ['ls'] })
    expect(decide([curl], 'curl a.org; wget b.org')).toBe('ask')
  })

  test('gives its own reason', () => {
    const asks = rule({
      decision: 'ask',
      command: 'make',
      reason: 'Builds are expensive.',
      matches: ['make'],
      nonMatches: ['ls'],
    })
    expect(createPolicy({ rules: [asks] }).explain('make', { sandbox: 'full' }).reasons).toEqual([
      'Builds are expensive.',
    ])
  })

  test('on hosts decides on the network of a plan', () => {
    const rules: Rule[] = [
      rule({
        name: 'ours',
        decision: 'allow',
        host: '*.example.org',
        matches: ['a.example.org'],
        nonMatches: ['x.net'],
      }),
      rule({ name: 'never', decision: 'deny', host: 'evil.net', matches: ['evil.net'], nonMatches: ['x.net'] }),
    ]
    const review = (hosts: string[]) =>
      createPolicy({ rules }).review(
        { commands: ['curl x'], summary: '', network: { reason: '', hosts } },
        { sandbox: 'full' },
      ).decision
    expect(review(['A.example.org'])).toBe('allow')
    expect(review(['a.example.org', 'x.net'])).toBe('ask')
    expect(review(['a.example.org', 'evil.net'])).toBe('deny')
    expect(review([])).toBe('ask')
  })
})

describe('a broken rule stops the program and is named', () => {
  test.each<[string, Rule, RegExp]>([
    [
      'an example that it must match',
      rule({ command: 'git', matches: ['ls'], nonMatches: ['ls'] }),
      /does not match "ls"/,
    ],
    [
      'an example that it must not match',
      rule({ command: 'git*', matches: ['git'], nonMatches: ['gitk'] }),
      /it matches "gitk"/,
    ],
    [
      'an example that cannot be read',
      rule({ command: 'git', matches: ['git "'], nonMatches: ['ls'] }),
      /cannot be read/,
    ],
  ])('%s', (_name, broken, why) => {
    const create = () => createPolicy({ rules: [broken] })
    expect(create).toThrow(SetupError)
    expect(create).toThrow(/The policy rule "a rule" is broken/)
    expect(create).toThrow(why)
  })

  test('two of the same name', () => {
    const one = RULES.command ?? rule({ matches: [], nonMatches: [] })
    expect(() => createPolicy({ rules: [one, one] })).toThrow(/same name/)
  })

  test.each([
    ['nothing to match', { name: 'x', decision: 'deny', matches: ['a'], nonMatches: ['b'] }],
    ['no examples', { name: 'x', decision: 'deny', command: 'a', matches: [], nonMatches: [] }],
    ['an unknown key', { name: 'x', decision: 'deny', comand: 'a', command: 'a', matches: ['a'], nonMatches: ['b'] }],
    ['an unknown decision', { name: 'x', decision: 'maybe', command: 'a', matches: ['a'], nonMatches: ['b'] }],
  ])('the schema refuses a rule with %s', (_name, value) => {
    expect(rulesSchema.safeParse([value]).success).toBe(false)
  })
})

describe('a pattern', () => {
  test.each([
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbcd', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['*.pem', 'a/b.pem', true],
    ['a.c', 'abc', false],
    ['**a**', 'bab', true],
    ['*ab*ab', 'xabyabzab', true],
  ])('%s on %s: %s', (pattern, text, matches) => {
    expect(matchesGlob(pattern, text)).toBe(matches)
  })

  test('full of stars does not take for ever', () => {
    expect(matchesGlob('*a'.repeat(100), 'a'.repeat(16_000))).toBe(true)
    expect(matchesGlob(`${'*a'.repeat(100)}b`, 'a'.repeat(16_000))).toBe(false)
  })
})
