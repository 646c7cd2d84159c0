/** Block Kit pieces that are within Slack's limits by construction: whatever goes in, what comes out is taken. Pure. */
import type { types } from '@slack/bolt'
import { encodeControl } from '../../src/core/controls.ts'
import { neutralizeFences, safeSlice, withEllipsis } from '../../src/core/text.ts'
import type { ControlView } from '../../src/core/view.ts'
import { LIMITS } from './limits.ts'

export type SlackBlock = types.KnownBlock
export type RichElement = types.RichTextElement
type RichPart = types.RichTextBlockElement

/** Slack's three special characters, so that no text becomes a link, a mention or a command. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Escaped and at most `max` long. Cut before escaping: an entity is never halved. */
export function escapeWithin(text: string, max: number): string {
  const escaped = escapeText(text)
  if (escaped.length <= max) return escaped
  // Every character may grow to five; shrink until it fits.
  let room = max
  for (let kept = withEllipsis(text, room); ; kept = withEllipsis(text, room)) {
    const result = escapeText(kept)
    if (result.length <= max) return result
    room -= Math.max(1, Math.ceil((result.length - max) / 5))
  }
}

/** One line of text from outside among markdown of ours: escaped, and nothing in it opens a code block. */
export function inline(text: string, max: number): string {
  return escapeWithin(neutralizeFences(text), max)
}

/** Markdown of ours around text that is already escaped. `verbatim`: Slack makes no links or mentions of its own. */
export function section(mrkdwn: string): SlackBlock {
  return { type: 'section', text: { type: 'mrkdwn', text: nonEmpty(mrkdwn), verbatim: true } }
}

/** Small grey lines. Lines beyond ten are left out; the caller says so. */
export function context(lines: readonly string[]): SlackBlock[] {
  const elements = lines.slice(0, LIMITS.contextElements).map((line) => ({
    type: 'mrkdwn' as const,
    text: nonEmpty(inline(line, LIMITS.contextText)),
    verbatim: true,
  }))
  return elements.length === 0 ? [] : [{ type: 'context', elements }]
}

/** Rich text takes plain strings: nothing in it is read as markup, so nothing needs escaping. */
export function richText(parts: readonly RichPart[]): SlackBlock[] {
  return parts.length === 0 ? [] : [{ type: 'rich_text', elements: [...parts] }]
}

export function richLine(elements: readonly RichElement[]): RichPart {
  return { type: 'rich_text_section', elements: elements.filter((element) => !isEmptyText(element)) }
}

export function plain(text: string, style?: { bold?: boolean; italic?: boolean; code?: boolean }): RichElement {
  return { type: 'text', text, ...(style === undefined ? {} : { style }) }
}

export function preformatted(text: string): RichPart {
  return { type: 'rich_text_preformatted', elements: [{ type: 'text', text: nonEmpty(text) }] }
}

/** One row of buttons. */
export function controlRow(controls: readonly ControlView[]): SlackBlock[] {
  const elements = controls.slice(0, LIMITS.buttons).map(controlButton)
  return elements.length === 0 ? [] : [{ type: 'actions', elements }]
}

function controlButton(view: ControlView): types.Button {
  return {
    ...button(encodeControl(view.control), view.label),
    ...(view.style === 'plain' ? {} : { style: view.style }),
    ...(view.confirm === null ? {} : { confirm: confirmation(view.confirm, view.label) }),
  }
}

export function button(actionId: string, label: string): types.Button {
  return {
    type: 'button',
    action_id: actionId,
    text: { type: 'plain_text', text: nonEmpty(withEllipsis(label, LIMITS.buttonLabel)), emoji: true },
  }
}

function confirmation(text: string, label: string): types.ConfirmationDialog {
  return {
    title: { type: 'plain_text', text: 'Are you sure?' },
    text: { type: 'plain_text', text: nonEmpty(withEllipsis(text, LIMITS.confirmText)) },
    confirm: { type: 'plain_text', text: nonEmpty(withEllipsis(label, LIMITS.confirmButton)) },
    deny: { type: 'plain_text', text: 'Not now' },
  }
}

/** Ids from the platform only: anything else is no mention. */
export function mention(userId: string): string {
  return /^[UW][A-Z0-9]+$/.test(userId) ? `<@${userId}>` : ''
}

/** Cuts markdown at `max`, and closes a code block that the cut, or the author, left open. */
export function wholeFences(text: string, max: number): string {
  const room = max - '\n```'.length
  const kept = text.length <= room ? text : `${safeSlice(text, room - 1)}…`
  const fences = kept.match(/```/g)?.length ?? 0
  return fences % 2 === 0 ? kept : `${kept}\n\`\`\``
}

function nonEmpty(text: string): string {
  return text.trim() === '' ? ' ' : text
}

function isEmptyText(element: RichElement): boolean {
  return element.type === 'text' && element.text === ''
}
