import { liveWorkers } from './live-workers.ts'
import type { Parts } from './parts.ts'
import { programVersion } from './program-log.ts'

export interface ApiRole extends AsyncDisposable {
  address: string
}

/** fastify is loaded only by the role that needs it. */
export async function startApiRole(parts: Parts): Promise<ApiRole> {
  const { createHttpAdapter } = await import('../../adapters/http/http-adapter.ts')
  const { hashToken } = await import('../../adapters/http/tokens.ts')
  const { config, inbox, clock, logger, store } = parts
  const { api } = config
  const own = api.token === null ? [] : [{ name: 'token', hash: hashToken(api.token), scopes: ['admin'] as const }]
  const listed = api.tokens.map(({ name, sha256, scopes }) => ({ name, hash: sha256, scopes }))
  const adapter = createHttpAdapter({
    inbox,
    clock,
    logger,
    host: api.host,
    port: api.port,
    tokens: [...own, ...listed],
    allowedHosts: api.allowedHosts,
    spoolDirectory: `${config.stateFolder}/uploads`,
    version: programVersion(),
    async health() {
      const workers = await liveWorkers(store, config.worker.lease)
      const chats = [...parts.chats.values()].map((chat) => ({ name: chat.name, ok: chat.health().ok }))
      const off = [...parts.chatsOff].map((name) => ({ name, ok: false }))
      const checks = [{ name: 'store', ok: true }, ...chats, ...off]
      return { checks, tasks: await store.counts(), liveWorkers: workers.length }
    },
  })
  await adapter.start()
  return { address: adapter.address, [Symbol.asyncDispose]: () => adapter[Symbol.asyncDispose]() }
}
