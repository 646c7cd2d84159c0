/** Who we are on Discord: asked once, since it does not change for a token. */
import { type REST, Routes } from 'discord.js'
import { z } from 'zod'
import { toAdapterError } from './errors.ts'

export interface Identity {
  botId: string
  applicationId: string
  /** Application flags: which privileged intents are switched on. */
  flags: number
}

const userSchema = z.object({ id: z.string() })
const applicationSchema = z.object({ id: z.string(), flags: z.number().default(0) })

/** Throws AdapterError (unauthorized for a wrong token, unavailable when Discord cannot be reached). */
export async function identify(rest: REST): Promise<Identity> {
  try {
    const user = userSchema.parse(await rest.get(Routes.user()))
    const application = applicationSchema.parse(await rest.get(Routes.currentApplication()))
    return { botId: user.id, applicationId: application.id, flags: application.flags }
  } catch (error) {
    throw toAdapterError(error, 'read')
  }
}
