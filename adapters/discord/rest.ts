/** The REST client of the library, with two of Discord's answers straightened out first. */
import { DefaultRestOptions, REST, type ResponseLike } from 'discord.js'

export const DISCORD_API = 'https://discord.com/api'

/** Waits up to this long happen in the client's own queue; longer ones are the reporter's to plan. */
const PATIENCE_MS = 1500
const OLD_EDITS = 30_046
const WAIT_WHEN_UNTOLD_SECONDS = 5

export function createRest(token: string, api: string): REST {
  const rest = new REST({
    api,
    version: '10',
    makeRequest: async (url, init) => straighten(await DefaultRestOptions.makeRequest(url, init)),
    rejectOnRateLimit: ({ timeToReset, retryAfter }) => Math.max(timeToReset, retryAfter) > PATIENCE_MS,
  })
  return rest.setToken(token)
}

/**
 * "Too many edits of an old message" comes as a 429, which the library takes for a rate limit and tries again without end; it is a refusal.
 * A 429 that does not say how long to wait is tried again at once, also without end; it gets a time.
 */
async function straighten(response: ResponseLike): Promise<ResponseLike> {
  if (response.status !== 429) return response
  const text = await response.text()
  const headers = new Headers([...response.headers])
  if (codeOf(text) === OLD_EDITS) return new Response(text, { status: 400, headers })
  if (!headers.has('retry-after')) headers.set('retry-after', String(WAIT_WHEN_UNTOLD_SECONDS))
  return new Response(text, { status: 429, headers })
}

function codeOf(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? Reflect.get(body, 'code') : undefined
  } catch {
    // A proxy in front of Discord answers in HTML.
    return undefined
  }
}
