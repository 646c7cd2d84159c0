import { describe, expect, test } from 'vitest'
import type { NetworkRequest, Plan } from '../../src/core/plan.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import type { Rule } from '../../src/policy/rules.ts'

const policy = createPolicy({ rules: [] })

function plan(commands: string[], network: NetworkRequest | null = null): Plan {
  return { commands, summary: '', network }
}

describe('a review', () => {
  test('judges each step by itself and the plan by its strictest', () => {
    const verdict = policy.review(plan(['ls', 'rm -rf build', 'sudo ls']), { sandbox: 'full' })
    expect(verdict.decision).toBe('deny')
    expect(verdict.steps.map((step) => step.decision)).toEqual(['allow', 'allow', 'deny'])
    expect(verdict.steps[2]?.reasons).toEqual([expect.stringContaining('needs root')])
    expect(verdict.steps[0]).toEqual({ decision: 'allow', badges: ['reads'], reasons: [] })
  })

  test('asks once, for the plan, when it asks for the network', () => {
    const network = { reason: 'to fetch the page', hosts: ['example.org'] }
    const verdict = policy.review(plan(['curl https://example.org'], network), { sandbox: 'full' })
    expect(verdict.decision).toBe('ask')
    expect(verdict.reasons).toEqual(['It asks for the network: example.org (to fetch the page).'])
    expect(verdict.steps[0]).toMatchObject({ decision: 'allow', badges: expect.arrayContaining(['network']) })
  })

  test('asks also for a network to anywhere, and for one that no command uses', () => {
    const verdict = policy.review(plan(['ls'], { reason: '', hosts: [] }), { sandbox: 'full' })
    expect(verdict).toMatchObject({
      decision: 'ask',
      reasons: ['It asks for the network: no host is named, so none can be reached.'],
    })
  })

  test('where there is no network to give, refuses a plan that asks for it, and lets a command that needs it try', () => {
    const context = { sandbox: 'full', networkPossible: false } as const
    expect(policy.review(plan(['curl x.org'], { reason: '', hosts: [] }), context)).toMatchObject({ decision: 'deny' })
    const tried = policy.review(plan(['curl x.org']), context)
    expect(tried).toMatchObject({ decision: 'allow', steps: [{ reasons: [expect.stringContaining('it will fail')] }] })
    expect(policy.explain('curl x.org', { ...context, sandbox: 'none' }).decision).toBe('ask')
  })

  test('refuses what it refuses, network or not', () => {
    const verdict = policy.review(plan(['rm -rf /'], { reason: '', hosts: ['a.org'] }), { sandbox: 'full' })
    expect(verdict.decision).toBe('deny')
  })
})

describe('the network that a plan needs', () => {
  test('is told by its programs and the hosts in their words', () => {
    const needed = policy.networkNeeded(
      plan([
        'curl -s https://user:pw@api.example.org:8443/x?y | jq .',
        'git clone git@github.com:a/b.git',
        'ssh example.net ls',
      ]),
    )
    expect(needed).toEqual({
      reason: 'needed by curl, git, ssh',
      hosts: ['api.example.org', 'github.com', 'example.net'],
    })
  })

  test('is there for bash’s own sockets, and for hosts that are computed', () => {
    expect(policy.networkNeeded(plan(['echo x > /dev/tcp/example.org/80']))).toMatchObject({ hosts: ['example.org'] })
    expect(policy.networkNeeded(plan(['curl "$URL"']))).toEqual({ reason: 'needed by curl', hosts: [] })
  })

  test.each(['ls', 'curl localhost:80', 'echo curl', 'git log', "echo '"])('is none for %s', (command) => {
    expect(policy.networkNeeded(plan([command]))).toBeNull()
  })
})

describe('without a sandbox', () => {
  test.each([
    'ls -la',
    'cat a.txt | sort | uniq -c',
    'grep -rn todo src',
    'find . -name "*.ts" -type f',
    'cat *.csv 2>/dev/null',
    'cd sub && ls',
    'sort -u -k2,2n a.txt',
    '[ -f x ] && cat x',
    "printf '%s\\n' a",
    'head -5 data.csv && tail -5 data.csv',
    'echo hello',
    'pwd',
  ])('%s needs no approval', (command) => {
    expect(policy.explain(command, { sandbox: 'none' })).toMatchObject({ decision: 'allow', reasons: [] })
  })

  test.each([
    'cat /etc/passwd',
    'cat ~/.ssh/id_rsa',
    'cat ../x',
    'cat x/../../y',
    'cat "$HOME/x"',
    'cat $(ls)',
    'echo $SECRET',
    'ls > x',
    'cat < /etc/passwd',
    'grep -f/etc/passwd x',
    'grep --file=/etc/passwd x',
    'sort -o x y',
    'find . -delete',
    'find . -exec cat {} +',
    'find . -fprint x',
    'jq -n env',
    'jq -n $ENV.X',
    'date -s 10:00',
    'uniq a b',
    'sort --comp=./evil x',
    'sort --outp x',
    'sort *',
    'find * -type f',
    'wc --files0=x',
    'md5sum -c x',
    'printf -v PATH .',
    "[ -v 'a[$(id)]' ]",
    "test -v 'a[`id`]'",
    'for PATH in .; do ls; done',
    '((PATH=1)); ls',
    'ls {PATH}>/dev/null',
    'cat <<E\n$SECRET\nE',
    'cat <<< "$SECRET"',
    'cat <<E\nhi\nE',
    '[[ -n $SECRET ]]',
    'case $x in *) ls ;; esac',
    '(ls)',
    'coproc ls',
    'cd',
    'cd -',
    'cd -P x',
    'cd sub; cd',
    'cat sub/../../x',
    'jq -n \'import "a" as a; 1\'',
    './ls',
    '/bin/ls',
    'x=1 ls',
    'PATH=. ls',
    'ls() { :; }; ls',
    'ls | xargs cat',
    'python3 x.py',
    'make',
    'mkdir x',
    'rm x',
    'touch x',
    'sudo ls',
    'curl example.org',
    'env',
    'export A=b',
    'cat *.txt | tee x',
    'unheard-of-program',
  ])('%s asks', (command) => {
    const verdict = policy.explain(command, { sandbox: 'none' })
    expect(verdict.decision).toBe('ask')
    expect(verdict.reasons.join()).toMatch(/no sandbox here|network/)
  })

  test('a rule of the operator can allow more, but only when it covers every part', () => {
    const rule: Rule = { name: 'make', decision: 'allow', command: 'make', matches: ['make x'], nonMatches: ['ls'] }
    const allowing = createPolicy({ rules: [rule] })
    expect(allowing.explain('make all', { sandbox: 'none' }).decision).toBe('allow')
    expect(allowing.explain('make all; rm x', { sandbox: 'none' }).decision).toBe('ask')
    expect(allowing.explain('make > x', { sandbox: 'none' }).decision).toBe('ask')
    expect(allowing.explain('LD_PRELOAD=x make', { sandbox: 'none' }).decision).toBe('ask')
  })
})

describe('an explanation', () => {
  test('names each part with its badges, however deep it stands, and the rule that decided', () => {
    const rule: Rule = {
      name: 'no wiping',
      decision: 'ask',
      command: 'rm',
      args: ['-r*'],
      matches: ['rm -rf x'],
      nonMatches: ['rm x'],
    }
    const explained = createPolicy({ rules: [rule] }).explain("ls | xargs sh -c 'rm -rf old > log'", {
      sandbox: 'full',
    })
    expect(explained).toMatchObject({ decision: 'ask', reasons: ['The rule "no wiping" says: ask.'] })
    expect(explained.parts.map((part) => [part.part, part.decision, part.rule])).toEqual([
      ['ls', 'allow', null],
      ['xargs sh -c rm -rf old > log', 'allow', null],
      ['sh -c rm -rf old > log', 'allow', null],
      ['rm -rf old', 'ask', 'no wiping'],
      ['> log', 'allow', null],
    ])
  })

  test('is the same as what a review of that one command says', () => {
    for (const command of ['ls', 'curl x.org', 'sudo ls', 'rm "', '$X']) {
      const { decision, badges, reasons } = policy.explain(command, { sandbox: 'weak' })
      expect(policy.review(plan([command]), { sandbox: 'weak' }).steps).toEqual([{ decision, badges, reasons }])
    }
  })
})
