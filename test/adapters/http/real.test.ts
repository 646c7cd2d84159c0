/** Every endpoint on the real store, workspace, inbox, worker and sandbox. */

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fromBuffer } from 'yauzl'
import type { z } from 'zod'
import {
  actionResult,
  auditPage,
  logTail,
  outputList,
  problemSchema,
  taskPage,
  taskSchema,
} from '../../../adapters/http/schemas.ts'
import { systemClock } from '../../../src/app/system-clock.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'
import { eventually } from '../../eventually.ts'
import { scriptedPlan } from '../../fakes/scripted-planner.ts'
import { openRealApp, type RealApp } from '../real-app.ts'
import { type Api, newToken, startApiOn } from './api.ts'

type RealApi = Api<Inbox>

async function startOn(app: RealApp, options: Parameters<typeof startApiOn>[1] = {}): Promise<RealApi> {
  return startApiOn(app.inbox, { clock: systemClock, ...options })
}

async function read<Schema extends z.ZodType>(schema: Schema, response: Promise<Response>): Promise<z.infer<Schema>> {
  return schema.parse(await (await response).json())
}

async function ended(api: RealApi, id: number): Promise<z.infer<typeof taskSchema>> {
  const text = await (await api.get(`/tasks/${id}/logs?follow=1`)).text()
  const end = /event: end\ndata: (.*)\n/.exec(text)?.[1]
  return taskSchema.parse(JSON.parse(end ?? 'null'))
}

async function namesInZip(bytes: Buffer): Promise<string[]> {
  const names: string[] = []
  return new Promise((resolve, reject) => {
    fromBuffer(bytes, {}, (error, zip) => {
      if (error !== null) return reject(error)
      zip.on('entry', (entry) => names.push(entry.fileName))
      zip.on('end', () => resolve(names.sort()))
      zip.on('error', reject)
    })
  })
}

test('a verbatim task from POST to its last file', async () => {
  await using app = await openRealApp()
  await using api = await startOn(app)
  await using worker = app.makeWorker()
  await worker.start()
  const made = await api.post('/tasks', { description: '!seq 1 5\n!mkdir -p out; echo hello > "out/a b.txt"' })
  expect(made.status).toBe(201)
  const task = await ended(api, 1)
  expect(task).toMatchObject({ status: 'done', outputs: { files: 1, bytes: 6 } })
  expect(task.rounds[0]?.steps.map((step) => step.exit_code)).toEqual([0, 0])
  expect(await (await api.get('/tasks/1/logs?lines=200')).text()).toMatch(/^1\n2\n3\n4\n5\n/m)
  const tail = await read(logTail, api.get('/tasks/1/logs?format=json&lines=1'))
  expect(tail.lines).toHaveLength(1)
  expect(tail.lines[0]?.next_offset).toBe(tail.end_offset)
  expect(await (await api.get('/tasks/1/logs?lines=all')).text()).toContain('1\n2\n3\n4\n5\n')
  const list = await read(outputList, api.get('/tasks/1/outputs'))
  expect(list.files.map((file) => [file.path, file.size_bytes])).toEqual([['out/a b.txt', 6]])
  expect(await (await api.get('/tasks/1/outputs/out/a%20b.txt')).text()).toBe('hello\n')
  const part = await api.get('/tasks/1/outputs/out/a%20b.txt', { range: 'bytes=1-2' })
  expect([part.status, await part.text()]).toEqual([206, 'el'])
  const zip = await api.get('/tasks/1/outputs.zip')
  expect(await namesInZip(Buffer.from(await zip.arrayBuffer()))).toEqual(['out/a b.txt'])
})

test('no path leads out of the outputs', async () => {
  await using app = await openRealApp()
  await using api = await startOn(app)
  await using worker = app.makeWorker()
  await worker.start()
  await api.post('/tasks', { description: '!ln -s /etc/passwd link; ln -s .. up; echo x > x; mkfifo pipe' })
  await ended(api, 1)
  expect((await read(outputList, api.get('/tasks/1/outputs'))).files.map((file) => file.path)).toEqual(['x'])
  const paths = [
    'link',
    'up/x',
    'up',
    'pipe',
    '..%2f..%2f..%2ftasks.db',
    '%2e%2e/log',
    '..%5c..%5ctasks.db',
    '/etc/passwd',
    'x/',
    'x%00',
  ]
  for (const path of paths) {
    const response = await api.raw({ path: `/tasks/1/outputs/${path}` })
    expect([400, 404], path).toContain(response.status)
    expect(response.body.toString()).not.toContain('root:')
  }
})

test('a followed log can be left and taken up again without a gap', async () => {
  await using app = await openRealApp()
  await using api = await startOn(app)
  await using worker = app.makeWorker()
  await api.post('/tasks', { description: '!for i in $(seq 1 50); do echo line $i; done' })
  const gone = new AbortController()
  const first = await fetch(`${api.url}/tasks/1/logs?follow=1`, { signal: gone.signal })
  await worker.start()
  let text = ''
  for await (const chunk of first.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    if (text.includes('line 7"')) break
  }
  gone.abort()
  const before = text.slice(0, text.lastIndexOf('\n\n'))
  const lastId = [...before.matchAll(/^id: (\d+)$/gm)].at(-1)?.[1] ?? ''
  const rest = await (await api.get('/tasks/1/logs', { accept: 'text/event-stream', 'last-event-id': lastId })).text()
  const lines = [...`${before}\n\n${rest}`.matchAll(/"text":"(line \d+)"/g)].map((match) => match[1])
  expect(lines).toEqual(Array.from({ length: 50 }, (_, at) => `line ${at + 1}`))
})

test('pages of the list follow each other by cursor, by status too', async () => {
  await using app = await openRealApp()
  await using api = await startOn(app)
  for (let at = 1; at <= 5; at++) await api.post('/tasks', { description: `!echo ${at}` })
  await api.post('/tasks/3/cancel')
  const seen: number[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`
    const page: z.infer<typeof taskPage> = await read(taskPage, api.get(`/tasks?limit=2${query}`))
    seen.push(...page.tasks.map((task) => task.id))
    cursor = page.next_cursor
  }
  expect(seen).toEqual([5, 4, 3, 2, 1])
  expect((await read(taskPage, api.get('/tasks?status=cancelled'))).tasks.map((task) => task.id)).toEqual([3])
})

test('cancel, retry, rerun and refine; wrong states are conflicts that say the state', async () => {
  await using app = await openRealApp([['true']])
  await using api = await startOn(app)
  await using worker = app.makeWorker()
  await worker.start()
  await api.post('/tasks', { description: '!echo started; sleep 100' })
  await eventually(async () => expect(await (await api.get('/tasks/1/logs')).text()).toMatch(/^started$/m))
  expect((await api.post('/tasks/1/cancel')).status).toBe(200)
  expect(await ended(api, 1)).toMatchObject({
    status: 'cancelled',
    end: { reason: 'cancelled', by: { platform: 'api', id: 'local' } },
  })
  const again = await api.post('/tasks/1/cancel')
  expect(again.status).toBe(409)
  expect(problemSchema.parse(await again.json())).toMatchObject({ code: 'conflict', task_status: 'cancelled' })
  const retried = await api.post('/tasks/1/retry', undefined, { 'idempotency-key': 'once' })
  expect([retried.status, retried.headers.get('location')]).toEqual([201, '/tasks/2'])
  const twice = actionResult.parse(
    await (await api.post('/tasks/1/retry', undefined, { 'idempotency-key': 'once' })).json(),
  )
  expect(twice.task).toMatchObject({ id: 2, parent_id: 1, kind: 'retry' })
  await api.post('/tasks/2/cancel')
  await api.post('/tasks', { description: '!echo hi > a.txt' })
  await ended(api, 3)
  expect((await api.post('/tasks/3/rerun')).status).toBe(201)
  expect(await ended(api, 4)).toMatchObject({ status: 'done', kind: 'rerun', parent_id: 3 })
  expect((await api.post('/tasks/3/refine', { text: 'show me the file' })).status).toBe(201)
  expect(await ended(api, 5)).toMatchObject({ kind: 'refine', parent_id: 3 })
})

test('a plan that waits: approve needs its hash, a second decision is a conflict, edit and reject', async () => {
  const network = { reason: 'to look', hosts: ['example.org'] }
  const ask = scriptedPlan(['echo networked'], { network })
  await using app = await openRealApp([ask, ask, ask])
  await using api = await startOn(app)
  await using worker = app.makeWorker()
  await worker.start()
  const waiting = async (id: number) =>
    eventually(async () => {
      const task = await read(taskSchema, api.get(`/tasks/${id}`))
      expect(task.status).toBe('awaiting_approval')
      return task
    })
  await api.post('/tasks', { description: 'first' })
  const first = await waiting(1)
  const hash = first.approval?.hash ?? ''
  expect((await api.post('/tasks/1/approve', { hash: '00000000' })).status).toBe(409)
  expect((await api.post('/tasks/1/approve', { hash })).status).toBe(200)
  expect((await api.post('/tasks/1/approve', { hash })).status).toBe(409)
  await api.post('/tasks', { description: 'second' })
  await waiting(2)
  expect((await api.post('/tasks/2/reject', { note: 'no' })).status).toBe(200)
  expect(await ended(api, 2)).toMatchObject({ status: 'cancelled', end: { reason: 'rejected', detail: 'no' } })
  await api.post('/tasks', { description: 'third' })
  const third = await waiting(3)
  const edit = await fetch(`${api.url}/tasks/3/plan`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ hash: third.approval?.hash, commands: ['echo mine'] }),
  })
  expect(edit.status).toBe(200)
  const edited = await read(taskSchema, api.get('/tasks/3'))
  expect(edited.rounds.at(-1)?.steps[0]?.command).toBe('echo mine')
  const audit = await read(auditPage, api.get('/audit'))
  expect(audit.entries.map((entry) => entry.action)).toEqual(expect.arrayContaining(['approve', 'reject']))
  expect((await read(auditPage, api.get('/audit?task_id=2'))).entries.every((entry) => entry.task_id === 2)).toBe(true)
})

test('inputs of the body are in the working directory, and nowhere else afterwards', async () => {
  await using app = await openRealApp()
  await using api = await startOn(app)
  await using worker = app.makeWorker()
  await worker.start()
  const inputs = [{ name: '../data.csv', content_base64: Buffer.from('a,b\n').toString('base64') }]
  expect((await api.post('/tasks', { description: '!cat inputs/*', inputs })).status).toBe(201)
  const task = await ended(api, 1)
  expect(task).toMatchObject({ status: 'done', inputs: [{ state: 'saved', size_bytes: 4 }] })
  expect(await (await api.get('/tasks/1/logs')).text()).toMatch(/^a,b$/m)
  await eventually(() => expect(readdirSync(api.spoolDirectory)).toEqual([]))
})

test('scopes decide on every route', async () => {
  await using app = await openRealApp()
  const scopes = ['read', 'submit', 'approve', 'admin'] as const
  const tokens = Object.fromEntries(scopes.map((scope) => [scope, newToken(scope, [scope])] as const))
  await using api = await startOn(app, { tokens: Object.values(tokens).map((token) => token.entry) })
  const as = (scope: string) => ({ authorization: `Bearer ${tokens[scope]?.token ?? ''}` })
  await api.post('/tasks', { description: '!true' }, as('submit'))
  const routes: [string, string, unknown, readonly string[]][] = [
    ['GET', '/tasks', undefined, ['read']],
    ['GET', '/tasks/1', undefined, ['read']],
    ['GET', '/tasks/1/logs', undefined, ['read']],
    ['GET', '/tasks/1/outputs', undefined, ['read']],
    ['GET', '/tasks/1/outputs/a', undefined, ['read']],
    ['GET', '/tasks/1/outputs.zip', undefined, ['read']],
    ['GET', '/metrics', undefined, ['read']],
    ['GET', '/audit', undefined, []],
    ['POST', '/tasks', { description: '!true' }, ['submit']],
    ['POST', '/tasks/1/cancel', {}, ['submit']],
    ['POST', '/tasks/1/retry', {}, ['submit']],
    ['POST', '/tasks/1/rerun', {}, ['submit']],
    ['POST', '/tasks/1/replan', {}, ['submit']],
    ['POST', '/tasks/1/resume', {}, ['submit']],
    ['POST', '/tasks/1/restart', {}, ['submit']],
    ['POST', '/tasks/1/discard', {}, ['submit']],
    ['POST', '/tasks/1/refine', { text: '!true' }, ['submit']],
    ['POST', '/tasks/1/approve', { hash: '00000000' }, ['approve']],
    ['POST', '/tasks/1/reject', {}, ['approve']],
    // Task 1 has ended: to run other commands in its place takes submit beside approve, which only admin has here.
    ['PUT', '/tasks/1/plan', { hash: '00000000', commands: ['true'] }, []],
  ]
  for (const [method, path, body, allowed] of routes) {
    for (const scope of scopes) {
      const response = await fetch(api.url + path, {
        method,
        headers: { ...as(scope), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      await response.arrayBuffer()
      const mayPass = scope === 'admin' || allowed.includes(scope)
      expect(response.status === 403, `${method} ${path} as ${scope}: ${response.status}`).toBe(!mayPass)
    }
  }
})
