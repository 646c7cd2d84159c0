/** What we know of channels: kinds, parents and owners never change, so they are asked for once. */
import { ChannelType } from 'discord.js'
import type { DiscordApi } from './discord-api.ts'

export interface ChannelFacts {
  id: string
  guildId: string | null
  kind: 'text' | 'thread' | 'forum' | 'direct' | 'other'
  /** The channel that people know: for a thread the one it is in, else itself. */
  parentId: string
  /** Who started the thread. */
  ownerId: string | null
}

export interface Channels {
  /** Throws AdapterError. */
  get(channelId: string): Promise<ChannelFacts>
  /** Takes note of a channel that came with a payload. */
  learn(channel: RawChannel): ChannelFacts
}

export interface RawChannel {
  id: string
  type: number
  guild_id?: string | undefined
  parent_id?: string | null | undefined
  owner_id?: string | undefined
}

const MAX_KNOWN = 2000

export function createChannels(api: DiscordApi): Channels {
  const known = new Map<string, ChannelFacts>()

  function learn(channel: RawChannel): ChannelFacts {
    const facts = factsOf(channel)
    if (known.size >= MAX_KNOWN) for (const id of [...known.keys()].slice(0, MAX_KNOWN / 2)) known.delete(id)
    known.set(facts.id, facts)
    return facts
  }

  const asked = new Map<string, Promise<ChannelFacts>>()

  /** Many messages may come before the first answer. */
  function ask(channelId: string): Promise<ChannelFacts> {
    const asking =
      asked.get(channelId) ??
      api
        .getChannel(channelId)
        .then((channel) => learn(rawOf(channel)))
        .finally(() => asked.delete(channelId))
    asked.set(channelId, asking)
    return asking
  }

  return { learn, get: async (channelId) => known.get(channelId) ?? ask(channelId) }
}

function rawOf(channel: { id: string; type: ChannelType }): RawChannel {
  const text = (key: string): string | undefined => {
    const value: unknown = Reflect.get(channel, key)
    return typeof value === 'string' ? value : undefined
  }
  return {
    id: channel.id,
    type: channel.type,
    guild_id: text('guild_id'),
    parent_id: text('parent_id'),
    owner_id: text('owner_id'),
  }
}

function factsOf({ id, type, guild_id, parent_id, owner_id }: RawChannel): ChannelFacts {
  const kind = kindOf(type)
  return {
    id,
    guildId: guild_id ?? null,
    kind,
    parentId: kind === 'thread' ? (parent_id ?? id) : id,
    ownerId: owner_id ?? null,
  }
}

function kindOf(type: ChannelType): ChannelFacts['kind'] {
  switch (type) {
    case ChannelType.PublicThread:
    case ChannelType.PrivateThread:
    case ChannelType.AnnouncementThread:
      return 'thread'
    case ChannelType.GuildForum:
    case ChannelType.GuildMedia:
      return 'forum'
    case ChannelType.DM:
    case ChannelType.GroupDM:
      return 'direct'
    case ChannelType.GuildText:
    case ChannelType.GuildAnnouncement:
    case ChannelType.GuildVoice:
    case ChannelType.GuildStageVoice:
      return 'text'
    default:
      return 'other'
  }
}
