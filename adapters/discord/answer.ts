/** Answering one interaction: the first answer within three seconds, later ones for fifteen minutes, and after that in the channel. */
import {
  type APIMessageTopLevelComponent,
  ComponentType,
  InteractionResponseType,
  MessageFlags,
  type RawFile,
} from 'discord.js'
import { errorLine } from '../../src/core/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { DiscordApi } from './discord-api.ts'
import { ALREADY_ACKNOWLEDGED, discordCode } from './errors.ts'
import { type Form, modalOf } from './forms.ts'
import { DISCORD_LIMITS, TOKEN_LIFETIME_MS } from './limits.ts'
import { escapeWithin, mention } from './markdown.ts'
import type { Interaction } from './parse.ts'

export interface Answer {
  /** "Thinking", private. False when Discord no longer waits: then nothing may be done, the person has been told that it failed. */
  defer(): Promise<boolean>
  /** Nothing to see: what is pressed shows its effect elsewhere. */
  deferQuietly(): Promise<boolean>
  /** Opens a form; only as the very first answer. */
  form(form: Form): Promise<boolean>
  choices(choices: readonly { name: string; value: number }[]): Promise<void>
  /** Answers at once, without deferring. */
  sayNow(text: string): Promise<boolean>
  /** Private; in the channel with a mention when the token is too old. Escaped, unless it is our own markdown. Never throws. */
  say(text: string): Promise<void>
  sayMarkdown(markdown: string): Promise<void>
  /** Private, with files; they are lost when the token is too old. Never throws. */
  attach(words: string, files: RawFile[]): Promise<void>
  /** Private, with components. Never throws. */
  show(components: APIMessageTopLevelComponent[]): Promise<void>
}

export interface AnswerOptions {
  api: DiscordApi
  clock: Clock
  logger: Logger
}

const PRIVATE = MessageFlags.Ephemeral
const COMPONENTS_ONLY = { flags: MessageFlags.IsComponentsV2, allowed_mentions: { parse: [] } }

export function createAnswer(interaction: Interaction, { api, clock, logger }: AnswerOptions): Answer {
  const { id, token, channelId } = interaction
  const startedAt = clock.now()
  let isQuiet = false

  async function first(response: Parameters<DiscordApi['answer']>[2]): Promise<boolean> {
    try {
      await api.answer(id, token, response)
      return true
    } catch (error) {
      // The answer to our first try got lost, and the client tried again.
      if (discordCode(error) === ALREADY_ACKNOWLEDGED) return true
      logger.warn({ error: errorLine(error) }, 'an interaction could not be acknowledged')
      return false
    }
  }

  async function later(components: APIMessageTopLevelComponent[], fallback: string): Promise<void> {
    try {
      if (await viaToken({ components, ...COMPONENTS_ONLY })) return
      const content = `${mention(interaction.who.user.id)} ${fallback}`
      const allowed_mentions = { parse: [], users: [interaction.who.user.id] }
      await api.createMessage(
        channelId,
        { content, allowed_mentions, flags: MessageFlags.SuppressEmbeds },
        { doing: 'post' },
      )
    } catch (error) {
      logger.warn({ error: errorLine(error) }, 'an answer could not be given')
    }
  }

  async function viaToken(body: { components: APIMessageTopLevelComponent[]; flags: number }): Promise<boolean> {
    if (clock.now() - startedAt > TOKEN_LIFETIME_MS) return false
    // After a quiet acknowledgement the original is the message with the button: that one is not ours to replace here.
    return isQuiet ? api.followUp(token, { ...body, flags: body.flags | PRIVATE }) : api.editAnswer(token, body)
  }

  async function attach(words: string, files: RawFile[]): Promise<void> {
    const body = {
      content: escapeWithin(words, DISCORD_LIMITS.content),
      flags: PRIVATE,
      allowed_mentions: { parse: [] },
    }
    try {
      if (await api.followUp(token, body, files)) return
    } catch (error) {
      logger.warn({ error: errorLine(error) }, 'files could not be attached to an answer')
    }
    await sayMarkdown('The files could not be given here. Ask again.')
  }

  // Components even for plain words: an answer that has once shown components takes no other content any more.
  const sayMarkdown = (markdown: string) => later([{ type: ComponentType.TextDisplay, content: markdown }], markdown)

  return {
    defer: () => first({ type: InteractionResponseType.DeferredChannelMessageWithSource, data: { flags: PRIVATE } }),
    deferQuietly() {
      isQuiet = true
      return first({ type: InteractionResponseType.DeferredMessageUpdate })
    },
    form: (form) => first({ type: InteractionResponseType.Modal, data: modalOf(form) }),
    async choices(choices) {
      await first({
        type: InteractionResponseType.ApplicationCommandAutocompleteResult,
        data: { choices: choices.slice(0, DISCORD_LIMITS.choices) },
      })
    },
    sayNow: (text) =>
      first({
        type: InteractionResponseType.ChannelMessageWithSource,
        data: { content: escapeWithin(text, DISCORD_LIMITS.content), flags: PRIVATE, allowed_mentions: { parse: [] } },
      }),
    say: (text) => sayMarkdown(escapeWithin(text, DISCORD_LIMITS.content - 100)),
    sayMarkdown,
    attach,
    show: (components) => later(components, 'That took too long to show here privately. Ask again.'),
  }
}
