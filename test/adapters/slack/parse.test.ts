import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapeWithin, wholeFences } from '../../../adapters/slack/blocks.ts'
import { editedCommands, editForm } from '../../../adapters/slack/modals.ts'
import {
  parseAction,
  parseCommand,
  parseHomeOpened,
  parseMessage,
  parseShortcut,
  parseSubmission,
  type Self,
} from '../../../adapters/slack/parse.ts'
import { formatRef, fromPlace, parseRef, toPlace } from '../../../adapters/slack/place.ts'
import { parseAsk, plainText } from '../../../adapters/slack/words.ts'
import { viewProblems } from '../../fakes/slack-server-limits.ts'

const SELF: Self = {
  teamId: 'T0TEAM',
  botUserId: 'U0BOT',
  botId: 'B0BOT',
  botName: 'assistant',
  url: 'https://x.slack.com/',
}

const GOOD = {
  team_id: 'T0TEAM',
  event: {
    type: 'message',
    channel: 'C0BUILDS',
    channel_type: 'channel',
    user: 'U0ANA',
    text: 'hi',
    ts: '1.2',
    files: [{ id: 'F1', name: 'a' }],
  },
  channel_id: 'C0BUILDS',
  user_id: 'U0ANA',
  response_url: 'https://hooks.slack.com/x',
  trigger_id: 't',
  user: { id: 'U0ANA' },
  channel: { id: 'C0BUILDS' },
  container: { message_ts: '1.2' },
  message: { ts: '1.2', text: 'x', blocks: [] },
  actions: [{ action_id: 'cancel:1', action_ts: '1' }],
  view: { id: 'V1', callback_id: 'x', private_metadata: '{}', state: { values: { a: { b: { value: 'c' } } } } },
}

test('whatever arrives, a payload is read or refused, never an exception', () => {
  const parsers = [
    (body: unknown) => parseMessage(body, SELF),
    (body: unknown) => parseCommand(body, SELF),
    (body: unknown) => parseShortcut(body, SELF),
    parseAction,
    parseSubmission,
    parseHomeOpened,
  ]
  for (const parse of parsers.slice(0, 5)) expect(parse(GOOD)).toBeDefined()
  const spoiled = fc
    .tuple(
      fc.constantFrom(...Object.keys(GOOD), 'type', 'ts'),
      fc.constantFrom(...Object.keys(GOOD.event), 'id', 'blocks'),
      fc.jsonValue(),
    )
    .map(([key, inner, value]) => {
      const event = { ...GOOD.event, [inner]: value }
      return { ...GOOD, event, [key]: value }
    })
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.anything(), spoiled), (body) => {
      for (const parse of parsers) parse(body)
    }),
    { numRuns: 3000 },
  )
})

test.each([
  ['plain &amp; &lt;b&gt; &amp;lt;', 'plain & <b> &lt;'],
  ['<@U0BOT> hello <@U0BOT>', 'hello'],
  ['see <https://example.com|example.com> and <http://example.com/|example.com>', 'see example.com and example.com'],
  ['<https://a.b/c?d=1&amp;e=2>', 'https://a.b/c?d=1&e=2'],
  ['<https://a.b|our page>', 'our page (https://a.b)'],
  ['mail <mailto:a@b.c|a@b.c>', 'mail a@b.c'],
  ['<#C1|general> <@U2|ben> <@U3> <!here> <!subteam^S1|@ops>', '#general @ben @U3 @here @ops'],
  ['a < b > c <', 'a < b > c <'],
  ['cat <file> > out', 'cat <file> > out'],
] as const)('Slack’s "%s" was typed as "%s"', (given, typed) => {
  expect(plainText(given, 'U0BOT')).toBe(typed)
})

test('a command line that a person types in a code block arrives byte for byte', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (typed) => {
      // Slack sends what was typed with its three characters escaped.
      const sent = typed.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
      expect(plainText(sent, 'U0BOT')).toBe(typed.trim())
    }),
  )
})

test('any text is some ask', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseAsk(text)).toHaveProperty('kind')
    }),
  )
  expect(parseAsk('cancel 999999999999999999')).toMatchObject({ kind: 'submit' })
})

test('escaped text is never longer than asked for, and no entity is halved', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '<', '>', '&', '👍', '`', '\n'), maxLength: 300 })
  fc.assert(
    fc.property(text, fc.integer({ min: 10, max: 120 }), (value, max) => {
      const escaped = escapeWithin(value, max)
      expect(escaped.length).toBeLessThanOrEqual(max)
      expect(escaped).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/)
      expect(escaped.isWellFormed()).toBe(true)
    }),
  )
})

test('fences stay whole wherever a text is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('```', 'text', '\n', 'x'.repeat(30))),
      fc.integer({ min: 20, max: 200 }),
      (parts, max) => {
        const whole = wholeFences(parts.join(''), max)
        expect((whole.match(/```/g)?.length ?? 0) % 2).toBe(0)
      },
    ),
  )
})

test('places and references survive being written and read', () => {
  const id = fc.stringMatching(/^[A-Z0-9]{1,10}$/)
  const ts = fc.stringMatching(/^[0-9]{1,10}\.[0-9]{6}$/)
  fc.assert(
    fc.property(id, id, fc.option(ts), fc.option(id), fc.string(), (team, channel, threadTs, user, key) => {
      const place = {
        teamId: `T${team}`,
        channelId: `C${channel}`,
        threadTs,
        fallbackUserId: user === null ? null : `U${user}`,
      }
      expect(fromPlace(toPlace(place))).toEqual(place)
      const ref = { channelId: `C${channel}`, ts: '1.000002', key }
      expect(parseRef(formatRef(ref))).toEqual(ref)
    }),
  )
})

test('any plan makes a form that Slack takes, and sent back untouched it is the same plan', () => {
  const command = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4000 }).filter((text) => text.trim() !== '')
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 64 }), (commands) => {
      const form = editForm({ taskId: 1, hash: '7f3a9c01', channelId: 'C1', threadTs: null }, commands)
      expect(viewProblems(JSON.parse(JSON.stringify(form)))).toEqual([])
      const values = form.blocks.flatMap((block) => {
        if (!('element' in block) || block.element.type !== 'plain_text_input') return []
        return [[block.block_id ?? '', (block.element.initial_value ?? '').trim()]]
      })
      expect(editedCommands(commands, Object.fromEntries(values))).toEqual(commands)
    }),
    { numRuns: 50 },
  )
})
