/** How to use it: the same words in `/task help`, in a thread and on App Home. Pure. */
import type { types } from '@slack/bolt'
import { escapeText, section } from './blocks.ts'
import type { SlackMessage } from './render.ts'

export function helpBlocks(command: string, botUserId: string): types.KnownBlock[] {
  const at = `<@${botUserId}>`
  return [
    section(
      [
        '*Ask for work in plain words*',
        `• \`${command} convert all PNGs here to WebP\`, or mention ${at} in a channel, or write to me directly`,
        '• Files attached to your message come along',
        '• *Run as task* in a message’s menu makes a task of that message',
        '• A message that is code (between three back-ticks, or lines that begin with `!`) runs as written',
      ].join('\n'),
    ),
    section(
      [
        '*In the thread of a task*',
        '• `cancel` · `retry` · `again` · `approve` · `reject` · `status` · `log` · `files`',
        `• Anything else that you write refines the task. Others mention ${at}`,
      ].join('\n'),
    ),
    section(
      [
        '*Anywhere, only you see the answer*',
        `• \`${command} list\` · \`${command} status 42\` · \`log 42\` · \`files 42\``,
        `• \`${command} cancel 42\` · \`retry 42\` · \`approve 42\` · \`reject 42 why\``,
      ].join('\n'),
    ),
  ]
}

export function helpMessage(command: string, botUserId: string): SlackMessage {
  return { text: escapeText(`How to use ${command}`), blocks: helpBlocks(command, botUserId) }
}
