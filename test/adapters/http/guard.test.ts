import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createHttpAdapter } from '../../../adapters/http/http-adapter.ts'
import { hostName, isHostAllowed, isLoopback } from '../../../adapters/http/origin.ts'
import { fakeInbox } from '../../fakes/fake-inbox.ts'
import { manualClock } from '../../fakes/manual-clock.ts'
import { memoryLogger, NO_TASKS, newToken, startApi } from './api.ts'

function optionsFor(host: string) {
  return {
    inbox: fakeInbox(),
    clock: manualClock(),
    logger: memoryLogger([]),
    host,
    port: 0,
    tokens: [],
    allowedHosts: [],
    spoolDirectory: '/nowhere',
    version: '0',
    health: async () => ({ checks: [], tasks: NO_TASKS, liveWorkers: 0 }),
  }
}

describe('listening', () => {
  test.each(['0.0.0.0', '::', '192.0.2.7', 'example.org'])('refuses to listen on %s without a token', (host) => {
    expect(() => createHttpAdapter(optionsFor(host))).toThrow(expect.objectContaining({ code: 'api_needs_token' }))
  })

  test('listens on every address once there is a token, and answers at the address itself', async () => {
    const { token, entry } = newToken('ci', ['read'])
    await using api = await startApi({ host: '0.0.0.0', tokens: [entry] })
    const { port } = new URL(api.url)
    const response = await fetch(`http://127.0.0.1:${port}/tasks`, { headers: { authorization: `Bearer ${token}` } })
    expect(response.status).toBe(200)
  })

  test('a port that is taken is a set-up fault that names the setting', async () => {
    await using api = await startApi()
    await using second = createHttpAdapter({ ...optionsFor('127.0.0.1'), port: Number(new URL(api.url).port) })
    await expect(second.start()).rejects.toMatchObject({
      code: 'api_port_taken',
      fix: expect.stringContaining('ASSISTANT_API_PORT'),
    })
  })

  test.each([
    ['127.0.0.1', true],
    ['127.9.8.7', true],
    ['::1', true],
    ['[::1]', true],
    ['localhost', true],
    ['::ffff:127.0.0.1', true],
    ['127.0.0.1.evil.example', false],
    ['1.127.0.0', false],
    ['', false],
  ])('%s is loopback: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })
})

describe('the Host header', () => {
  test.each(['localhost', 'localhost:1', 'LOCALHOST.', '127.0.0.1:8420', '[::1]:8420', 'assistant.lan'])(
    '%s is answered',
    async (host) => {
      await using api = await startApi({ allowedHosts: ['assistant.lan'] })
      expect((await api.raw({ path: '/tasks', headers: { host } })).status).toBe(200)
    },
  )

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', 'user@localhost', 'a b'])(
    '%j, a name rebound to this address, is refused on every route',
    async (host) => {
      await using api = await startApi()
      for (const path of ['/tasks', '/healthz', '/docs', '/nothing']) {
        const response = await api.raw({ path, headers: { host } })
        expect(response.status).toBe(403)
        expect(JSON.parse(response.body.toString()).code).toBe('host_not_allowed')
      }
    },
  )

  test('an address is allowed only where the connection really came to it', () => {
    expect(isHostAllowed('192.0.2.7:8420', [], '192.0.2.7')).toBe(true)
    expect(isHostAllowed('192.0.2.7:8420', [], '::ffff:192.0.2.7')).toBe(true)
    expect(isHostAllowed('192.0.2.7:8420', [], '192.0.2.8')).toBe(false)
    expect(hostName('user@localhost')).toBeUndefined()
    expect(hostName(undefined)).toBeUndefined()
  })
})

describe('pages of other sites', () => {
  const calls = { path: '/tasks', method: 'POST', body: '{"description":"!true"}' }
  const json = { 'content-type': 'application/json' }

  test.each<Record<string, string>>([
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:1' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' },
  ])('%j may not submit', async (headers) => {
    await using api = await startApi()
    const response = await api.raw({ ...calls, headers: { ...json, ...headers } })
    expect(response.status).toBe(403)
    expect(JSON.parse(response.body.toString()).code).toBe('origin_not_allowed')
    expect(api.inbox.submitted).toEqual([])
  })

  test('our own page may submit', async () => {
    await using api = await startApi()
    const headers = { ...json, origin: api.url, 'sec-fetch-site': 'same-origin' }
    expect((await api.raw({ ...calls, headers })).status).toBe(201)
  })

  test('a link from elsewhere opens the page, an image from elsewhere does not load', async () => {
    await using api = await startApi()
    const cross = { 'sec-fetch-site': 'cross-site' }
    expect((await api.raw({ path: '/docs', headers: { ...cross, 'sec-fetch-mode': 'navigate' } })).status).toBe(200)
    expect((await api.raw({ path: '/tasks', headers: { ...cross, 'sec-fetch-mode': 'no-cors' } })).status).toBe(403)
  })

  test.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'application/jsonp',
  ])('a body of type %j is not read', async (type) => {
    await using api = await startApi()
    const response = await api.raw({ ...calls, headers: { 'content-type': type } })
    expect(response.status).toBe(415)
    expect(api.inbox.submitted).toEqual([])
  })

  test('no answer lets another site read it', async () => {
    await using api = await startApi()
    const response = await api.raw({ method: 'OPTIONS', path: '/tasks', headers: { origin: api.url } })
    expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('tokens', () => {
  test.each([undefined, 'Bearer', 'Bearer wrong', 'Basic dXNlcjpwYXNz', `Bearer ${'x'.repeat(5000)}`, 'Bearer a b'])(
    '%j is answered with 401 and nothing else',
    async (authorization) => {
      const { entry } = newToken('ci', ['admin'])
      await using api = await startApi({ tokens: [entry] })
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
      for (const path of ['/tasks', '/tasks/1', '/tasks/1/logs', '/tasks/1/outputs/a', '/metrics', '/audit']) {
        const response = await api.get(path, headers)
        expect(response.status).toBe(401)
        expect(response.headers.get('www-authenticate')).toBe('Bearer')
      }
      expect((await api.post('/tasks', { description: '!true' }, headers)).status).toBe(401)
      expect(api.inbox.submitted).toEqual([])
    },
  )

  test('the hash of a token is not a token', async () => {
    const { entry } = newToken('ci', ['admin'])
    await using api = await startApi({ tokens: [entry] })
    expect((await api.get('/tasks', { authorization: `Bearer ${entry.hash}` })).status).toBe(401)
  })

  test('a token names the requester, whichever of several it is', async () => {
    const first = newToken('ci', ['submit'])
    const second = newToken('cron', ['submit'])
    await using api = await startApi({ tokens: [first.entry, second.entry] })
    await api.post('/tasks', { description: '!true' }, { authorization: `Bearer ${second.token}` })
    expect(api.inbox.submitted[0]?.actor).toMatchObject({ platform: 'api', userId: 'cron', apiScopes: ['submit'] })
  })

  test('health, the document and its page need no token', async () => {
    await using api = await startApi({ tokens: [newToken('ci', ['read']).entry] })
    for (const path of [
      '/',
      '/healthz',
      '/readyz',
      '/openapi.json',
      '/docs',
      '/docs/static/swagger-ui.css',
      '/problems',
    ]) {
      expect((await api.get(path)).status, path).toBe(200)
    }
  })

  test('no problem, header or log line repeats a token that was sent', async () => {
    const { token } = newToken('other', ['read'])
    await using api = await startApi({ tokens: [newToken('ci', ['read']).entry] })
    const response = await api.get('/tasks', { authorization: `Bearer ${token}` })
    expect((await response.text()) + JSON.stringify([...response.headers]) + JSON.stringify(api.log)).not.toContain(
      token,
    )
  })
})

describe('limits', () => {
  test('a caller that asks too often waits; wrong tokens count too', async () => {
    const { token, entry } = newToken('ci', ['read'])
    await using api = await startApi({ tokens: [entry], limits: { requestsPerMinute: 2 } })
    for (const expected of [401, 401, 429]) {
      const response = await api.get('/tasks', { authorization: 'Bearer guess' })
      expect(response.status).toBe(expected)
      if (expected === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect((await api.get('/tasks', { authorization: `Bearer ${token}` })).status).toBe(200)
  })

  test('a path that does not exist counts as well', async () => {
    await using api = await startApi({ limits: { requestsPerMinute: 1 } })
    expect((await api.get('/nothing')).status).toBe(404)
    expect((await api.get('/nothing')).status).toBe(429)
  })

  test('every answer carries the security headers', async () => {
    await using api = await startApi()
    for (const path of ['/tasks', '/nothing', '/tasks/999', '/healthz', '/%zz']) {
      const { headers } = await api.get(path)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('server')).toBeNull()
    }
  })

  test('bytes that are not HTTP get a bare problem and the end of the connection', async () => {
    await using api = await startApi()
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
    socket.end('\x16\x03\x01 hello\r\n\r\n')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    await once(socket, 'close')
    expect(text).toContain('400 Bad Request')
    expect(text).toContain('"code":"malformed_request"')
  })
})
