/** The crash test's Slack as it is at the end. */
import { buttonsOf, type SlackMessage, type SlackWorld, visibleText } from '../fakes/slack-server-state.ts'
import type { Chat, Told } from './chat.ts'

export function slackChat({ messages }: SlackWorld): Chat {
  return {
    platform: 'slack',
    told: messages.flatMap(toldBy),
    reactionsOn(thread) {
      const root = messages.find((message) => threadOf(message) === thread && message.threadTs === undefined)
      return root?.reactions.map(({ name }) => name) ?? []
    },
    faults: [],
  }
}

function threadOf({ channel, threadTs, ts }: SlackMessage): string {
  return `${channel}/${threadTs ?? ts}`
}

function toldBy(message: SlackMessage): Told[] {
  if (message.botId === undefined) return []
  const payload = message.metadata?.event_payload
  const key = typeof payload === 'object' && payload !== null && 'key' in payload ? String(payload.key) : ''
  const words = visibleText(message.blocks)
  const match = /^task-([0-9]+):(.+)$/.exec(key) ?? /^()Files of task #([0-9]+)\b/.exec(words)
  const [, first = '', second = ''] = match ?? []
  if (match === null) return []
  const [taskId, role] = first === '' ? [second, 'files'] : [first, second]
  const verbs = buttonsOf(message.blocks).map(({ actionId }) => actionId.split(':')[0] ?? '')
  return [{ taskId: Number(taskId), role, thread: threadOf(message), verbs }]
}
