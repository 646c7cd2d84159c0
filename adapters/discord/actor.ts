import type { Actor } from '../../src/core/actor.ts'
import { oneLine } from '../../src/core/text.ts'
import type { ChannelFacts } from './channels.ts'
import type { MemberPayload, UserPayload } from './payloads.ts'

/** GuildMemberFlags.IsGuest: invited to one voice channel. */
const MEMBER_IS_GUEST = 1 << 4

/** Who acts, from fields that Discord itself has filled in; nothing here comes from what a person typed. */
export function actorOf(
  who: { user: UserPayload; member: MemberPayload | undefined; isWebhook: boolean },
  channel: Pick<ChannelFacts, 'guildId' | 'parentId'>,
): Actor {
  const { user, member, isWebhook } = who
  return {
    platform: 'discord',
    scope: channel.guildId ?? '',
    channelId: channel.parentId,
    isDirect: channel.guildId === null,
    userId: user.id,
    name: oneLine(member?.nick ?? user.global_name ?? user.username, 80) || user.id,
    groups: member?.roles ?? [],
    isBot: user.bot === true || isWebhook,
    isGuest: ((member?.flags ?? 0) & MEMBER_IS_GUEST) !== 0,
    apiScopes: [],
  }
}
