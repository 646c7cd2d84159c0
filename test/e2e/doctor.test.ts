/** Doctor looks and changes nothing. */

import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { createHome, freePort, run } from './program.ts'

test('before the first start doctor says so, and leaves nothing behind', async () => {
  using home = createHome({ ASSISTANT_API_PORT: String(await freePort()) })
  const { stdout } = await run(home, ['doctor'])
  expect(stdout).toContain(`Store: none yet: the first start makes ${home.folder}/tasks.db`)
  expect(stdout).toMatch(
    /! API: not running; it would be on http:\/\/127\.0\.0\.1:\d+, this machine only, no token\n.*npx assistant api/,
  )
  expect(stdout).toContain('Sandbox: ')
  expect(readdirSync(home.folder)).toEqual([])
})

test('an address that others reach is refused without a token, and doctor says what to set', async () => {
  using home = createHome({ ASSISTANT_API_HOST: '0.0.0.0', ASSISTANT_API_PORT: String(await freePort()) })
  const { code, stdout } = await run(home, ['doctor'])
  expect(code).toBe(1)
  expect(stdout).toMatch(/✖ API: it does not listen on 0\.0\.0\.0 without a token\n.*Set ASSISTANT_API_TOKEN/)
})

test("another program on the API's port is named as such", async () => {
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1')
  try {
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    using home = createHome({ ASSISTANT_API_PORT: String(port) })
    expect((await run(home, ['doctor'])).stdout).toContain(`another program answers on http://127.0.0.1:${port}`)
  } finally {
    server.close()
  }
})
