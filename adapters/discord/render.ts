/** View -> the body of a message. Pure. Components V2, or where those are refused content and an embed. */
import { createHash } from 'node:crypto'
import {
  type APIActionRowComponent,
  type APIButtonComponent,
  type APIComponentInContainer,
  type APIMessageTopLevelComponent,
  ButtonStyle,
  ComponentType,
  MessageFlags,
  type RESTPostAPIChannelMessageJSONBody,
} from 'discord.js'
import { encodeControl } from '../../src/core/controls.ts'
import { withEllipsis } from '../../src/core/text.ts'
import type { ControlView, MessageView } from '../../src/core/view.ts'
import { type Drawing, draw } from './drawing.ts'
import { DISCORD_LIMITS } from './limits.ts'

export type MessageBody = Pick<
  RESTPostAPIChannelMessageJSONBody,
  'content' | 'embeds' | 'components' | 'flags' | 'allowed_mentions'
>

type ComponentsBody = MessageBody & { components: APIMessageTopLevelComponent[] }

/** `marker`: a number that can be read back from the message later, to tell which post it was; null for none. */
export function renderMessage(view: MessageView, marker: number | null): ComponentsBody {
  const drawing = draw(view)
  return {
    components: drawing.accent === null ? bare(drawing, marker) : boxed(drawing, drawing.accent, marker),
    flags: MessageFlags.IsComponentsV2,
    allowed_mentions: { parse: [], users: [...drawing.mentions] },
  }
}

/** For when components are refused. The marker is in the footer. */
export function renderFallback(view: MessageView, marker: number | null): MessageBody {
  const { texts, mentions, accent, controls } = draw(view)
  return {
    content: mentions.map((id) => `<@${id}>`).join(' '),
    embeds: [
      {
        description: texts.join('\n'),
        ...(accent === null ? {} : { color: accent }),
        ...(marker === null ? {} : { footer: { text: footerOf(marker) } }),
      },
    ],
    components: rows(controls),
    flags: MessageFlags.SuppressEmbeds,
    allowed_mentions: { parse: [], users: [...mentions] },
  }
}

export function footerOf(marker: number): string {
  return `message ${marker.toString(36)}`
}

function bare({ texts, controls }: Drawing, marker: number | null): APIMessageTopLevelComponent[] {
  const displays = texts.map((content, at) => ({
    type: ComponentType.TextDisplay as const,
    content,
    ...(at === 0 && marker !== null ? { id: marker } : {}),
  }))
  return [...displays, ...rows(controls)]
}

function boxed({ texts, controls }: Drawing, accent: number, marker: number | null): APIMessageTopLevelComponent[] {
  const components: APIComponentInContainer[] = [
    ...texts.map((content) => ({ type: ComponentType.TextDisplay as const, content })),
    ...rows(controls),
  ]
  return [
    { type: ComponentType.Container, accent_color: accent, components, ...(marker === null ? {} : { id: marker }) },
  ]
}

const STYLES: Record<ControlView['style'], ButtonStyle.Primary | ButtonStyle.Secondary | ButtonStyle.Danger> = {
  plain: ButtonStyle.Secondary,
  primary: ButtonStyle.Primary,
  danger: ButtonStyle.Danger,
}

const MAX_ROWS = 2

function rows(controls: readonly ControlView[]): APIActionRowComponent<APIButtonComponent>[] {
  const buttons = controls.map(
    ({ control, label, style }): APIButtonComponent => ({
      type: ComponentType.Button,
      style: STYLES[style],
      label: withEllipsis(label, DISCORD_LIMITS.buttonLabel),
      custom_id: encodeControl(control),
    }),
  )
  const perRow = DISCORD_LIMITS.rowButtons
  const count = Math.min(MAX_ROWS, Math.ceil(buttons.length / perRow))
  return Array.from({ length: count }, (_, at) => ({
    type: ComponentType.ActionRow,
    components: buttons.slice(at * perRow, (at + 1) * perRow),
  }))
}

/** The number that marks a post: 31 bits of the key's hash, never 0, which Discord takes for "none". */
export function markerOf(key: string): number {
  return (createHash('sha256').update(key).digest().readUInt32BE(0) >>> 1) | 1
}

/** The nonce that makes Discord take a message once within some minutes; it must be short, so a hash. */
export function nonceOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, DISCORD_LIMITS.nonce)
}
