/** Who acts, from what Slack has verified: ids from the payload, guests and bots from `users.info`, groups only where the settings name some. */
import { z } from 'zod'
import type { Actor } from '../../src/core/actor.ts'
import { errorLine } from '../../src/core/errors.ts'
import { oneLine } from '../../src/core/text.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Wire } from './wire.ts'

const USER_AGE_MS = 10 * 60_000
const GROUP_AGE_MS = 5 * 60_000
const MAX_USERS = 2000

export interface ActorIds {
  userId: string
  /** Of the person, where the payload says so; null: unknown. */
  teamId: string | null
  channelId: string
  isDirect: boolean
}

export interface People {
  /** Throws AdapterError when Slack does not say who this is: nobody is let in unknown. */
  actor(ids: ActorIds): Promise<Actor>
}

const userInfo = z.object({
  user: z.object({
    team_id: z.string().optional(),
    name: z.string().optional(),
    is_bot: z.boolean().optional(),
    is_restricted: z.boolean().optional(),
    is_ultra_restricted: z.boolean().optional(),
    is_stranger: z.boolean().optional(),
    enterprise_user: z.object({ teams: z.array(z.string()).optional() }).optional(),
    profile: z.object({ display_name: z.string().optional(), real_name: z.string().optional() }).optional(),
  }),
})
type UserInfo = z.infer<typeof userInfo>['user']
const groupUsers = z.object({ users: z.array(z.string()) })

export interface PeopleOptions {
  wire: Wire
  clock: Clock
  logger: Logger
  /** Workspace that the app is installed in. */
  teamId(): string
  /** User groups that the access lists name. */
  userGroups: readonly string[]
}

export function createPeople({ wire, clock, logger, teamId, userGroups }: PeopleOptions): People {
  const users = new Map<string, { at: number; user: UserInfo }>()
  const groups = new Map<string, { at: number; users: ReadonlySet<string> }>()

  async function look(userId: string): Promise<UserInfo> {
    const known = users.get(userId)
    if (known !== undefined && clock.now() - known.at < USER_AGE_MS) return known.user
    const { user } = userInfo.parse(await wire.call('users.info', { user: userId }))
    users.delete(userId)
    users.set(userId, { at: clock.now(), user })
    const oldest = users.keys().next().value
    if (users.size > MAX_USERS && oldest !== undefined) users.delete(oldest)
    return user
  }

  async function members(groupId: string): Promise<ReadonlySet<string>> {
    const known = groups.get(groupId)
    if (known !== undefined && clock.now() - known.at < GROUP_AGE_MS) return known.users
    try {
      const answer = groupUsers.parse(await wire.call('usergroups.users.list', { usergroup: groupId }))
      groups.set(groupId, { at: clock.now(), users: new Set(answer.users) })
    } catch (error) {
      // Fails closed: a group that cannot be read has no members.
      logger.warn({ groupId }, `the members of a Slack user group cannot be read: ${errorLine(error)}`)
      groups.set(groupId, { at: clock.now(), users: new Set() })
    }
    return groups.get(groupId)?.users ?? new Set()
  }

  return {
    async actor(ids) {
      const user = await look(ids.userId)
      const home = teamId()
      const memberships = await Promise.all(
        userGroups.map(async (id) => ((await members(id)).has(ids.userId) ? [id] : [])),
      )
      return {
        platform: 'slack',
        scope: home,
        channelId: ids.channelId,
        isDirect: ids.isDirect,
        userId: ids.userId,
        name: nameOf(user, ids.userId),
        groups: memberships.flat(),
        isBot: user.is_bot === true || ids.userId === 'USLACKBOT',
        isGuest: isGuest(user, ids, home),
        apiScopes: [],
      }
    },
  }
}

function nameOf(user: UserInfo, userId: string): string {
  const names = [user.profile?.display_name, user.profile?.real_name, user.name]
  const name = names.map((each) => oneLine(each ?? '', 60)).find((each) => each !== '')
  return name ?? userId
}

/** Guests of this workspace, and people of others who reach us through a shared channel. */
function isGuest(user: UserInfo, ids: ActorIds, home: string): boolean {
  if (user.is_restricted === true || user.is_ultra_restricted === true || user.is_stranger === true) return true
  const isInOrganisation = user.enterprise_user?.teams?.includes(home) === true
  const isElsewhere = (team: string | null | undefined) => team !== null && team !== undefined && team !== home
  return !isInOrganisation && (isElsewhere(user.team_id) || isElsewhere(ids.teamId))
}
