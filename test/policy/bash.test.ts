import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCommand } from '../../src/policy/read-command.ts'

/**
 * The reader against the shell itself: a program called `alpha` is hidden in ever new ways, bash really runs the text,
 * and whenever `alpha` ran, the reader must have seen it, or have said that it could not see.
 */
const PROGRAM = 'alpha'
let folder = ''
let ran = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'reader-'))
  ran = join(folder, 'ran')
  writeFileSync(join(folder, PROGRAM), `#!/bin/sh\n: > '${ran}'\n`)
  chmodSync(join(folder, PROGRAM), 0o755)
})
afterAll(() => rmSync(folder, { recursive: true }))

function bashRuns(text: string): boolean {
  rmSync(ran, { force: true })
  try {
    const env = { PATH: `${folder}:/usr/bin:/bin` }
    execFileSync('bash', ['-c', text], { cwd: folder, env, stdio: 'ignore', timeout: 20_000 })
  } catch {
    // How the text ends does not matter here, only what it ran.
  }
  return existsSync(ran)
}

function readerSees(text: string): boolean {
  const reading = readCommand(text)
  const isNamed = reading.calls.some((call) => call.name === PROGRAM)
  return isNamed || reading.unreadable.length + reading.doubtful.length > 0 || reading.problem !== null
}

const single = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
const double = (text: string) => `"${text.replace(/[\\"$`]/g, '\\$&')}"`
const back = (text: string) => `\`${text.replace(/[\\`$]/g, '\\$&')}\``

const NAMES = [
  PROGRAM,
  'al\\pha',
  "al''pha",
  './alpha',
  '{alpha,x}',
  "$'\\x61lpha'",
  'X=1 alpha',
  '>/dev/null alpha',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: shell text
  '${nn:-alpha}',
  'alph?',
  '$(echo alpha)',
  'a=alpha; $a',
]

const WRAPPINGS: readonly ((text: string) => string)[] = [
  (s) => `( ${s} )`,
  (s) => `{ ${s}; }`,
  (s) => `echo "$( ${s} )"`,
  (s) => `echo ${back(s)}`,
  (s) => `cat <( ${s} )`,
  (s) => `if true; then ${s}; fi`,
  (s) => `if ${s}; then :; fi`,
  (s) => `for i in 1; do ${s}; done`,
  (s) => `f() { ${s}; }; f`,
  (s) => `function g { ${s}; }; g`,
  (s) => `ls | ${s}`,
  (s) => `${s} | cat`,
  (s) => `false || ${s}`,
  (s) => `! ${s}`,
  (s) => `time ${s}`,
  (s) => `x=$( ${s} )`,
  (s) => `a=(1 $( ${s} ))`,
  (s) => `case x in x) ${s} ;; esac`,
  (s) => `until ${s}; do break; done`,
  (s) => `select i in 1; do ${s}; break; done <<< 1`,
  (s) => `[[ -n $( ${s} ) ]]`,
  (s) => `(( $( ${s} >/dev/null; echo 1 ) ))`,
  (s) => `echo $(( $( ${s} >/dev/null; echo 1 ) ))`,
  (s) => `echo \${zz:-$( ${s} )}`,
  (s) => `echo "\${a[$( ${s} >/dev/null; echo 0 )]}"`,
  (s) => `cat <<E\n$( ${s} )\nE\n`,
  (s) => `exec 3< <( ${s} )`,
  (s) => `coproc { ${s}; }\nwait`,
  (s) => `${s} &\nwait`,
  (s) => `sh -c ${single(s)}`,
  (s) => `bash -ec ${double(s)}`,
  (s) => `eval ${single(s)}`,
  (s) => `p=${single(s)}; eval "$p"`,
  (s) => `echo ${single(s)} | sh`,
  (s) => `printf '%s\\n' ${single(s)} | bash`,
  (s) => `sh <<< ${single(s)}`,
  (s) => `bash <<'E'\n${s}\nE\n`,
  (s) => `cat <<'E' | sh\n${s}\nE\n`,
  (s) => `source <(echo ${single(s)})`,
  (s) => `trap ${single(s)} EXIT`,
  (s) => `shopt -s expand_aliases\nalias zz=${single(s)}\nzz`,
  (s) => `env -u B A=1 sh -c ${single(s)}`,
  (s) => `env -S ${single(`sh -c ${double(s)}`)}`,
  (s) => `nice -n 1 timeout 5 sh -c ${single(s)}`,
  (s) => `setsid -w sh -c ${single(s)}`,
  (s) => `command -- sh -c ${single(s)}`,
  (s) => `xargs -I% sh -c ${single(s)} <<< x`,
  (s) => `find / -maxdepth 0 -exec sh -c ${single(s)} {} +`,
  (s) => `awk ${single(`BEGIN { system(${double(s)}) }`)}`,
  (s) => `mapfile -C ${single(`${s} #`)} -c 1 arr <<< x`,
  (s) => `compgen -C ${single(`${s} #`)}`,
  (s) => `BASH_ENV=<( echo ${single(s)} ) bash -c :`,
  (s) => `PS4=${single(`$(${s})`)}; set -x; :`,
  (s) => `[ -v 'q[$(${s})]' ]`,
  (s) => `printf -v 'q[$(${s})]' x`,
  (s) => `let 'q[$(${s})]=1'`,
  (s) => `declare 'q[$(${s})]=1'`,
  (s) => `read 'q[$(${s})]' <<< x`,
  (s) => `X='q[$(${s})]'; echo $((X))`,
  (s) => `X='q[$(( ${s} ) | cat)]'; echo $((X))`,
]

describe('what bash runs, the reader has seen', () => {
  test('under each name and in each wrapping by itself', () => {
    for (const name of NAMES) {
      expect([name, bashRuns(name)]).toEqual([name, true])
      expect([name, readerSees(name)]).toEqual([name, true])
    }
    const texts = WRAPPINGS.map((wrap) => wrap(PROGRAM))
    const hidden = texts.filter((text) => bashRuns(text) && !readerSees(text))
    expect(hidden).toEqual([])
    // Were bash to refuse them all, nothing would be shown.
    expect(texts.filter(bashRuns).length).toBeGreaterThan(WRAPPINGS.length * 0.8)
  })

  test('in wrappings inside wrappings', () => {
    const wrappings = fc.array(fc.constantFrom(...WRAPPINGS), { minLength: 2, maxLength: 3 })
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), wrappings, (name, wraps) => {
        const text = wraps.reduce((inner, wrap) => wrap(inner), name)
        // Bash is asked only where the reader saw nothing: most often it did.
        expect([text, readerSees(text) || !bashRuns(text)]).toEqual([text, true])
      }),
      { numRuns: 3000 },
    )
  })
})
