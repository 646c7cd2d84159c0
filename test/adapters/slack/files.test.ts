import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { UploadFile } from '../../../src/ports/chat-adapter.ts'
import { eventually } from '../../eventually.ts'
import { type Harness, startHarness } from './harness.ts'

function upload(name: string, bytes: Buffer): UploadFile {
  return { name, sizeBytes: bytes.length, open: async () => Readable.from([bytes]) }
}

/** A thread, and where it is. */
function thread(h: Harness) {
  const said = h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: 'please', events: [] })
  return { platform: 'slack', key: `T0TEAM/C0BUILDS/${said.ts}`, channelId: 'C0BUILDS', thread: true } as const
}

function uploads(h: Harness): string[][] {
  return h.slack.world.messages.flatMap((message) =>
    message.files.length === 0 ? [] : [message.files.map((file) => file.name)],
  )
}

const ONE = [upload('a.txt', Buffer.from('a'))]

test('files go through the external upload flow into the thread, in one message, byte for byte', async () => {
  await using h = await startHarness()
  const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => index % 251))
  await h.adapter.upload(thread(h), [...ONE, upload('b.bin', bytes)], { key: 'k', comment: 'Files of task #42' })
  expect(uploads(h)).toEqual([['a.txt', 'b.bin']])
  const message = h.slack.world.messages.at(-1)
  expect(message?.files[1]?.bytes.equals(bytes)).toBe(true)
  expect(message?.threadTs).toBe(h.slack.world.messages[0]?.ts)
  expect(JSON.stringify(message?.blocks)).toContain('Files of task #42')
})

test('an upload whose last answer was lost is found again, also after a restart', async () => {
  await using h = await startHarness()
  const place = thread(h)
  h.slack.faults.next('files.completeUploadExternal', { kind: 'lost_answer' })
  await expect(h.adapter.upload(place, ONE, { key: 'k', comment: 'c' })).rejects.toMatchObject({ code: 'unavailable' })
  await h.adapter.upload(place, ONE, { key: 'k', comment: 'c' })
  await (await h.restart()).upload(place, ONE, { key: 'k', comment: 'c' })
  expect(uploads(h)).toEqual([['a.txt']])
})

test('the same files under another key are another upload: a second snapshot of a log is wanted', async () => {
  await using h = await startHarness()
  const place = thread(h)
  await h.adapter.upload(place, ONE, { key: 'log-1', comment: 'Log' })
  await h.adapter.upload(place, ONE, { key: 'log-2', comment: 'Log' })
  expect(uploads(h)).toHaveLength(2)
})

test('an upload that breaks off is unavailable, leaves nothing in the thread, and works the next time', async () => {
  await using h = await startHarness()
  const place = thread(h)
  h.slack.faults.next('upload', { kind: 'dropped' }, { kind: 'status', status: 500 })
  for (let count = 0; count < 2; count += 1) {
    await expect(h.adapter.upload(place, ONE, { key: 'k', comment: '' })).rejects.toMatchObject({ code: 'unavailable' })
  }
  expect(uploads(h)).toEqual([])
  await h.adapter.upload(place, ONE, { key: 'k', comment: '' })
  expect(uploads(h)).toEqual([['a.txt']])
})

test('a file that is shorter than announced is an error, not half a file', async () => {
  await using h = await startHarness()
  const short: UploadFile = { name: 'a.txt', sizeBytes: 10, open: async () => Readable.from([Buffer.from('abc')]) }
  await expect(h.adapter.upload(thread(h), [short], { key: 'k', comment: '' })).rejects.toMatchObject({
    code: 'unavailable',
  })
  expect(uploads(h)).toEqual([])
})

test('a file that cannot be read is an error of this upload', async () => {
  await using h = await startHarness()
  const broken: UploadFile = {
    name: 'a.txt',
    sizeBytes: 10,
    open: async () => new Readable({ read: (): void => undefined, construct: (done) => done(new Error('EIO')) }),
  }
  await expect(h.adapter.upload(thread(h), [broken], { key: 'k', comment: '' })).rejects.toMatchObject({
    message: expect.stringContaining('EIO'),
  })
})

test('empty files are named and left out; only empty files are refused', async () => {
  await using h = await startHarness()
  const empty = upload('empty.txt', Buffer.alloc(0))
  await h.adapter.upload(thread(h), [...ONE, empty], { key: 'k', comment: 'Files' })
  expect(JSON.stringify(h.slack.world.messages.at(-1)?.blocks)).toContain('empty, not uploaded: empty.txt')
  await expect(h.adapter.upload(thread(h), [empty], { key: 'l', comment: '' })).rejects.toMatchObject({
    code: 'invalid',
  })
})

test('a workspace that takes no blocks with files gets the comment as text', async () => {
  await using h = await startHarness()
  h.slack.faults.next('files.completeUploadExternal', { kind: 'error', error: 'invalid_arguments' })
  await h.adapter.upload(thread(h), ONE, { key: 'k', comment: 'Files of <task>' })
  expect(h.slack.world.messages.at(-1)?.text).toBe('Files of &lt;task&gt;')
})

test('a missing scope for uploads is named', async () => {
  await using h = await startHarness({ prepare: (slack) => void slack.world.bot.scopes.delete('files:write') })
  const failed = h.adapter.upload(thread(h), ONE, { key: 'k', comment: '' })
  await expect(failed).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringMatching(/files:write.*reinstall/),
  })
})

/** The reference that a message's file got. */
function refOf(h: Harness): string {
  const said = h.slack.user.say({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: 'x',
    events: [],
    files: [{ name: 'in.csv', bytes: Buffer.from('1,2') }],
  })
  const file = h.slack.world.messages.find((message) => message.ts === said.ts)?.files[0]
  return `${file?.id} ${file?.urlPrivate}`
}

test('the sign-in page that Slack sends instead of a file is not taken for the file', async () => {
  await using h = await startHarness()
  const ref = refOf(h)
  h.slack.world.bot.scopes.delete('files:read')
  const failed = h.adapter.fetchInput(ref, AbortSignal.timeout(5000))
  await expect(failed).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringMatching(/files:read.*reinstall/),
  })
})

test('the token goes to Slack only: an address elsewhere is refused before anything is asked', async () => {
  await using h = await startHarness()
  for (const url of [
    'https://evil.example/x',
    'http://slack.com/x',
    'https://slack.com.evil.example/x',
    'file:///etc/passwd',
    'nonsense',
  ]) {
    await expect(h.adapter.fetchInput(`F1 ${url}`, AbortSignal.timeout(5000))).rejects.toMatchObject({
      code: 'invalid',
    })
  }
})

test('a file without an address is asked about; a deleted one, and an aborted download, end at once', async () => {
  await using h = await startHarness()
  const [id = ''] = refOf(h).split(' ')
  const chunks: Uint8Array[] = []
  for await (const chunk of await h.adapter.fetchInput(id, AbortSignal.timeout(5000))) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('1,2')
  await expect(h.adapter.fetchInput('F0GONE', AbortSignal.timeout(5000))).rejects.toMatchObject({ code: 'invalid' })
  const gate = Promise.withResolvers<void>()
  h.slack.faults.next('download', { kind: 'gate', gate: gate.promise })
  const abort = new AbortController()
  const waiting = h.adapter.fetchInput(refOf(h), abort.signal)
  abort.abort(new Error('stopping'))
  await expect(waiting).rejects.toThrow('stopping')
  gate.resolve()
})

test('a download while Slack is down is unavailable', async () => {
  await using h = await startHarness()
  const ref = refOf(h)
  h.slack.faults.next('download', { kind: 'dropped' }, { kind: 'status', status: 503 })
  await expect(h.adapter.fetchInput(ref, AbortSignal.timeout(5000))).rejects.toMatchObject({ code: 'unavailable' })
  await expect(h.adapter.fetchInput(ref, AbortSignal.timeout(5000))).rejects.toMatchObject({ code: 'unavailable' })
})

test('files of a task that was asked for here are not looked for before they are sent; those of any other are', async () => {
  await using h = await startHarness()
  const said = h.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> make a file' })
  await eventually(() => expect(h.inbox.submitted).toHaveLength(1))
  const place = { platform: 'slack', key: `T0TEAM/C0BUILDS/${said.ts}`, channelId: 'C0BUILDS', thread: true } as const
  const looks = () => h.slack.calls('conversations.replies').length
  await h.adapter.upload(place, ONE, { key: 'task-1:files', comment: '', taskId: 1 })
  expect(looks()).toBe(0)
  await h.adapter.upload(place, ONE, { key: 'task-2:files', comment: '', taskId: 2 })
  expect(looks()).toBe(1)
  expect(uploads(h)).toHaveLength(2)
})
