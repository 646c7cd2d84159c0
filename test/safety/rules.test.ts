/** Rules of the settings file, by the real program. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createHome, run, start } from '../e2e/program.ts'

const RULES = `
policy:
  rules:
    - name: no-uploads
      decision: deny
      command: rsync
      args: ['*:*']
      reason: Nothing leaves this server by rsync.
      matches: ['rsync -a . host:dir']
      nonMatches: ['rsync -a a/ b/']
    - name: ask-before-touching
      decision: ask
      command: touch
      matches: [touch x]
      nonMatches: [ls]
`

describe('rules of the settings file', () => {
  it('refuse and ask, and policy check names the one that decided each part', async () => {
    using home = createHome()
    writeFileSync(join(home.folder, 'settings.yaml'), RULES)
    const refused = await run(home, ['run', '!rsync -a . host:dir'])
    expect(refused.code).toBe(1)
    expect(refused.stdout + refused.stderr).toContain('Nothing leaves this server by rsync.')
    await using asking = start(home, ['run', '!touch made'])
    await asking.printed('assistant approve 2')
    expect(await run(home, ['approve', '2', '--yes'])).toMatchObject({ code: 0 })
    expect((await asking.ended).code).toBe(0)

    const { stdout } = await run(home, ['policy', 'check', "ls; touch a; sh -c 'rsync -a . host:dir'"])
    expect(stdout).toMatch(/^deny: it is never run$/m)
    expect(stdout).toMatch(/^ {3}allow ls$/m)
    expect(stdout).toMatch(/^ {3}ask {3}touch a — rule "ask-before-touching"/m)
    expect(stdout).toMatch(
      /^ {3}deny {2}rsync -a \. host:dir — rule "no-uploads": Nothing leaves this server by rsync\.$/m,
    )
  })

  it.each([
    [
      'whose example does not hold',
      'name: wrong, decision: deny, command: rm, matches: [ls], nonMatches: [cp]',
      '"wrong"',
    ],
    [
      'that is malformed',
      'name: odd, decision: perhaps, command: rm, matches: [rm x], nonMatches: [ls]',
      'rules.0.decision',
    ],
    ['without examples', 'name: bare, decision: deny, command: rm', 'rules.0.matches'],
  ])('%s stops the program and is named', async (_, rule, named) => {
    using home = createHome()
    writeFileSync(join(home.folder, 'settings.yaml'), `policy:\n  rules:\n    - {${rule}}\n`)
    for (const args of [['start'], ['run', '!true'], ['policy', 'check', 'ls']]) {
      const { code, stderr } = await run(home, args)
      expect({ args, code }).toEqual({ args, code: 2 })
      expect(stderr).toContain(named)
    }
  })
})
