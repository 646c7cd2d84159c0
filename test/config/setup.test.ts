/** The set-up that npm start and npm test run first, with package managers of the test's own. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const shipped = fileURLToPath(new URL('../../config/setup.js', import.meta.url))
const isRoot = process.getuid?.() === 0

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assistant-setup-'))
  symlinkSync(process.execPath, join(folder, 'node'))
  for (const name of ['config', 'node_modules', 'node_modules/.bin']) mkdirSync(join(folder, name))
  copyFileSync(shipped, join(folder, 'config', 'setup.js'))
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  writeFileSync(join(folder, 'package-lock.json'), '{}')
  program('npm', recorded('npm'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function program(name: string, script = 'exit 0'): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, name), 0o755)
}

/** Runs it with nothing on the PATH but what the test has put there. */
function run() {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'config', 'setup.js')], {
    encoding: 'utf8',
    env: { PATH: folder },
  })
  return { status, stdout, stderr, did: read('calls') }
}

function read(name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return '' // Nothing was called.
  }
}

const recorded = (name: string) => `echo "${name} $*" >> ${folder}/calls`

describe('the set-up', () => {
  it('installs the packages of the lock file once, and again when it has changed; else it does and says nothing', () => {
    for (const name of ['bwrap', 'perl', 'socat']) program(name)
    program('apt-get', recorded('apt-get'))
    const once = 'npm ci --include=dev --no-audit --no-fund --loglevel=error\n'
    expect(run().did).toBe(once)
    expect(readlinkSync(join(folder, 'node_modules/.bin/assistant'))).toBe('../../config/assistant.js')
    expect(run()).toEqual({ status: 0, stdout: '', stderr: '', did: once })
    writeFileSync(join(folder, 'package-lock.json'), '{"changed": true}')
    expect(run().did).toBe(once + once)
  })

  it('ends with what to do when the packages cannot be had', () => {
    program('npm', 'exit 1')
    const { status, stderr } = run()
    expect(status).toBe(1)
    expect(stderr).toContain('npm registry')
  })

  it.runIf(isRoot)(
    'as root installs what is missing through the package manager, and keeps stdout for the program',
    () => {
      program('bwrap')
      program('perl')
      program('apt-get', `${recorded('apt-get')}; case "$*" in install*) : > ${folder}/socat;; esac`)
      const { status, stdout, did, stderr } = run()
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
      expect(did).toContain('apt-get update -qq\napt-get install -y -qq --no-install-recommends socat\n')
      expect(stderr).not.toContain('Still missing')
    },
  )

  it('says the one command to run, and what will not work until then, when it cannot install', () => {
    program('apt-get', 'exit 1')
    program('sudo', 'exit 1')
    const { status, stderr } = run()
    expect(status).toBe(0)
    expect(stderr).toContain('Run: sudo apt-get install bubblewrap perl socat')
    expect(stderr).toContain('until then no task can run: there is no sandbox')
    expect(stderr).toContain('until then no task can run: nothing starts its sandbox')
    expect(stderr).toContain('until then no task can be given the network')
  })

  it('names the packages where it knows no package manager', () => {
    expect(run().stderr).toContain('Still missing: bubblewrap, perl, socat')
  })
})
