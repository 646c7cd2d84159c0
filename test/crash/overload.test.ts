/** More requests at once than can be worked on, of ten people, one of whom asks for most of them: hundreds from Slack, thousands over the API. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { Home } from '../e2e/program.ts'
import { startSlackServer } from '../fakes/slack-server.ts'
import { addChannel, addUser, visibleText } from '../fakes/slack-server-state.ts'
import { homeWithApi, startReady } from './fixture-home.ts'
import { openLook } from './look.ts'
import { footprint } from './processes.ts'

const TWO_SLOTS = { ASSISTANT_STOP_GRACE: '1 s', ASSISTANT_CONCURRENCY: '2' }

it('from Slack they are accepted, taken in turn between people, and told where they stand; beyond a limit people are told so', async () => {
  await using slack = await startSlackServer()
  const users = Array.from({ length: 10 }, (_, index) => `U0MANY${index}`)
  for (const id of users) addUser(slack.world, id, id.toLowerCase())
  const channels = Array.from({ length: 8 }, (_, index) => `C0MANY${index}`)
  for (const id of channels) addChannel(slack.world, id, id.toLowerCase(), 'public', [...users, 'U0BOT'])
  const { home, api } = await homeWithApi({ ...slack.environment, ...TWO_SLOTS })
  using _home = home
  writeFileSync(join(home.folder, 'settings.yaml'), JSON.stringify({ limits: { perRequester: 30 } }))
  await using program = await startReady(home)
  using look = openLook(home.folder)
  const accepted = () => look?.tasks() ?? []
  let asked = 0
  const ask = (user: string, command: string) => {
    asked += 1
    const channel = channels[asked % channels.length] ?? ''
    slack.user.say({ user, channel, events: ['app_mention'], text: `<@U0BOT> !${command} ${asked}` })
  }

  // Both hands of the worker are full, so that nothing ends while the requests come; the first one asks for more than anybody may.
  const [greedy = '', ...others] = users
  for (const id of [1, 2]) {
    ask(greedy, 'sleep 1000; echo')
    await api.until(id, 'running')
  }
  for (let number = 0; number < 35; number += 1) ask(greedy, 'echo')
  for (const user of others) for (let number = 0; number < 18; number += 1) ask(user, 'echo')
  const refused = () => slack.world.ephemerals.filter(({ text }) => text.includes('as many as one person may')).length
  await expect.poll(() => [accepted().length, refused()], { interval: 250 }).toEqual([30 + 9 * 18, 7])

  // A card in the queue says where it stands.
  const waiting = () =>
    slack.world.messages.filter(({ blocks }) => /[0-9](?:st|nd|rd|th) in line/.test(visibleText(blocks)))
  await expect.poll(() => waiting().length, { interval: 250 }).toBeGreaterThan(0)

  // From here on everybody waits, and everybody gets a turn.
  for (const id of [1, 2]) {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
    expect((await fetch(`http://127.0.0.1:${api.port}/tasks/${id}/cancel`, init)).status).toBe(200)
  }
  const claimed = () => look?.events(0).flatMap(({ event, taskId }) => (event.kind === 'claimed' ? [taskId] : [])) ?? []
  await expect.poll(() => claimed().length, { interval: 250 }).toBeGreaterThanOrEqual(2 + 30)
  const who = new Map(accepted().map(({ id, requester_user }) => [id, requester_user]))
  for (const from of [2, 12, 22]) {
    const ten = claimed().slice(from, from + 10)
    expect(new Set(ten.map((id) => who.get(id))).size).toBe(10)
  }
  program.child.kill('SIGTERM')
  expect((await program.ended).code).toBe(0)
}, 240_000)

const answerSchema = z.object({
  id: z.int(),
  status: z.string(),
  queue: z.object({ position: z.int(), estimate_ms: z.int().nullable() }).nullable(),
})
const problemSchema = z.object({ code: z.string(), detail: z.string() })
type Answer = z.infer<typeof answerSchema>

const PEOPLE = Array.from({ length: 10 }, (_, index) => `person-${index}`)
const PER_PERSON = 110
const IN_LINE = 1000

interface Asked {
  person: string
  status: number
  retryAfter: string | null
  body: unknown
}

/** Everybody has a token of their own: on the API that is who asks. */
function writeSettings(home: Home): void {
  const tokens = PEOPLE.map((name) => {
    return { name, sha256: createHash('sha256').update(name).digest('hex'), scopes: ['submit', 'read'] }
  })
  const settings = { api: { tokens }, limits: { perRequester: PER_PERSON, queue: IN_LINE } }
  writeFileSync(join(home.folder, 'settings.yaml'), JSON.stringify(settings))
}

it('over the API they are stored, in turn between people, and say where they stand; what is too much is refused and costs nothing', async () => {
  const { home, api } = await homeWithApi(TWO_SLOTS)
  using _home = home
  writeSettings(home)
  const call = (person: string, path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${person}`, 'content-type': 'application/json' }
    return fetch(`http://127.0.0.1:${api.port}${path}`, { ...init, headers })
  }
  async function ask(person: string, description: string): Promise<Asked> {
    const response = await call(person, '/tasks', { method: 'POST', body: JSON.stringify({ description }) })
    return {
      person,
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: await response.json(),
    }
  }
  const task = async (person: string, id: number): Promise<Answer> =>
    answerSchema.parse(await (await call(person, `/tasks/${id}`)).json())

  await using program = await startReady(home)
  const [greedy = '', ...others] = PEOPLE
  const last = others.at(-1) ?? ''
  // Both hands of the worker are full, so that nothing ends while the requests come.
  const stuck = answerSchema.parse((await ask(greedy, '!sleep 1000')).body).id
  const held = answerSchema.parse((await ask(last, '!sleep 1000')).body).id
  for (const [person, id] of [
    [greedy, stuck],
    [last, held],
  ] as const) {
    await expect.poll(async () => (await task(person, id)).status).toBe('running')
  }

  const wave = (person: string, count: number) => Array.from({ length: count }, (_, at) => ask(person, `!echo ${at}`))
  const all = await Promise.all([...wave(greedy, PER_PERSON + 20), ...others.flatMap((person) => wave(person, 98))])
  const accepted = all.filter(({ status }) => status === 201)
  const refused = all.filter(({ status }) => status === 429)
  expect(accepted.length + refused.length).toBe(all.length)
  expect(accepted.length).toBe(PER_PERSON - 1 + 9 * 98)
  for (const each of refused) {
    expect([each.person, each.retryAfter]).toEqual([greedy, '10'])
    expect(problemSchema.parse(each.body)).toEqual(
      expect.objectContaining({ code: 'queue_full', detail: expect.stringContaining(`You have ${PER_PERSON} tasks`) }),
    )
  }

  // Each answer says where it stands; now that all are there, the first of everybody is among the first ten, whoever asked for more.
  const tasks = accepted.map(({ person, body }) => ({ person, ...answerSchema.parse(body) }))
  expect(new Set(tasks.map(({ id }) => id)).size).toBe(tasks.length)
  for (const { queue } of tasks) expect(queue?.position).toBeGreaterThan(0)
  const mine = (person: string) =>
    tasks
      .filter((each) => each.person === person)
      .map(({ id }) => id)
      .sort((a, b) => a - b)
  const standings = await Promise.all(
    PEOPLE.map(async (person) => (await task(person, mine(person)[0] ?? 0)).queue?.position ?? 0),
  )
  expect(standings.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  expect((await task(greedy, mine(greedy).at(-1) ?? 0)).queue).toEqual({ position: tasks.length, estimate_ms: null })

  // Another thousand, for which there is no room: refused, and the program does not grow by them.
  const room = IN_LINE - tasks.length
  const before = footprint(program.child.pid ?? 0)?.residentBytes ?? 0
  const more = await Promise.all(others.flatMap((person) => wave(person, 111)))
  expect(more.filter(({ status }) => status === 201)).toHaveLength(room)
  const full = more.filter(({ status }) => status !== 201).map(({ body }) => problemSchema.parse(body).detail)
  expect(full.some((detail) => detail === `The queue is full (${IN_LINE} tasks wait). Try again later.`)).toBe(true)
  expect((footprint(program.child.pid ?? 0)?.residentBytes ?? 0) - before).toBeLessThan(150 * 1024 ** 2)
  expect((await call(greedy, '/healthz')).status).toBe(200)

  // One hand is free again: the work goes on beside what is stuck, a turn for each.
  using look = openLook(home.folder)
  const owner = new Map(look?.tasks().map(({ id, requester_user }) => [id, requester_user]))
  const turns = () => look?.events(0).flatMap(({ event, taskId }) => (event.kind === 'claimed' ? [taskId] : [])) ?? []
  expect((await call(last, `/tasks/${held}/cancel`, { method: 'POST', body: '{}' })).status).toBe(200)
  await expect.poll(() => turns().length, { interval: 250 }).toBeGreaterThan(2 + 20)
  const first = turns().slice(2, 22)
  for (const ten of [first.slice(0, 10), first.slice(10)]) {
    expect(new Set(ten.map((id) => owner.get(id))).size).toBe(10)
  }
  expect((await task(greedy, stuck)).status).toBe('running')
  const next = await task(greedy, mine(greedy).at(-1) ?? 0)
  expect(next.queue?.position).toBeLessThanOrEqual(IN_LINE)
  expect(next.queue?.estimate_ms).toBeGreaterThanOrEqual(0)
  program.child.kill('SIGTERM')
  expect((await program.ended).code).toBe(0)
}, 240_000)

it('a thread that hangs and a task that never ends hold up nobody else; a channel has a limit, and a card in line says for how long', async () => {
  await using slack = await startSlackServer()
  for (const id of ['C0STUCK', 'C0FREE']) addChannel(slack.world, id, id.toLowerCase(), 'public', ['U0ANA', 'U0BOT'])
  const { home } = await homeWithApi({ ...slack.environment, ...TWO_SLOTS })
  using _home = home
  writeFileSync(join(home.folder, 'settings.yaml'), JSON.stringify({ limits: { perChannel: 3 } }))
  await using program = await startReady(home)
  const ask = (channel: string, command: string) =>
    slack.user.say({ user: 'U0ANA', channel, events: ['app_mention'], text: `<@U0BOT> !${command}` })
  const said = (channel: string, words: RegExp) =>
    slack.world.messages.filter((each) => each.channel === channel && words.test(visibleText(each.blocks))).length
  using look = openLook(home.folder)
  const stored = () => look?.tasks().length

  // Slack does not answer about its thread, and one of two hands is never free again.
  const gate = Promise.withResolvers<void>()
  slack.faults.next('chat.postMessage', { kind: 'gate', gate: gate.promise })
  ask('C0STUCK', 'sleep 1000')
  await expect.poll(() => slack.calls('chat.postMessage').length).toBe(1)
  ask('C0FREE', 'echo hello')
  await expect.poll(() => said('C0FREE', /done in/)).toBe(1)
  gate.resolve()

  for (const count of [3, 4]) {
    ask('C0STUCK', 'sleep 1000')
    await expect.poll(stored).toBe(count)
  }
  ask('C0STUCK', 'echo too much')
  const refused = () => slack.world.ephemerals.filter(({ text }) => text.includes('This channel has 3 tasks')).length
  await expect.poll(refused).toBe(1)
  ask('C0FREE', 'echo later')
  await expect.poll(() => said('C0FREE', /[0-9](?:st|nd|rd|th) in line · (?:about|less)/)).toBe(1)
  expect(stored()).toBe(5)
  program.child.kill('SIGTERM')
  expect((await program.ended).code).toBe(0)
}, 240_000)
