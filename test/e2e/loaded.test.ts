import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createHome, freePort, type Home, run, start } from './program.ts'

const TELLER = new URL('../fixtures/tell-modules.js', import.meta.url).href

/** What is started in this home from now on tells what it loads. */
function tellModules({ folder, environment }: Home): () => string[] {
  environment.NODE_OPTIONS = `--import=${TELLER}`
  environment.TOLD_MODULES = join(folder, 'modules')
  return () => readFileSync(join(folder, 'modules'), 'utf8').split('\n')
}

/** The packages and the project's own folders among them. */
function partsOf(modules: readonly string[]): string[] {
  const matches = modules.map((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)|((?:src|adapters)\/[a-z]+)\//.exec(url))
  return [...new Set(matches.flatMap((match) => match?.[1] ?? match?.[2] ?? []))].sort()
}

describe('what a part does not need', () => {
  it('is not loaded by `list`', async () => {
    using home = createHome()
    await run(home, ['run', '!true'])
    const modules = tellModules(home)
    expect((await run(home, ['list'])).code).toBe(0)
    expect(partsOf(modules())).toEqual([
      'adapters/cli',
      'better-sqlite3',
      'commander',
      'get-east-asian-width',
      'pretty-bytes',
      'src/app',
      'src/core',
      'src/inbox',
      'src/ports',
      'src/store',
      'src/workspace',
      'zod',
    ])
    const languages = modules().filter((url) => url.includes('zod/v4/locales/'))
    expect(languages).toEqual([expect.stringMatching(/\/en\.js$/)])
  })

  it('is not loaded for a chat that has no tokens', async () => {
    const port = await freePort()
    using home = createHome({ ASSISTANT_API_PORT: String(port) })
    const modules = tellModules(home)
    await using program = start(home, ['start'])
    await program.printed(`http://127.0.0.1:${port}`)
    const parts = partsOf(modules())
    expect(parts).toContain('fastify')
    for (const chat of ['@slack/bolt', 'discord.js', 'adapters/slack', 'adapters/discord']) {
      expect(parts).not.toContain(chat)
    }
  })
})
