import { type ChatHarness, describeChatAdapter, type SeenMessage } from '../../contracts/chat-adapter.ts'
import { buttonsOf, findMessage, isJson, type SlackMessage, visibleText } from '../../fakes/slack-server-state.ts'
import { startHarness } from './harness.ts'

describeChatAdapter('Slack', async (): Promise<ChatHarness> => {
  const h = await startHarness()
  const { slack, adapter } = h
  return {
    adapter,
    userId: 'U0ANA',
    channel: async () => ({ platform: 'slack', key: 'T0TEAM/C0BUILDS', channelId: 'C0BUILDS', thread: false }),
    async thread() {
      const said = slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: 'please', events: [] })
      return { platform: 'slack', key: `T0TEAM/C0BUILDS/${said.ts}`, channelId: 'C0BUILDS', thread: true }
    },
    async messages(place) {
      const threadTs = place.key.split('/')[2]
      return slack.world.messages
        .filter((message) => message.threadTs === threadTs && message.botId !== undefined && message.files.length === 0)
        .map(seen)
    },
    async files(place) {
      const threadTs = place.key.split('/')[2]
      const inThread = slack.world.messages.filter((message) => message.threadTs === threadTs)
      return inThread.flatMap((message) => message.files.map(({ name, bytes }) => ({ name, bytes })))
    },
    async deleteMessage(ref) {
      const [channel = '', ts = ''] = ref.split('/')
      const message = findMessage(slack.world, channel, ts)
      if (message !== undefined) slack.world.messages.splice(slack.world.messages.indexOf(message), 1)
    },
    fail(fault) {
      if (fault === 'down') slack.faults.down()
      if (fault === 'lost_answer') slack.faults.next('chat.postMessage', { kind: 'lost_answer' })
      if (fault === 'rate_limited') slack.faults.next('chat.update', { kind: 'rate_limited', retryAfterS: 2 })
      if (fault === 'thread_gone') {
        slack.faults.next('chat.postMessage', { kind: 'error', error: 'restricted_action_thread_locked' })
      }
    },
    heal: () => slack.faults.up(),
    [Symbol.asyncDispose]: () => h[Symbol.asyncDispose](),
  }
})

function seen(message: SlackMessage): SeenMessage {
  const markup = message.blocks.filter((block) => block.type !== 'rich_text')
  const rich = message.blocks.filter((block) => block.type === 'rich_text')
  return {
    text: `${unescaped(visibleText(markup))}\n${visibleText(rich)}`,
    mentions: mentionsOf(`${message.text} ${JSON.stringify(markup)} ${JSON.stringify(rich.filter(hasMentionElement))}`),
    controls: buttonsOf(message.blocks).map((button) => button.actionId),
  }
}

/** Rich text calls people through elements of their own, never through its text. */
function hasMentionElement(block: unknown): boolean {
  return isJson(block) && /"type":"(user|usergroup|broadcast|channel)"/.test(JSON.stringify(block))
}

function mentionsOf(markup: string): string[] {
  const users = [...markup.matchAll(/<@([A-Z0-9]+)>/g)].map((match) => match[1] ?? '')
  const everyone = /<!/.test(markup) ? ['everyone'] : []
  return [...new Set([...users, ...everyone])]
}

function unescaped(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}
