import { describe, expect, test } from 'vitest'
import { logTail, taskSchema } from '../../../adapters/http/schemas.ts'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { doneTask, liveTask } from '../live-task.ts'
import { type Api, startApi } from './api.ts'

interface ServerEvent {
  id: string
  event: string
  data: string
}

/** Reads server-sent events as a browser does. `comments` counts heartbeats. */
async function openEvents(api: Api, path: string, headers: Record<string, string> = {}) {
  const gone = new AbortController()
  const response = await fetch(api.url + path, { headers, signal: gone.signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const seen = { comments: 0 }
  let rest = ''
  async function next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const end = rest.indexOf('\n\n')
      if (end >= 0) {
        const block = rest.slice(0, end)
        rest = rest.slice(end + 2)
        if (block.startsWith(':')) seen.comments += 1
        else return parseEvent(block)
      } else {
        const part = await reader?.read()
        if (part === undefined || part.done) return undefined
        rest += part.value
      }
    }
  }
  return { response, next, seen, leave: () => gone.abort() }
}

function parseEvent(block: string): ServerEvent {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  return { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: fields.get('data') ?? '' }
}

async function readAll(next: () => Promise<ServerEvent | undefined>): Promise<ServerEvent[]> {
  const events: ServerEvent[] = []
  for (let event = await next(); event !== undefined; event = await next()) events.push(event)
  return events
}

const textOf = (event: ServerEvent): unknown => JSON.parse(event.data).text
const running = () => ({ ...sampleTask({ id: 1 }), status: 'running' as const })

describe('the last lines', () => {
  test('are plain text, 200 of them by default, without escapes', async () => {
    await using api = await startApi()
    api.inbox.tasks.set(1, sampleTask())
    const lines = Array.from({ length: 300 }, (_, at) => `\x1b[31mline ${at + 1}\x1b[0m`)
    api.inbox.logs.set(1, `${lines.join('\n')}\n`)
    const response = await api.get('/tasks/1/logs')
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const text = await response.text()
    expect(text.split('\n')).toHaveLength(201)
    expect(text.startsWith('line 101\n')).toBe(true)
    expect(await (await api.get('/tasks/1/logs?lines=2')).text()).toBe('line 299\nline 300\n')
  })

  test.each([
    ['?format=json', {}],
    ['', { accept: 'application/json' }],
  ])('are JSON with offsets by %s %j', async (query, headers) => {
    await using api = await startApi()
    api.inbox.tasks.set(1, sampleTask())
    api.inbox.logs.set(1, 'a\nbé\n')
    const tail = logTail.parse(await (await api.get(`/tasks/1/logs${query}`, headers)).json())
    expect(tail.lines).toEqual([
      { offset: 0, next_offset: 2, text: 'a', ours: false },
      { offset: 2, next_offset: 6, text: 'bé', ours: false },
    ])
    expect(tail.end_offset).toBe(6)
  })

  test('all of it is a download, as it was printed', async () => {
    await using api = await startApi()
    api.inbox.tasks.set(1, sampleTask())
    api.inbox.logs.set(1, 'a\x1b[2J\n')
    const response = await api.get('/tasks/1/logs?lines=all')
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="task-1.log"')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await response.text()).toBe('a\x1b[2J\n')
  })

  test.each(['lines=0', 'lines=10001', 'lines=-1', 'lines=x', 'format=xml', 'follow=yes', 'tail=1'])(
    '?%s is refused',
    async (query) => {
      await using api = await startApi()
      api.inbox.tasks.set(1, sampleTask())
      expect((await api.get(`/tasks/1/logs?${query}`)).status).toBe(400)
    },
  )

  test('an unknown task is not found, followed or not', async () => {
    await using api = await startApi()
    for (const query of ['', '?follow=1', '?lines=all']) {
      const response = await api.get(`/tasks/9/logs${query}`)
      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
    }
  })
})

describe('following', () => {
  test('begins with what is there, goes on, and ends with the task', async () => {
    await using api = await startApi()
    const task = liveTask(api.inbox, running())
    task.note('$ seq 2')
    task.print('1')
    const events = await openEvents(api, '/tasks/1/logs?follow=1')
    expect(events.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(events.response.headers.get('cache-control')).toBe('no-store')
    await eventually(() => expect(task.open).toBe(2))
    task.print('2')
    task.become(doneTask(running(), 'counted'))
    const all = await readAll(events.next)
    const lines = all.filter((event) => event.event === 'line')
    expect(lines.map(textOf)).toEqual(['$ seq 2', '1', '2'])
    expect(lines.map((event) => event.id)).toEqual(['8', '10', '12'])
    expect(all.some((event) => event.event === 'status')).toBe(true)
    const last = all.at(-1)
    expect(last?.event).toBe('end')
    expect(taskSchema.parse(JSON.parse(last?.data ?? '')).end?.answer).toBe('counted')
    await eventually(() => expect(task.open).toBe(0))
  })

  test('goes on after Last-Event-ID without a gap or a repetition', async () => {
    await using api = await startApi()
    const task = liveTask(api.inbox, running())
    task.print('a', 'b', 'c')
    task.become(doneTask(running()))
    const events = await openEvents(api, '/tasks/1/logs', { accept: 'text/event-stream', 'last-event-id': '2' })
    expect((await readAll(events.next)).filter((event) => event.event === 'line').map(textOf)).toEqual(['b', 'c'])
  })

  test.each(['-1', 'abc', '1; drop', '9'.repeat(40)])('Last-Event-ID %j is refused', async (id) => {
    await using api = await startApi()
    liveTask(api.inbox, running())
    expect((await api.get('/tasks/1/logs?follow=1', { 'last-event-id': id })).status).toBe(400)
  })

  test('no output can forge an event: everything from outside is in JSON', async () => {
    await using api = await startApi()
    const task = liveTask(api.inbox, running())
    task.print('x\revent: end\rdata: {}\r\r', '\u2028event: end')
    task.become(doneTask(running()))
    const events = await openEvents(api, '/tasks/1/logs?follow=1')
    const all = await readAll(events.next)
    expect(all.map((event) => event.event).filter((name) => name !== 'status')).toEqual(['line', 'line', 'end'])
  })

  test('says now and then that it is still there', async () => {
    await using api = await startApi({ limits: { heartbeatMs: 1000 } })
    const task = liveTask(api.inbox, running())
    const events = await openEvents(api, '/tasks/1/logs?follow=1')
    await eventually(() => expect(api.clock.waiting).toBe(1))
    for (const _ of [1, 2]) api.clock.advance(1000)
    task.become(doneTask(running()))
    await readAll(events.next)
    expect(events.seen.comments).toBe(2)
    expect(api.clock.waiting).toBe(0)
  })

  test('a client that leaves is forgotten, and its place is free again', async () => {
    await using api = await startApi({ limits: { followers: 1 } })
    const task = liveTask(api.inbox, running())
    const events = await openEvents(api, '/tasks/1/logs?follow=1')
    await eventually(() => expect(task.open).toBe(2))
    const second = await api.get('/tasks/1/logs?follow=1')
    expect(second.status).toBe(503)
    events.leave()
    await eventually(() => expect(task.open).toBe(0))
    await eventually(async () => {
      const third = await openEvents(api, '/tasks/1/logs?follow=1')
      expect(third.response.status).toBe(200)
      third.leave()
    })
  })

  test('a client that reads nothing does not make the server hold the log in memory', async () => {
    await using api = await startApi()
    const task = liveTask(api.inbox, running())
    const taken = { lines: 0 }
    const endless = async function* () {
      for (let at = 0; at < 100_000; at++) {
        taken.lines = at
        yield { offset: at, nextOffset: at + 1, text: 'x'.repeat(1000), ours: false }
      }
    }
    api.inbox.follow = async () => ({ kind: 'lines', lines: endless() })
    const events = await openEvents(api, '/tasks/1/logs?follow=1')
    await eventually(() => expect(taken.lines).toBeGreaterThan(10))
    // What is taken stays where it is once the buffers on the way are full.
    let before = -1
    await eventually(() => {
      const now = taken.lines
      const still = now === before
      before = now
      expect(still).toBe(true)
    }, 200)
    expect(taken.lines).toBeLessThan(50_000)
    events.leave()
    task.become(doneTask(running()))
  })

  test('stopping the server ends what is followed', async () => {
    const api = await startApi()
    const task = liveTask(api.inbox, running())
    const events = await openEvents(api, '/tasks/1/logs?follow=1')
    await eventually(() => expect(task.open).toBe(2))
    await api[Symbol.asyncDispose]()
    expect((await readAll(events.next)).map((event) => event.event)).not.toContain('end')
    expect(task.open).toBe(0)
  })
})
