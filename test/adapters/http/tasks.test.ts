import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { actionResult, taskPage, taskSchema } from '../../../adapters/http/schemas.ts'
import { AppError } from '../../../src/core/errors.ts'
import { summaryJson } from '../../../src/core/task-json.ts'
import { StoreError } from '../../../src/ports/store.ts'
import { eventually } from '../../eventually.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { sampleRound } from '../sample-round.ts'
import { newToken, startApi } from './api.ts'

describe('POST /tasks', () => {
  test('makes a task and says where it is', async () => {
    await using api = await startApi()
    const response = await api.post('/tasks', { description: '!seq 1 5', model: 'small' })
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe('/tasks/1')
    const task = taskSchema.parse(await response.json())
    expect(task).toMatchObject({ id: 1, status: 'pending', description: '!seq 1 5', model: 'small', parent_id: null })
    expect(api.inbox.submitted[0]).toMatchObject({ place: null, dedupeKey: null })
  })

  test.each([
    ['the header', {}, { 'idempotency-key': 'k1' }],
    ['the body', { dedupe_key: 'k1' }, {}],
  ])('the same key in %s again answers the same task', async (_where, extra, headers) => {
    await using api = await startApi()
    expect((await api.post('/tasks', { description: 'a', ...extra }, headers)).status).toBe(201)
    const again = await api.post('/tasks', { description: 'a', ...extra }, headers)
    expect(again.status).toBe(200)
    expect(await again.json()).toMatchObject({ id: 1 })
    const other = await api.post('/tasks', { description: 'b', ...extra }, headers)
    expect(other.status).toBe(422)
    expect(await other.json()).toMatchObject({ code: 'idempotency_key_reused' })
  })

  test('keys of two tokens are two keys', async () => {
    const [one, two] = [newToken('one', ['submit']), newToken('two', ['submit'])]
    await using api = await startApi({ tokens: [one.entry, two.entry] })
    for (const { token } of [one, two]) {
      const headers = { authorization: `Bearer ${token}`, 'idempotency-key': 'k' }
      expect((await api.post('/tasks', { description: 'a' }, headers)).status).toBe(201)
    }
  })

  test.each([
    [{}, 'body.description'],
    [{ description: '' }, 'body.description'],
    [{ description: '  \n' }, 'body.description'],
    [{ description: 7 }, 'body.description'],
    [{ description: 'é'.repeat(8193) }, 'body.description'],
    [{ description: 'a', model: '' }, 'body.model'],
    [{ description: 'a', dedupe_key: 'x'.repeat(201) }, 'body.dedupe_key'],
    [{ description: 'a', inputs: [{ name: 'a', content_base64: '*' }] }, 'body.inputs.0.content_base64'],
    [{ description: 'a', inputs: [{ name: '', content_base64: '' }] }, 'body.inputs.0.name'],
    [{ description: 'a', surprise: 1 }, 'body'],
    [[], 'body'],
    ['text', 'body'],
  ])('%j is refused and %s is named', async (body, field) => {
    await using api = await startApi()
    const response = await api.post('/tasks', body)
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ code: 'invalid_request', errors: [{ field }] })
    expect(api.inbox.submitted).toEqual([])
  })

  test.each(['{', '{"description":', '', 'nul', '{"__proto__":{"a":1},"description":"x"}'])(
    'the body %j is malformed',
    async (body) => {
      await using api = await startApi()
      const headers = { 'content-type': 'application/json' }
      const response = await api.raw({ method: 'POST', path: '/tasks', headers, body })
      expect(response.status).toBe(400)
      expect(JSON.parse(response.body.toString()).code).toBe('malformed_request')
    },
  )

  test('a body over the limit is refused, with a length and without one', async () => {
    await using api = await startApi({ limits: { uploadBytes: 1000 } })
    const response = await api.post('/tasks', { description: 'x'.repeat(2000) })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ code: 'body_too_large' })
    const chunked = await api.raw({
      method: 'POST',
      path: '/tasks',
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      body: JSON.stringify({ description: 'x'.repeat(2000) }),
    })
    expect(chunked.status).toBe(413)
  })

  test('a token without the scope is told so, and its inputs are never written', async () => {
    const { token, entry } = newToken('reader', ['read'])
    await using api = await startApi({ tokens: [entry] })
    api.inbox.refuse = (actor) => (actor.apiScopes.includes('submit') ? null : 'This token lacks the scope "submit".')
    const inputs = [{ name: 'a.txt', content_base64: 'YQ==' }]
    const response = await api.post('/tasks', { description: 'a', inputs }, { authorization: `Bearer ${token}` })
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ code: 'forbidden', detail: 'This token lacks the scope "submit".' })
    expect(existsSync(api.spoolDirectory)).toBe(false)
  })

  test('a full queue is answered with 429 and the sentence', async () => {
    await using api = await startApi()
    api.inbox.next.submit.push(() => ({ kind: 'full', sentence: 'Ten of your tasks wait already.' }))
    const response = await api.post('/tasks', { description: 'a' })
    expect(response.status).toBe(429)
    expect(await response.json()).toMatchObject({ code: 'queue_full', detail: 'Ten of your tasks wait already.' })
  })

  test('inputs lie in files of our own naming until the task has them', async () => {
    await using api = await startApi()
    const inputs = [{ name: '../../etc/passwd', content_base64: Buffer.from('hello').toString('base64') }]
    expect((await api.post('/tasks', { description: 'a', inputs })).status).toBe(201)
    const [attachment] = api.inbox.submitted[0]?.attachments ?? []
    const source = attachment?.source
    const path = source?.kind === 'path' ? source.path : ''
    expect(path.startsWith(`${api.spoolDirectory}/upload-`)).toBe(true)
    expect(readFileSync(path, 'utf8')).toBe('hello')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const task = api.inbox.tasks.get(1)
    if (task !== undefined) for (const input of task.inputs) input.state = 'saved'
    await api.post('/tasks', { description: 'another, which wakes the watcher' })
    await eventually(() => expect(readdirSync(api.spoolDirectory)).toEqual([]))
  })

  test('inputs of a request that made no new task are removed at once', async () => {
    await using api = await startApi()
    api.inbox.next.submit.push(() => ({ kind: 'full', sentence: 'Full.' }))
    await api.post('/tasks', { description: 'a', inputs: [{ name: 'a', content_base64: 'YQ==' }] })
    expect(readdirSync(api.spoolDirectory)).toEqual([])
  })
})

describe('GET /tasks', () => {
  test('lists by status, a page at a time', async () => {
    await using api = await startApi()
    for (const id of [1, 2, 3]) api.inbox.tasks.set(id, sampleTask({ id }))
    const page = taskPage.parse(await (await api.get('/tasks?status=pending,running&limit=2')).json())
    expect(page.tasks.map((task) => task.id)).toEqual([3, 2])
    expect(taskPage.parse(await (await api.get('/tasks?status=done')).json()).tasks).toEqual([])
  })

  test('is one JSON object, with the cursor of the next page as text', async () => {
    await using api = await startApi()
    const [task, json] = [sampleTask({ id: 3 }), 'application/json; charset=utf-8']
    api.inbox.listJson = async () => ({ kind: 'page', tasks: JSON.stringify([summaryJson(task)]), nextBeforeId: 3 })
    const response = await api.get('/tasks?limit=1')
    expect(response.headers.get('content-type')).toBe(json)
    expect(await response.text()).toBe(JSON.stringify({ tasks: [summaryJson(task)], next_cursor: '3' }))
    api.inbox.listJson = async () => ({ kind: 'page', tasks: '[]', nextBeforeId: null })
    expect(await (await api.get('/tasks')).text()).toBe(JSON.stringify({ tasks: [], next_cursor: null }))
  })

  test.each([
    'status=finished',
    'status=',
    'limit=0',
    'limit=201',
    'limit=many',
    'cursor=abc',
    'cursor=0',
    'cursor=-1',
    "cursor=1'--",
    'parent_id=x',
    'page=2',
  ])('?%s is refused', async (query) => {
    await using api = await startApi()
    const response = await api.get(`/tasks?${query}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'invalid_request' })
  })

  test('a token that may only submit sees no list', async () => {
    const { token, entry } = newToken('ci', ['submit'])
    await using api = await startApi({ tokens: [entry] })
    api.inbox.refuse = (actor, action) => (action === 'view' && !actor.apiScopes.includes('read') ? 'no' : null)
    expect((await api.get('/tasks', { authorization: `Bearer ${token}` })).status).toBe(403)
  })
})

describe('a task in the queue', () => {
  test('says where it stands: when it is asked for, looked at and made by another', async () => {
    await using api = await startApi()
    api.inbox.queuePosition = async (_actor, { id }) => ({ position: id + 1, estimateMs: 60_000 })
    const made = taskSchema.parse(await (await api.post('/tasks', { description: 'a' })).json())
    expect(made.queue).toEqual({ position: 2, estimate_ms: 60_000 })
    expect(taskSchema.parse(await (await api.get('/tasks/1')).json()).queue).toEqual(made.queue)
    const acted = actionResult.parse(await (await api.post('/tasks/1/retry')).json())
    expect(acted.task.queue).toEqual(made.queue)
  })

  test('is accepted also when where it stands cannot be read; a question for it is not answered then', async () => {
    await using api = await startApi()
    api.inbox.queuePosition = async () => {
      throw new StoreError('busy', 'disk I/O error')
    }
    const response = await api.post('/tasks', { description: 'a' })
    expect(response.status).toBe(201)
    expect(taskSchema.parse(await response.json())).toMatchObject({ id: 1, queue: null })
    const acted = await api.post('/tasks/1/cancel')
    expect(acted.status).toBe(200)
    expect(actionResult.parse(await acted.json()).task.queue).toBeNull()
    expect((await api.get('/tasks/1')).status).toBe(503)
  })
})

describe('GET /tasks/{id}', () => {
  test('has plans, steps and the end', async () => {
    await using api = await startApi()
    const round = sampleRound({ commands: ['seq 1 5', 'false'], ends: [0, 1] })
    api.inbox.tasks.set(7, {
      ...sampleTask({ id: 7, rounds: [round], round: 1, outputs: { files: 1, bytes: 5 } }),
      status: 'failed',
      failure: { reason: 'step_failed', detail: 'exit 1', step: 1 },
    })
    const task = taskSchema.parse(await (await api.get('/tasks/7')).json())
    expect(task.rounds[0]?.steps.map((step) => [step.number, step.command, step.exit_code])).toEqual([
      [1, 'seq 1 5', 0],
      [2, 'false', 1],
    ])
    expect(task.end).toMatchObject({ reason: 'step_failed', sentence: 'A command failed.', step: 2 })
  })

  test.each(['0', '-1', '1.5', 'x', '1e99', '99999999999999999999'])('%s is not an id', async (id) => {
    await using api = await startApi()
    expect((await api.get(`/tasks/${id}`)).status).toBe(400)
  })

  test('an unknown id is not found', async () => {
    await using api = await startApi()
    const response = await api.get('/tasks/5')
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: '/problems/not_found', code: 'not_found', status: 404 })
  })
})

describe('actions', () => {
  const plain = ['cancel', 'retry', 'rerun', 'replan', 'resume', 'restart', 'discard'] as const

  test.each(plain)('%s hands the verb to the inbox, with an empty body or none', async (verb) => {
    await using api = await startApi()
    api.inbox.tasks.set(4, sampleTask({ id: 4 }))
    for (const body of [undefined, {}]) {
      const response = await api.post(`/tasks/4/${verb}`, body)
      expect(response.status).toBe(200)
      expect(actionResult.parse(await response.json()).task.id).toBe(4)
    }
    expect(api.inbox.acts.map((call) => call.control)).toEqual([
      { verb, taskId: 4, hash: null },
      { verb, taskId: 4, hash: null },
    ])
    expect((await api.post(`/tasks/4/${verb}`, { force: true })).status).toBe(400)
    expect((await api.post(`/tasks/5/${verb}`)).status).toBe(404)
  })

  test('a child is answered with 201 and its place; its key goes to the inbox', async () => {
    await using api = await startApi()
    api.inbox.next.act.push(() => ({ kind: 'done', task: sampleTask({ id: 9, parentId: 4 }), sentence: 'Again.' }))
    const response = await api.post('/tasks/4/retry', undefined, { 'idempotency-key': 'x' })
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe('/tasks/9')
    expect(await response.json()).toMatchObject({ sentence: 'Again.', task: { id: 9, parent_id: 4 } })
    expect(api.inbox.acts[0]?.details).toEqual({ dedupeKey: 'api:local:x' })
  })

  test('approve needs the hash of the plan that was seen', async () => {
    await using api = await startApi()
    api.inbox.tasks.set(4, sampleTask({ id: 4 }))
    expect((await api.post('/tasks/4/approve')).status).toBe(400)
    expect((await api.post('/tasks/4/approve', { hash: 'short' })).status).toBe(400)
    expect((await api.post('/tasks/4/approve', { hash: '7f3a9c01'.repeat(8) })).status).toBe(200)
    expect(api.inbox.acts[0]?.control).toEqual({ verb: 'approve', taskId: 4, hash: '7f3a9c01' })
  })

  test('reject takes a note, and the hash only when given', async () => {
    await using api = await startApi()
    api.inbox.tasks.set(4, sampleTask({ id: 4 }))
    await api.post('/tasks/4/reject', { note: 'too much' })
    await api.post('/tasks/4/reject')
    expect(api.inbox.acts.map((call) => [call.control.hash, call.details])).toEqual([
      [null, { note: 'too much' }],
      [null, {}],
    ])
  })

  test('PUT plan hands over the commands byte for byte', async () => {
    await using api = await startApi()
    api.inbox.tasks.set(4, sampleTask({ id: 4 }))
    const commands = ["printf 'a\\tb'", 'ls\n']
    const response = await fetch(`${api.url}/tasks/4/plan`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ hash: 'aaaaaaaa', commands }),
    })
    expect(response.status).toBe(200)
    expect(api.inbox.acts[0]).toMatchObject({ control: { verb: 'edit', hash: 'aaaaaaaa' }, details: { commands } })
  })

  test('refine makes a child from a sentence', async () => {
    await using api = await startApi()
    api.inbox.tasks.set(4, sampleTask({ id: 4 }))
    expect((await api.post('/tasks/4/refine', { text: 'quality 80', dedupe_key: 'r' })).status).toBe(200)
    expect(api.inbox.refined[0]).toMatchObject({ taskId: 4, text: 'quality 80', dedupeKey: 'api:local:r' })
    expect((await api.post('/tasks/4/refine', { text: ' ' })).status).toBe(400)
  })

  test('a conflict says the state that the task is in', async () => {
    await using api = await startApi()
    const task = { ...sampleTask({ id: 4 }), status: 'done' as const, answer: '' }
    api.inbox.next.act.push(() => ({ kind: 'conflict', sentence: 'Task #4 has ended.', task }))
    const response = await api.post('/tasks/4/cancel')
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ code: 'conflict', detail: 'Task #4 has ended.', task_status: 'done' })
  })
})

describe('trouble inside', () => {
  test('a broken store is 503, anything else 500, and neither tells of the inside', async () => {
    await using api = await startApi()
    const secret = 'SQLITE_CORRUPT at /srv/assistant/tasks.db'
    api.inbox.next.submit.push(
      () => {
        throw new StoreError('store_broken', secret)
      },
      () => {
        throw new AppError('x', secret)
      },
      () => {
        throw new TypeError(secret)
      },
    )
    for (const [status, code] of [
      [503, 'unavailable'],
      [500, 'internal'],
      [500, 'internal'],
    ] as const) {
      const response = await api.post('/tasks', { description: 'a' })
      const text = await response.text()
      expect(response.status).toBe(status)
      expect(JSON.parse(text).code).toBe(code)
      expect(text).not.toMatch(/SQLITE|srv|\.ts|at /)
    }
    expect(api.log.filter((entry) => entry.level === 'error')).toHaveLength(3)
  })
})
