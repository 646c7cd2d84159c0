/** Text from outside, made safe for Discord's markdown. Lengths are UTF-16 units, the stricter reading of Discord's counts. */
import { neutralizeFences, safeSlice } from '../../src/core/text.ts'

/** Every character that could begin markup, a mention, a masked link or a time stamp stands for itself. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\*_~`|<>[\]@]/g, '\\$&')
    .replace(/^(\s*)([-+#])/gm, '$1\\$2')
    .replace(/^(\s*\d+)([.)])/gm, '$1\\$2')
}

/** Escaped, and at most `max` long after that; an ellipsis says that something was cut. */
export function escapeWithin(text: string, max: number): string {
  const whole = escapeMarkdown(safeSlice(text, max))
  if (text.length <= max && whole.length <= max) return whole
  let kept = safeSlice(text, max - 1)
  let escaped = escapeMarkdown(kept)
  while (escaped.length > max - 1 && kept !== '') {
    kept = safeSlice(kept, Math.max(0, kept.length - Math.max(1, Math.ceil((escaped.length - max + 1) / 2))))
    escaped = escapeMarkdown(kept)
  }
  return `${escaped}…`
}

/** Lines in a code block; nothing in them can close it. The end is kept: it is the newest. */
export function fence(lines: readonly string[], max: number, language = ''): string {
  const frame = `\`\`\`${language}\n`.length + '\n```'.length
  const room = Math.max(0, max - frame)
  const kept: string[] = []
  let used = 0
  for (const line of lines.toReversed()) {
    const left = room - used
    if (left <= 0) break
    const safe = safeSlice(codeText(line), left)
    kept.push(safe)
    used += safe.length + 1
  }
  const body = kept.reverse().join('\n')
  return `\`\`\`${language}\n${body === '' ? ' ' : body}\n\`\`\``
}

/** For a code block: no run of back-ticks that could end it, also not together with our own at the end. */
export function codeText(text: string): string {
  return neutralizeFences(text).replace(/`+$/, (run) => 'ˋ'.repeat(run.length))
}

/** One short line as inline code, in which no markup works. */
export function inlineCode(text: string, max: number): string {
  const line = text.replaceAll('`', 'ˋ').replace(/\s+/g, ' ').trim()
  const room = max - 2
  return `\`${line.length <= room ? line || ' ' : `${safeSlice(line, room - 1)}…`}\``
}

/** A mention of a person by id; '' for anything that is no id. */
export function mention(userId: string): string {
  return isSnowflake(userId) ? `<@${userId}>` : ''
}

export function isSnowflake(text: string): boolean {
  return /^\d{1,20}$/.test(text)
}
