import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const main = join(import.meta.dirname, '../../../src/main.ts')

async function assistant(...argv: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [main, ...argv], { env: { PATH: process.env.PATH } })).stdout
}

test.each(['bash', 'zsh', 'fish'])('the script for %s asks this program', async (shell) => {
  expect(await assistant('completion', shell)).toMatch(/assistant complete --|complete --/)
})

test('commands, those within a command, and options are completed', async () => {
  expect(await assistant('complete', '--', 'l')).toMatch(/^list\t.*\nlogs\t/)
  expect(await assistant('complete', '--', 'run', '--')).toMatch(/^--detach\t/m)
  expect(await assistant('complete', '--', 'policy', '')).toMatch(/^check\t/m)
})
