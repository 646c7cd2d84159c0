/** What is remembered of a new task is remembered before Slack is told, however long the way to Slack takes. */
import { expect, test } from 'vitest'
import type { Desk } from '../../../adapters/slack/desk.ts'
import { createMemory } from '../../../adapters/slack/memory.ts'
import { onCommand } from '../../../adapters/slack/on-command.ts'
import { onMessage } from '../../../adapters/slack/on-message.ts'
import { createReceipt } from '../../../adapters/slack/receipt.ts'
import { createRecent } from '../../../adapters/slack/recent.ts'
import { eventually } from '../../eventually.ts'
import { fakeInbox } from '../../fakes/fake-inbox.ts'
import { manualClock } from '../../fakes/manual-clock.ts'
import { fakePresenter, recordingLogger } from './harness.ts'

const THREAD = { platform: 'slack', key: 'T0TEAM/C0BUILDS/1.5', channelId: 'C0BUILDS', thread: true } as const
const TARGET = { teamId: 'T0TEAM', channelId: 'C0BUILDS', threadTs: null, fallbackUserId: null }

function stand() {
  const gate = Promise.withResolvers<void>()
  const logger = recordingLogger([])
  const told: object[] = []
  const desk: Desk = {
    inbox: fakeInbox(),
    presenter: fakePresenter(),
    wire: {
      call: async () => ({ ok: true }),
      respond: async (_url, body) => void told.push(body),
      botToken: '',
      apiUrl: '',
      problem: '',
    },
    people: {
      actor: async ({ userId }) => ({
        platform: 'slack',
        scope: 'T0TEAM',
        userId,
        name: 'Ana',
        isBot: false,
        isGuest: false,
        channelId: 'C0BUILDS',
        isDirect: false,
        groups: [],
        apiScopes: [],
      }),
    },
    memory: createMemory(),
    clock: manualClock(),
    logger,
    self: {
      teamId: 'T0TEAM',
      botUserId: 'U0BOT',
      botId: 'B0BOT',
      botName: 'assistant',
      url: 'https://acme.slack.com/',
    },
    command: '/task',
    attending: new Set(),
  }
  const receipt = createReceipt({ send: () => gate.promise, logger, retriesLeft: 0 })
  return { desk, receipt, told, open: gate.resolve }
}

test('of a command: nothing can have been posted for its task, and who asked hears where its thread is', async () => {
  const { desk, receipt, told, open } = stand()
  const responseUrl = 'https://hooks.slack.com/1'
  const intent = {
    channelId: 'C0BUILDS',
    userId: 'U0ANA',
    teamId: null,
    text: 'make a file',
    responseUrl,
    triggerId: '1',
  }
  const done = onCommand(desk, intent, receipt)
  await eventually(() => expect(receipt.state).toBe('acknowledged'))
  expect(desk.memory.mayHavePosted(TARGET, 1, 'key')).toBe(false)
  desk.memory.announce(1, THREAD)
  open()
  await done
  await eventually(() => expect(told).toHaveLength(2))
  expect(JSON.stringify(told[1])).toContain('Open the thread')
})

test('of a message: nothing can have been posted for its task', async () => {
  const { desk, receipt, open } = stand()
  const messages = { done: createRecent(desk.clock, 1000), underway: new Map<string, Promise<boolean>>() }
  const intent = {
    channelId: 'C0BUILDS',
    userId: 'U0ANA',
    teamId: null,
    text: 'make a file',
    ts: '1.5',
    threadTs: null,
    mentioned: true,
    isDirect: false,
    attachments: [],
  }
  const done = onMessage(desk, messages, { intent, receipt })
  await eventually(() => expect(receipt.state).toBe('acknowledged'))
  expect(desk.memory.mayHavePosted(TARGET, 1, 'key')).toBe(false)
  open()
  await done
})
