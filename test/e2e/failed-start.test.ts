/** A start that fails half-way leaves nothing behind that would keep the next one from starting. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { loadConfig } from '../../config/config.ts'
import { openParts } from '../../src/app/parts.ts'
import { startRoles } from '../../src/app/roles.ts'
import { createHome, freePort } from './program.ts'

test('what had started is stopped and the store is closed, in this process too', async () => {
  const port = await freePort()
  using home = createHome({ ASSISTANT_API_PORT: String(port) })
  const parts = await openParts(loadConfig({ root: home.folder, environment: home.environment }), {
    writeLog: () => undefined,
  })
  // By then the API listens.
  const inbox = { ...parts.inbox, resumeInputs: () => Promise.reject(new Error('a fault of ours')) }
  await expect(startRoles({ ...parts, inbox }, ['api', 'worker'])).rejects.toThrow('a fault of ours')
  await expect(parts.store.counts()).rejects.toMatchObject({ code: 'closed' })
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  server.close()
})
