/** Files that a command hands over on its way out: nobody else goes on with them while the program runs. */
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createHome, run } from './program.ts'

it('a request that is only left there has its files, and one whose files were given up fails at once', async () => {
  using home = createHome()
  const file = join(home.folder, 'large.bin')
  writeFileSync(file, '')
  truncateSync(file, 64 * 1024 * 1024)
  expect((await run(home, ['run', '-d', '!wc -c inputs/large.bin', '--file', file])).code).toBe(0)
  expect((await run(home, ['show', '1', '--json'])).stdout).toContain('"state":"saved"')
  await run(home, ['cancel', '1'])
  expect((await run(home, ['retry', '1'])).code).toBe(0)
  expect((await run(home, ['show', '2', '--json'])).stdout).toContain('"state":"saved"')
  await run(home, ['cancel', '2'])
  expect((await run(home, ['discard', '2'])).code).toBe(0)
  expect((await run(home, ['retry', '2'])).code).toBe(0)
  expect((await run(home, ['show', '3'])).stdout).toMatch(/❌ Failed(.|\n)*large\.bin/)
})
