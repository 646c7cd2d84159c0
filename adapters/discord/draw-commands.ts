/** The commands of a plan that waits for approval: whole where there is room, and where not, saying how much is not shown. */

import { safeSlice } from '../../src/core/text.ts'
import type { ApprovalView } from '../../src/core/view.ts'
import { roomPerCommand } from '../../src/core/views/approval-view.ts'
import { codeText, escapeWithin } from './markdown.ts'

type Command = ApprovalView['commands'][number]

const LONG_NOTE = '… 9999999 more characters are not shown'
const SHORT_NOTE = ' … (+9999999)'
/** A list of fences is easy to read up to here; longer plans are one block. */
const MAX_BLOCKS = 8

/** At most `room` characters. */
export function drawCommands(commands: readonly Command[], room: number): string {
  if (commands.length === 0) return ''
  const isLong = commands.length > MAX_BLOCKS
  const perCommand = isLong ? ': \n'.length + SHORT_NOTE.length : '\n```sh\n \n```\n\n'.length + LONG_NOTE.length
  const overhead = (heads: readonly string[]) =>
    heads.reduce((sum, text) => sum + text.length + perCommand, '```sh\n\n```'.length)
  const full = commands.map((command, at) => head(command, at, !isLong))
  const heads = overhead(full) < room / 2 ? full : commands.map((_, at) => `${at + 1}`)
  const texts = commands.map((command) => codeText(command.text))
  const lengths = texts.map((text) => text.length)
  const share = roomPerCommand(lengths, Math.max(0, room - overhead(heads)))
  const cuts = texts.map((text, at) => cut(text, share, commands[at]?.hidden ?? 0))
  return isLong ? oneBlock(cuts, heads) : blocks(cuts, heads)
}

interface Cut {
  text: string
  hidden: number
}

function cut(text: string, share: number, alreadyHidden: number): Cut {
  const kept = safeSlice(text, share)
  return { text: codeText(kept), hidden: alreadyHidden + text.length - kept.length }
}

function head({ badges, reasons }: Command, at: number, isFull: boolean): string {
  const words = [badges.join(', '), ...(isFull ? reasons : [])].filter((part) => part !== '').join(' · ')
  const escaped = isFull ? escapeWithin(words, 200) : words
  const number = isFull ? `**${at + 1}**` : `${at + 1}`
  return escaped === '' ? number : `${number} · ${escaped}`
}

function blocks(cuts: readonly Cut[], heads: readonly string[]): string {
  return cuts
    .map(({ text, hidden }, at) => {
      const note = hidden === 0 ? '' : `\n… ${hidden} more characters are not shown`
      return `${heads[at]}\n\`\`\`sh\n${text || ' '}\n\`\`\`${note}`
    })
    .join('\n')
}

function oneBlock(cuts: readonly Cut[], heads: readonly string[]): string {
  const lines = cuts.map(({ text, hidden }, at) => `${heads[at]}: ${text}${hidden === 0 ? '' : ` … (+${hidden})`}`)
  return `\`\`\`sh\n${lines.join('\n')}\n\`\`\``
}
