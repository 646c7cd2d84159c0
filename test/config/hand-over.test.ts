/** The `assistant` command before the program begins, in a clone of the test's own. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

const shipped = readFileSync(new URL('../../config/assistant.js', import.meta.url), 'utf8')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assistant-hand-over-'))
  chmodSync(folder, 0o755)
  for (const name of ['config', 'src', 'node_modules/node/bin']) mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  writeFileSync(join(folder, 'src/main.ts'), `console.log('begun')`)
  symlinkSync(process.execPath, join(folder, 'node_modules/node/bin/node'))
})
afterEach(() => rmSync(folder, { recursive: true }))

interface How {
  /** What it is started through. */
  before?: readonly string[]
  node?: readonly string[]
  args?: readonly string[]
}

function run(script: string, { before = [], node = [], args = [] }: How = {}) {
  const main = join(folder, 'config/assistant.js')
  writeFileSync(main, script)
  const [program = '', ...rest] = [...before, process.execPath, ...node, main, ...args]
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8', env: {}, cwd: '/', timeout: 60_000 })
  return { status, stdout, stderr }
}

it('says what to do when the Node that came with it is too old as well, and starts it no second time', () => {
  const ahead = shipped.replace(/NEEDED_MAJOR = \d+/, 'NEEDED_MAJOR = 999')
  expect(ahead).not.toBe(shipped)
  expect(run(ahead)).toEqual({ status: 2, stdout: '', stderr: expect.stringContaining('npm start') })
})

it.runIf(process.getuid?.() === 0)(
  'begins for a user whom the system does not know, in a clone of somebody else',
  () => {
    const nobody = ['/usr/bin/setpriv', '--reuid=64321', '--regid=64321', '--clear-groups']
    expect(run(shipped, { before: nobody })).toEqual({ status: 0, stdout: 'begun\n', stderr: '' })
  },
)

it.each(['start', 'worker', 'api', 'chat'])(
  '%s runs with bounded memory however it is started, in the same process',
  (role) => {
    writeFileSync(
      join(folder, 'src/main.ts'),
      'console.log(JSON.stringify([process.execArgv, process.env.MALLOC_TRIM_THRESHOLD_ ?? null, process.argv.slice(2)]))',
    )
    const bounded = JSON.stringify([['--max-semi-space-size=4'], '131072', [role, '--json']])
    expect(run(shipped, { args: [role, '--json'] })).toEqual({ status: 0, stdout: `${bounded}\n`, stderr: '' })
    const chosen = ['--max-semi-space-size=32']
    const asChosen = JSON.stringify([chosen, null, [role]])
    expect(run(shipped, { node: chosen, args: [role] })).toEqual({ status: 0, stdout: `${asChosen}\n`, stderr: '' })
  },
)
