import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRange } from '../../../adapters/http/range.ts'
import { outputList } from '../../../adapters/http/schemas.ts'
import { sampleTask } from '../../fakes/fake-inbox.ts'
import { type Api, startApi } from './api.ts'

const BYTES = Buffer.from('0123456789')

/** An inbox that answers ranges as a workspace does. */
async function startWithFile(path: string, mimeType = 'text/html'): Promise<Api> {
  const api = await startApi()
  api.inbox.tasks.set(1, sampleTask())
  const file = { path, sizeBytes: BYTES.length, mimeType, modifiedAt: Date.UTC(2026, 0, 2) }
  api.inbox.files.set(1, [{ file, bytes: BYTES }])
  api.inbox.openOutput = async (_actor, _id, wanted, range) => {
    if (wanted !== path) return { kind: 'not_found', sentence: 'The task has no such file.' }
    const bytes = range === undefined ? BYTES : BYTES.subarray(range.start, range.end + 1)
    return { kind: 'opened', file, stream: Readable.from([bytes]) }
  }
  return api
}

describe('the list', () => {
  test('has paths, sizes, types and times', async () => {
    await using api = await startWithFile('out/a.txt')
    const list = outputList.parse(await (await api.get('/tasks/1/outputs')).json())
    expect(list).toEqual({
      files: [{ path: 'out/a.txt', size_bytes: 10, mime_type: 'text/html', modified_at: '2026-01-02T00:00:00.000Z' }],
      totals: { files: 1, bytes: 10 },
      omitted: 0,
    })
  })
})

describe('a download', () => {
  test('is saved, never shown: a page made by a task cannot run in this site', async () => {
    await using api = await startWithFile('page.html')
    const response = await api.get('/tasks/1/outputs/page.html')
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('0123456789')
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; /)
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
    expect(response.headers.get('content-length')).toBe('10')
    expect(response.headers.get('accept-ranges')).toBe('bytes')
  })

  test.each([
    'out/日本語 file.txt',
    'a"b\\\\c.txt',
    "it's;filename=evil.txt",
    '\\xff\\n.bin',
    '%2e%2e',
    '?#&.txt',
    `${'d/'.repeat(100)}${'n'.repeat(200)}`,
  ])('%j arrives under its own name', async (path) => {
    await using api = await startWithFile(path)
    const response = await api.get(`/tasks/1/outputs/${path.split('/').map(encodeURIComponent).join('/')}`)
    expect(response.status).toBe(200)
    const header = response.headers.get('content-disposition') ?? ''
    const exact = /filename\*=UTF-8''([^;]+)$/.exec(header)?.[1] ?? ''
    expect(decodeURIComponent(exact)).toBe(path.split('/').at(-1))
    expect(header).toMatch(/^attachment; filename="[\x20-\x21\x23-\x5b\x5d-\x7e]*"; filename\*=/)
  })

  test.each([
    '../2/log',
    '..%2f..%2flog',
    '%2e%2e/%2e%2e/tasks.db',
    'a/../../b',
    '/etc/passwd',
    '%2fetc%2fpasswd',
    'a//b',
    './a',
    'a/.',
    'a%00b',
    '',
  ])('%j does not reach the workspace', async (path) => {
    await using api = await startWithFile('a')
    const asked: string[] = []
    api.inbox.openOutput = async (_actor, _id, wanted) => {
      asked.push(wanted)
      return { kind: 'not_found', sentence: '' }
    }
    const response = await api.raw({ path: `/tasks/1/outputs/${path}` })
    expect([400, 404]).toContain(response.status)
    expect(asked).toEqual([])
  })

  test('an encoding that is not UTF-8 is malformed', async () => {
    await using api = await startWithFile('a')
    const response = await api.raw({ path: '/tasks/1/outputs/%ff%fe' })
    expect(response.status).toBe(400)
    expect(JSON.parse(response.body.toString()).code).toBe('malformed_request')
  })

  test('streams: its hash is right whatever its size', async () => {
    await using api = await startWithFile('big')
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const sizeBytes = chunk.length * 400
    const file = { path: 'big', sizeBytes, mimeType: 'application/octet-stream', modifiedAt: 0 }
    api.inbox.openOutput = async () => ({
      kind: 'opened',
      file,
      stream: Readable.from(Array.from({ length: 400 }, () => chunk)),
    })
    const hash = createHash('sha256')
    for await (const part of (await api.get('/tasks/1/outputs/big')).body ?? []) hash.update(part)
    expect(hash.digest('hex')).toBe(createHash('sha256').update(Buffer.alloc(sizeBytes, 'x')).digest('hex'))
  })

  test('all of them come as a zip', async () => {
    await using api = await startWithFile('a')
    const response = await api.get('/tasks/1/outputs.zip')
    expect(response.headers.get('content-type')).toBe('application/zip')
    expect(response.headers.get('content-disposition')).toContain('task-1.zip')
    expect(await response.text()).toBe('zip')
  })
})

describe('ranges', () => {
  test.each([
    ['bytes=0-3', '0123', 'bytes 0-3/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-2', '89', 'bytes 8-9/10'],
    ['bytes=5-100', '56789', 'bytes 5-9/10'],
  ])('%s is answered with that part', async (range, body, contentRange) => {
    await using api = await startWithFile('a')
    const response = await api.get('/tasks/1/outputs/a', { range })
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe(contentRange)
    expect(response.headers.get('content-length')).toBe(String(body.length))
    expect(await response.text()).toBe(body)
  })

  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s lies outside', async (range) => {
    await using api = await startWithFile('a')
    const response = await api.get('/tasks/1/outputs/a', { range })
    expect(response.status).toBe(416)
    expect(response.headers.get('content-range')).toBe('bytes */10')
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ code: 'range_not_satisfiable' })
  })

  test.each(['bytes=0-1,3-4', 'lines=1-2', 'bytes=3-1', 'bytes=', 'bytes=x-y'])(
    '%s gets the whole file',
    async (range) => {
      await using api = await startWithFile('a')
      const response = await api.get('/tasks/1/outputs/a', { range })
      expect(response.status).toBe(200)
      expect(await response.text()).toBe('0123456789')
    },
  )

  test('a file that has changed since is sent whole', async () => {
    await using api = await startWithFile('a')
    const tag = (await api.get('/tasks/1/outputs/a')).headers.get('etag') ?? ''
    expect((await api.get('/tasks/1/outputs/a', { range: 'bytes=1-2', 'if-range': tag })).status).toBe(206)
    expect((await api.get('/tasks/1/outputs/a', { range: 'bytes=1-2', 'if-range': '"other"' })).status).toBe(200)
  })

  test('whatever is sent, a part lies inside the file', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
      fc.nat().map((n) => `bytes=-${n}`),
    )
    fc.assert(
      fc.property(header, fc.nat(1000), (text, sizeBytes) => {
        const range = parseRange(text, sizeBytes)
        if (range.kind === 'part')
          expect(0 <= range.start && range.start <= range.end && range.end < sizeBytes).toBe(true)
      }),
    )
  })
})
