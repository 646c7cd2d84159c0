import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { main } from '../bench/policy.ts'

test('the bench stays within its limits on our sample, and fails on a corpus of which too much is refused', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const folder = await mkdtemp(join(tmpdir(), 'corpora-'))
  try {
    expect(await main([])).toBe(0)
    expect(log.mock.calls.join('\n')).toMatch(
      /commands-sample\.txt: 20 commands, asked 0\.00 .* refused 0\.00 .* µs per command/,
    )
    await writeFile(join(folder, 'commands.txt'), 'ls\nsudo ls\n')
    await writeFile(join(folder, 'commands-model-written.txt'), 'ls\n')
    await writeFile(join(folder, 'commands-tldr.txt'), 'curl example.org\n')
    expect(await main([folder])).toBe(1)
    expect(log.mock.calls.join('\n')).toMatch(/refused 50\.00 per 100.*over the limit/)
  } finally {
    log.mockRestore()
    await rm(folder, { recursive: true })
  }
})
