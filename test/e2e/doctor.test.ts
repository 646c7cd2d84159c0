/** Doctor looks and changes nothing. */

import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createStore } from '../../src/store/create-store.ts'
import { manualClock } from '../fakes/manual-clock.ts'
import { quietLogger, submit } from '../store/store-helpers.ts'
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

test('what a thread was never told is said by doctor and by show: refused for good, and of a chat that is off', async () => {
  using home = createHome({ ASSISTANT_API: 'false' })
  const options = { file: join(home.folder, 'tasks.db'), clock: manualClock(), logger: quietLogger() }
  const place = { platform: 'discord', channelId: '9', key: 'G1/9', thread: false } as const
  await using store = await createStore(options)
  const refused = await submit(store)
  const off = await submit(store, { place })
  const row = await store.delivery(refused)
  if (row === undefined) throw new Error('no delivery')
  await store.saveDelivery({ ...row, attempts: 1, failure: 'The bot is not in this channel.' })
  const { stdout } = await run(home, ['doctor'])
  expect(stdout).toMatch(/! Delivery: task #1 could not be told of: The bot is not in this channel\.\n.*redeliver 1/)
  expect(stdout).toMatch(
    /! Delivery: 1 task not told to the end in Discord, which is off\n.*npx assistant setup discord/,
  )
  expect(stdout).not.toContain('in Slack, which is off')
  expect((await run(home, ['show', String(refused)])).stdout).toContain(
    'could not be told: The bot is not in this channel.',
  )
  expect((await run(home, ['show', String(off)])).stdout).toContain('never told to the end: Discord is off.')
})
