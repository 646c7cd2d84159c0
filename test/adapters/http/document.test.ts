import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isProblemCode, PROBLEMS } from '../../../adapters/http/problems.ts'
import { summaryJson } from '../../../src/core/task-json.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { newToken, startApi } from './api.ts'

const operation = z.looseObject({
  operationId: z.string(),
  summary: z.string().min(1),
  tags: z.array(z.string()).min(1),
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).optional(),
  requestBody: z.looseObject({}).optional(),
  responses: z.record(z.string(), z.looseObject({ description: z.string() })),
})
const documentSchema = z.looseObject({
  openapi: z.string(),
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  paths: z.record(z.string(), z.record(z.string(), operation)),
})

const pageSchema = z.object({
  properties: z.object({
    tasks: z.object({ items: z.object({ properties: z.record(z.string(), z.unknown()) }) }),
    next_cursor: z.unknown(),
  }),
})

const ROUTES = [
  'post /tasks',
  'get /tasks',
  'get /tasks/{id}',
  'get /tasks/{id}/logs',
  'get /tasks/{id}/outputs',
  'get /tasks/{id}/outputs.zip',
  'get /tasks/{id}/outputs/{*}',
  ...['cancel', 'retry', 'rerun', 'replan', 'resume', 'restart', 'discard', 'approve', 'reject', 'refine'].map(
    (verb) => `post /tasks/{id}/${verb}`,
  ),
  'put /tasks/{id}/plan',
  'get /healthz',
  'get /readyz',
  'get /metrics',
  'get /audit',
  'get /openapi.json',
  'get /problems',
  'get /problems/{code}',
]

async function readDocument() {
  await using api = await startApi()
  return documentSchema.parse(await (await api.get('/openapi.json')).json())
}

describe('the OpenAPI document', () => {
  test('lists every route and nothing else, each with words, a tag and an id of its own', async () => {
    const document = await readDocument()
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => method !== 'head')
        .map((method) => `${method} ${path}`),
    )
    expect(routes.sort()).toEqual([...ROUTES].sort())
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((each) => each.operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('has the version of the program and names every parameter of a path', async () => {
    const document = await readDocument()
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(document.info.version).toBe('1.2.3')
    for (const [path, methods] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1])
      for (const each of Object.values(methods)) {
        expect(
          each.parameters?.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name) ?? [],
        ).toEqual(names)
      }
    }
  })

  test('tells the fields of a page of tasks, which is written without its schema', async () => {
    const { paths } = await readDocument()
    const { properties } = z
      .object({ content: z.object({ 'application/json': z.object({ schema: pageSchema }) }) })
      .parse(paths['/tasks']?.get?.responses['200']).content['application/json'].schema
    expect(Object.keys(properties.tasks.items.properties)).toEqual(Object.keys(summaryJson(sampleTask())))
  })

  test('has no reference that leads nowhere', async () => {
    const document = await readDocument()
    const find = (pointer: string) =>
      pointer
        .slice(2)
        .split('/')
        .reduce<unknown>(
          (at, key) =>
            at !== null && typeof at === 'object'
              ? Object.entries(at).find(([name]) => name === key.replaceAll('~1', '/'))?.[1]
              : undefined,
          document,
        )
    for (const [, pointer = ''] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
      expect(find(pointer), pointer).toBeDefined()
  })
})

describe('problems', () => {
  test('every code is served at the address that is its type', async () => {
    await using api = await startApi()
    for (const [code, { status, title }] of Object.entries(PROBLEMS)) {
      const response = await api.get(`/problems/${code}`)
      expect(await response.json()).toEqual({ type: `/problems/${code}`, title, status, code })
    }
    expect((await api.get('/problems/nothing')).status).toBe(404)
    expect(isProblemCode('toString')).toBe(false)
  })

  test('every code is used: the table has no leftovers', () => {
    const folder = join(import.meta.dirname, '../../../adapters/http')
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n')
    for (const code of Object.keys(PROBLEMS)) {
      expect(sources.split(`'${code}'`).length, code).toBeGreaterThan(1)
    }
  })
})

describe('health', () => {
  const tasks = { pending: 2, planning: 0, awaiting_approval: 1, running: 1, done: 40, failed: 3, cancelled: 0 }

  test('readiness is that of all parts, without what is wrong with them', async () => {
    const checks = [
      { name: 'store', ok: true },
      { name: 'worker', ok: false, problem: 'pid 7 on db.internal is gone' },
    ]
    await using api = await startApi({ health: async () => ({ checks, tasks, liveWorkers: 0 }) })
    const response = await api.get('/readyz')
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      ready: false,
      checks: [
        { name: 'store', ok: true },
        { name: 'worker', ok: false },
      ],
    })
    expect((await api.get('/healthz')).status).toBe(200)
    expect((await api.raw({ method: 'HEAD', path: '/readyz' })).status).toBe(503)
  })

  test('metrics count tasks and requests by route, not by path', async () => {
    await using api = await startApi({
      health: async () => ({ checks: [{ name: 'store', ok: true }], tasks, liveWorkers: 2 }),
    })
    api.inbox.tasks.set(1, sampleTask())
    for (const path of ['/tasks/1', '/tasks/2', '/nothing/../else']) await api.get(path)
    const text = await (await api.get('/metrics')).text()
    expect(text).toContain('assistant_tasks{status="done"} 40')
    expect(text).toContain('assistant_workers 2')
    expect(text).toContain('assistant_part_up{part="store"} 1')
    expect(text).toContain('route="/tasks/:id",status="200"')
    expect(text).not.toContain('/tasks/2')
    expect(text).not.toContain('else')
  })

  test('the page loads its scripts from here only', async () => {
    await using api = await startApi()
    const root = await fetch(`${api.url}/`, { redirect: 'manual' })
    expect([root.status, root.headers.get('location')]).toEqual([302, '/docs'])
    const head = await api.raw({ method: 'HEAD', path: '/' })
    expect([head.status, head.headers.location]).toEqual([302, '/docs'])
    const response = await api.get('/docs')
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("script-src 'self'")
    expect(policy).not.toMatch(/https:|unsafe-eval|script-src[^;]*unsafe-inline/)
    expect(await response.text()).not.toMatch(/(?:src|href)="https?:/)
  })
})

describe('audit', () => {
  test('is a page of entries with a cursor', async () => {
    const { token, entry } = newToken('boss', ['admin'])
    await using api = await startApi({ tokens: [entry] })
    const actor = { platform: 'slack', scope: 'T1', channelId: 'C1', userId: 'U1', name: 'Ana' } as const
    const asked: unknown[] = []
    api.inbox.audit = async (_actor, query) => {
      asked.push(query)
      return {
        kind: 'entries',
        entries: [{ id: 8, at: 0, actor, action: 'approve', taskId: 3, allowed: true, detail: 'plan 7f3a9c01' }],
      }
    }
    const response = await api.get('/audit?task_id=3&limit=1&cursor=9', { authorization: `Bearer ${token}` })
    expect(await response.json()).toEqual({
      entries: [
        {
          id: 8,
          at: '1970-01-01T00:00:00.000Z',
          actor: { platform: 'slack', id: 'U1', name: 'Ana' },
          action: 'approve',
          task_id: 3,
          allowed: true,
          detail: 'plan 7f3a9c01',
        },
      ],
      next_cursor: '8',
    })
    expect(asked).toEqual([{ taskId: 3, limit: 1, beforeId: 9 }])
    expect((await api.get('/audit?task_id=x', { authorization: `Bearer ${token}` })).status).toBe(400)
  })

  test('a refusal is passed on', async () => {
    await using api = await startApi()
    api.inbox.audit = async () => ({ kind: 'forbidden', sentence: 'This token lacks the scope "admin".' })
    expect((await api.get('/audit')).status).toBe(403)
  })
})

test('what the page to try it begins with can be sent as it is', async () => {
  await using api = await startApi()
  const document = documentSchema.parse(await (await api.get('/openapi.json')).json())
  const body = z.object({
    content: z.object({ 'application/json': z.object({ schema: z.object({ example: z.looseObject({}) }) }) }),
  })
  const { example } = body.parse(document.paths['/tasks']?.post?.requestBody).content['application/json'].schema
  expect((await api.post('/tasks', example)).status).toBe(201)
})
