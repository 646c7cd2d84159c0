/** `assistant start` as a person sees it: on a terminal. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createHome, freePort } from './program.ts'

const main = fileURLToPath(new URL('../../config/assistant.js', import.meta.url))

/** What `start` prints on a terminal of util-linux's `script`, until its screen is there and it was asked to stop. */
async function startOnTerminal(more: Record<string, string>): Promise<string> {
  using home = createHome({ ASSISTANT_API_PORT: String(await freePort()), ...more })
  const { ASSISTANT_LOG_LEVEL: _level, ...environment } = home.environment
  const child = spawn('script', ['-qec', `'${process.execPath}' '${main}' start`, '/dev/null'], {
    env: { ...environment, ...more, SHELL: '/bin/sh' },
    stdio: 'pipe',
  })
  let text = ''
  let isAsked = false
  for await (const chunk of child.stdout) {
    text += String(chunk)
    if (isAsked || !text.includes('Ctrl-C stops')) continue
    // Once: what is typed after it has ended is written to nobody.
    isAsked = true
    child.stdin.write('\x03')
  }
  return text
}

test('the log is quiet where a person reads, unless a level is set', async () => {
  const quiet = await startOnTerminal({})
  expect(quiet).toContain('Ask for the first task')
  expect(quiet).not.toContain('"level":30')
  expect(await startOnTerminal({ ASSISTANT_LOG_LEVEL: 'info' })).toContain('"level":30')
})
