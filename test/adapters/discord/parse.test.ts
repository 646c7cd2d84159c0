import fc from 'fast-check'
import { expect, test } from 'vitest'
import { actorOf } from '../../../adapters/discord/actor.ts'
import { parseInteraction, parseMessageCreate } from '../../../adapters/discord/parse.ts'
import { encodeMessage, encodeSpot, parseMessage, parseSpot } from '../../../adapters/discord/place.ts'

const message = {
  id: '10',
  channel_id: '20',
  guild_id: '30',
  type: 0,
  author: { id: '40', username: 'ana', global_name: 'Ana' },
  member: { nick: null, roles: ['50'], flags: 0 },
  content: '<@99> rename <@41> things',
  mentions: [
    { id: '99', username: 'assistant' },
    { id: '41', username: 'ben', global_name: 'Ben $& $1' },
  ],
  attachments: [],
}
const interaction = {
  id: '11',
  token: 't',
  type: 2,
  channel_id: '20',
  guild_id: '30',
  member: { user: { id: '40', username: 'ana' }, roles: [] },
  data: {
    name: 'task',
    type: 1,
    options: [{ name: 'run', type: 1, options: [{ name: 'prompt', type: 3, value: 'x' }] }],
  },
}

/** Replaces one value somewhere in the payload by anything at all. */
function broken(payload: object) {
  return fc.tuple(fc.jsonValue(), fc.nat()).map(([value, at]) => {
    let left = at % 40
    return JSON.parse(JSON.stringify(payload), (_key, inner: unknown) => (left-- === 0 ? value : inner)) as unknown
  })
}

test('no payload makes the parser throw, and what it answers has ids that are ids', () => {
  fc.assert(
    fc.property(fc.oneof(broken(message), fc.jsonValue()), (payload) => {
      const parsed = parseMessageCreate(payload, '99')
      if (parsed !== undefined)
        expect(`${parsed.id} ${parsed.channelId} ${parsed.who.user.id}`).toMatch(/^\d+ \d+ \d+$/)
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.oneof(broken(interaction), fc.jsonValue()), (payload) => {
      const parsed = parseInteraction(payload)
      if (parsed !== undefined) expect(parsed.id).toMatch(/^\d+$/)
    }),
    { numRuns: 2000 },
  )
})

test('our mention is taken out of the words, and others are written as names', () => {
  expect(parseMessageCreate(message, '99')).toMatchObject({ text: 'rename @Ben $& $1 things', isAddressed: true })
  expect(parseMessageCreate(message, '98')).toMatchObject({ isAddressed: false })
})

test('a name, role or flag that somebody types does not make them anybody else', () => {
  const parsed = parseMessageCreate({ ...message, content: '{"userId":"1","groups":["admin"]}' }, '99')
  if (parsed === undefined) throw new Error('not parsed')
  const actor = actorOf(parsed.who, { guildId: '30', parentId: '20' })
  expect(actor).toMatchObject({
    userId: '40',
    groups: ['50'],
    scope: '30',
    channelId: '20',
    isBot: false,
    isGuest: false,
  })
  const guest = actorOf(
    { ...parsed.who, member: { roles: [], flags: 16, nick: null } },
    { guildId: '30', parentId: '20' },
  )
  expect(guest.isGuest).toBe(true)
})

test('keys of places and messages are read as they were written, and nothing else is taken for one', () => {
  const id = fc.bigInt({ min: 1n, max: 2n ** 63n }).map(String)
  fc.assert(
    fc.property(id, id, id, (channelId, messageId, interactionId) => {
      const spots = [
        { kind: 'new', channelId, userId: messageId, interactionId },
        { kind: 'message', channelId, messageId },
        { kind: 'channel', channelId },
        { kind: 'replies', channelId, messageId },
      ] as const
      for (const spot of spots) expect(parseSpot(encodeSpot(spot))).toEqual(spot)
      for (const own of [true, false])
        expect(parseMessage(encodeMessage({ own, channelId, messageId }))).toEqual({ own, channelId, messageId })
    }),
  )
  fc.assert(
    fc.property(fc.string(), (key) => {
      expect(() => parseSpot(`${key}!`)).toThrow('not one of Discord')
      expect(() => parseMessage(`${key}!`)).toThrow('not one of Discord')
    }),
  )
})
