/** What exists once Discord has told us who we are. */
import type { REST } from 'discord.js'
import type { Logger } from '../../src/ports/logger.ts'
import { type Channels, createChannels } from './channels.ts'
import { createDeliver, type Deliver } from './deliver.ts'
import { createDiscordApi, type DiscordApi } from './discord-api.ts'
import { type Identity, identify } from './identity.ts'
import type { Notes } from './notes.ts'
import type { PlaceNews } from './open-answers.ts'
import { createThreads } from './threads.ts'

export interface Parts {
  identity: Identity
  api: DiscordApi
  channels: Channels
  deliver: Deliver
}

export interface PartsOptions extends PlaceNews {
  rest: REST
  notes: Notes
  logger: Logger
}

/** The same parts at every call; made when Discord can be asked for the first time. Throws AdapterError. */
export function lazyParts(options: PartsOptions): () => Promise<Parts> {
  let known: Promise<Parts> | undefined
  return () => {
    known ??= createParts(options).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
}

async function createParts({ rest, notes, logger, ...news }: PartsOptions): Promise<Parts> {
  const identity = await identify(rest)
  const api = createDiscordApi({ rest, applicationId: identity.applicationId })
  const channels = createChannels(api)
  const shared = { api, channels, notes, botId: identity.botId, logger }
  const deliver = createDeliver({ ...shared, threads: createThreads(shared), ...news })
  return { identity, api, channels, deliver }
}
