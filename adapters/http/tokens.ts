/** Bearer tokens: only their hashes are known here, and comparing takes the same time whatever is sent. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { type Actor, API_SCOPES, type ApiScope } from '../../src/core/actor.ts'

export interface ApiToken {
  /** Hex SHA-256 of the token. Tokens have 256 random bits, so that a plain hash cannot be guessed backwards. */
  hash: string
  scopes: readonly ApiScope[]
  /** Who it is given to: the requester's name and the audit trail's. */
  name: string
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** The token sent as `Authorization: Bearer …`, if it is one of `tokens`. Always looks at all of them. */
export function findToken(authorization: string | undefined, tokens: readonly ApiToken[]): ApiToken | undefined {
  const sent = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1]
  if (sent === undefined) return undefined
  const hash = createHash('sha256').update(sent).digest()
  let found: ApiToken | undefined
  for (const token of tokens) {
    const known = Buffer.from(token.hash, 'hex')
    if (known.length === hash.length && timingSafeEqual(known, hash)) found = token
  }
  return found
}

export function tokenActor(token: Pick<ApiToken, 'name' | 'scopes'>): Actor {
  return {
    platform: 'api',
    scope: '',
    channelId: '',
    isDirect: false,
    userId: token.name,
    name: token.name,
    groups: [],
    isBot: false,
    isGuest: false,
    apiScopes: token.scopes,
  }
}

/** Who calls over loopback when no token is set: whoever can do that could as well read the store. */
export const LOCAL_ACTOR: Actor = Object.freeze(tokenActor({ name: 'local', scopes: API_SCOPES }))
