/** The people in front of the stand-in: they write, press, choose and fill in forms, and Discord tells the bot of it. */
import { buildMessage, textsOf } from './discord-server-messages.ts'
import {
  attachmentBody,
  channelBody,
  channelOf,
  type FakeAttachment,
  type FakeInteraction,
  type FakeMessage,
  type FakeUser,
  type Json,
  messageBody,
  newToken,
  type State,
} from './discord-server-state.ts'
import { list, text } from './discord-server-validate.ts'

export interface SayOptions {
  user: FakeUser
  channelId: string
  content: string
  files?: readonly { name: string; bytes: Buffer; type?: string }[]
  replyTo?: string
  roles?: readonly string[]
  /** Posted by a webhook. */
  webhook?: boolean
}

export interface InteractOptions {
  user: FakeUser
  channelId: string
  roles?: readonly string[]
}

export type SlashOption = { name: string; type: number; value: string | number; focused?: boolean }

export interface People {
  addUser(name: string, options?: { bot?: boolean }): FakeUser
  addGuild(name: string): { id: string; name: string }
  /** A message of a person (or another bot). */
  say(options: SayOptions): FakeMessage
  slash(
    options: InteractOptions & {
      sub: string
      options?: readonly SlashOption[]
      files?: readonly { name: string; bytes: Buffer }[]
    },
  ): FakeInteraction
  autocomplete(options: InteractOptions & { sub: string; value: string }): FakeInteraction
  /** Right click on a message, Apps, a command. */
  menu(options: InteractOptions & { command: string; messageId: string }): FakeInteraction
  press(options: InteractOptions & { messageId: string; customId: string; values?: readonly string[] }): FakeInteraction
  /** Presses the button with this label; it must be on the message. */
  pressLabel(options: InteractOptions & { messageId: string; label: string }): FakeInteraction
  submitModal(
    options: InteractOptions & { customId: string; fields: Readonly<Record<string, string>>; messageId?: string },
  ): FakeInteraction
  /** What the person sees in answer to an interaction. */
  seen(interaction: FakeInteraction): string
}

export function createPeople(state: State): People {
  function memberOf(user: FakeUser, roles: readonly string[]): Json {
    return {
      user,
      roles,
      nick: null,
      flags: 0,
      joined_at: new Date(0).toISOString(),
      permissions: '0',
      deaf: false,
      mute: false,
    }
  }

  function interact(
    { user, channelId, roles = [] }: InteractOptions,
    type: number,
    data: Json,
    extra: Json = {},
  ): FakeInteraction {
    const channel = channelOf(state, channelId)
    const interaction: FakeInteraction = {
      id: state.newId(),
      token: newToken(),
      createdAt: state.now(),
      channelId,
      ephemeral: false,
      callback: null,
      replies: [],
      payload: {},
    }
    interaction.payload = {
      id: interaction.id,
      application_id: state.app.id,
      type,
      data,
      token: interaction.token,
      version: 1,
      channel_id: channelId,
      channel: channelBody(channel),
      ...(channel.guild_id === undefined ? { user } : { guild_id: channel.guild_id, member: memberOf(user, roles) }),
      app_permissions: '0',
      locale: 'en-US',
      entitlements: [],
      authorizing_integration_owners: {},
      context: channel.guild_id === undefined ? 1 : 0,
      attachment_size_limit: state.maxFileBytes,
      ...extra,
    }
    state.interactions.set(interaction.id, interaction)
    state.emit('INTERACTION_CREATE', interaction.payload)
    return interaction
  }

  function keepFile(file: { name: string; bytes: Buffer; type?: string }): FakeAttachment {
    const attachment: FakeAttachment = {
      id: state.newId(),
      filename: file.name,
      size: file.bytes.length,
      url: '',
      proxy_url: '',
      ...(file.type === undefined ? {} : { content_type: file.type }),
      bytes: file.bytes,
    }
    state.files.set(attachment.id, attachment)
    return attachment
  }

  function buttonIds(components: readonly Json[], label: string): string[] {
    return components.flatMap((component) => [
      ...(component.type === 2 && component.label === label ? [text(component.custom_id)] : []),
      ...buttonIds(list(component.components), label),
    ])
  }

  const people: People = {
    addUser(name, { bot = false } = {}) {
      const user: FakeUser = {
        id: state.newId(),
        username: name.toLowerCase(),
        global_name: name,
        bot,
        discriminator: '0',
        avatar: null,
      }
      state.users.set(user.id, user)
      return user
    },
    addGuild(name) {
      const guild = { id: state.newId(), name }
      state.guilds.set(guild.id, guild)
      return guild
    },
    say({ user, channelId, content, files = [], replyTo, roles = [], webhook = false }) {
      const channel = channelOf(state, channelId)
      const message = buildMessage(state, {
        channel,
        author: user,
        // A file or a blank stands in for a message without text (a sticker), which people can send.
        body: {
          content: content || '\u200b',
          ...(replyTo === undefined ? {} : { message_reference: { message_id: replyTo } }),
        },
        files: [],
      })
      message.content = content
      message.attachments = files.map(keepFile)
      if (webhook) message.webhook_id = state.newId()
      if (channel.thread_metadata !== undefined) channel.thread_metadata.archived = false
      state.emit('MESSAGE_CREATE', {
        ...messageBody(state, message),
        ...(channel.guild_id === undefined ? {} : { member: { ...memberOf(user, roles), user: undefined } }),
      })
      return message
    },
    slash({ sub, options = [], files = [], ...who }) {
      const kept = files.map(keepFile)
      return interact(who, 2, {
        id: '1',
        name: 'task',
        type: 1,
        options: [
          {
            name: sub,
            type: 1,
            options: [...options, ...kept.map((file) => ({ name: 'file', type: 11, value: file.id }))],
          },
        ],
        ...(kept.length === 0
          ? {}
          : {
              resolved: { attachments: Object.fromEntries(kept.map((file) => [file.id, attachmentBody(state, file)])) },
            }),
      })
    },
    autocomplete({ sub, value, ...who }) {
      return interact(who, 4, {
        id: '1',
        name: 'task',
        type: 1,
        options: [{ name: sub, type: 1, options: [{ name: 'id', type: 4, value, focused: true }] }],
      })
    },
    menu({ command, messageId, ...who }) {
      const message = state.messages.get(messageId)
      const body = message === undefined ? {} : messageBody(state, message)
      return interact(who, 2, {
        id: '2',
        name: command,
        type: 3,
        target_id: messageId,
        resolved: { messages: { [messageId]: body } },
      })
    },
    press({ messageId, customId, values, ...who }) {
      const message = state.messages.get(messageId)
      const data = {
        custom_id: customId,
        component_type: values === undefined ? 2 : 3,
        ...(values === undefined ? {} : { values }),
      }
      return interact(who, 3, data, message === undefined ? {} : { message: messageBody(state, message) })
    },
    pressLabel({ label, ...options }) {
      const message = state.messages.get(options.messageId)
      const [customId] = buttonIds(message?.components ?? [], label)
      if (customId === undefined)
        throw new Error(
          `no button "${label}" on ${options.messageId}: ${textsOf(message?.components ?? []).join(' / ')}`,
        )
      return people.press({ ...options, customId })
    },
    submitModal({ customId, fields, messageId, ...who }) {
      const components = Object.entries(fields).map(([id, value]) => ({
        type: 18,
        component: { type: 4, custom_id: id, value },
      }))
      const message = messageId === undefined ? undefined : state.messages.get(messageId)
      return interact(
        who,
        5,
        { custom_id: customId, components },
        message === undefined ? {} : { message: messageBody(state, message) },
      )
    },
    seen: (interaction) =>
      interaction.replies
        .map((message) => [message.content, ...textsOf(message.components)].filter(Boolean).join('\n'))
        .join('\n'),
  }
  return people
}
