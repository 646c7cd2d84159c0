/** Files out (the external upload flow) and in (private downloads). */
import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { errorLine } from '../../src/core/errors.ts'
import { withEllipsis } from '../../src/core/text.ts'
import { AdapterError, type ChatAdapter, type UploadFile } from '../../src/ports/chat-adapter.ts'
import { escapeWithin, plain, richLine, richText } from './blocks.ts'
import { missingScope, slackCode } from './errors.ts'
import type { Memory } from './memory.ts'
import { readPlace } from './messages.ts'
import { formatRef, type SlackPlace } from './place.ts'
import type { FoundMessage, Search } from './search.ts'
import type { Wire } from './wire.ts'

const ticket = z.object({ file_id: z.string(), upload_url: z.string() })
const fileInfo = z.object({
  file: z.object({ url_private_download: z.string().optional(), url_private: z.string().optional() }),
})

export interface SlackFiles {
  upload: ChatAdapter['upload']
  fetchInput(ref: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

export function createFiles(options: { wire: Wire; search: Search; memory: Memory }): SlackFiles {
  const { wire, search, memory } = options
  /** Ids of the files that an attempt has sent, by key: after a lost answer they tell whether it took effect. */
  const sent = new Map<string, readonly string[]>()

  async function send(file: UploadFile): Promise<{ id: string; title: string }> {
    const name = withEllipsis(file.name, 200)
    const answer = ticket.parse(
      await wire.call('files.getUploadURLExternal', { filename: name, length: file.sizeBytes }),
    )
    await sendBytes(answer.upload_url, file)
    return { id: answer.file_id, title: name }
  }

  async function complete(
    target: SlackPlace,
    files: readonly { id: string; title: string }[],
    note: { key: string; comment: string },
  ) {
    const common = {
      files,
      channel_id: target.channelId,
      ...(target.threadTs === null ? {} : { thread_ts: target.threadTs }),
    }
    const blocks = richText([richLine([plain(note.comment === '' ? ' ' : note.comment)])]).map((block) => ({
      ...block,
      block_id: markOf(note.key),
    }))
    try {
      await wire.call('files.completeUploadExternal', { ...common, blocks })
    } catch (error) {
      const code = slackCode(error)
      if (code !== 'invalid_blocks' && code !== 'invalid_arguments') throw error
      await wire.call('files.completeUploadExternal', { ...common, initial_comment: escapeWithin(note.comment, 2000) })
    }
  }

  async function isThere(target: SlackPlace, key: string): Promise<boolean> {
    const ids = new Set(sent.get(key))
    const isIt = (message: FoundMessage) =>
      message.files?.some((file) => ids.has(file.id)) === true ||
      message.blocks?.some((block) => block.block_id === markOf(key)) === true
    try {
      return (await search.find(target, isIt)) !== undefined
    } catch (error) {
      // Where we may not look we upload: rather twice than never.
      if (error instanceof AdapterError && (error.code === 'forbidden' || error.code === 'thread_gone')) return false
      throw error
    }
  }

  return {
    async upload(place, files, { key, comment, taskId = null }) {
      const target = readPlace(place)
      const ref = formatRef({ channelId: target.channelId, ts: '0.0', key })
      if (memory.mayHavePosted(target, taskId, key) && (await isThere(target, key))) return ref
      memory.attempting(key)
      const full = files.filter((file) => file.sizeBytes > 0)
      const empty = files.filter((file) => file.sizeBytes <= 0).map((file) => file.name)
      if (full.length === 0) throw new AdapterError('invalid', 'Slack takes no empty files.')
      const note =
        empty.length === 0 ? comment : `${comment} (empty, not uploaded: ${withEllipsis(empty.join(', '), 300)})`
      const done: { id: string; title: string }[] = []
      for (const file of full) done.push(await send(file))
      remember(
        sent,
        key,
        done.map((file) => file.id),
      )
      await complete(target, done, { key, comment: note })
      return ref
    },
    fetchInput: (ref, signal) => download(wire, ref, signal),
  }
}

const MAX_SENT = 500

function remember(sent: Map<string, readonly string[]>, key: string, ids: readonly string[]): void {
  sent.set(key, ids)
  const oldest = sent.keys().next().value
  if (sent.size > MAX_SENT && oldest !== undefined) sent.delete(oldest)
}

/** Found again in the thread after a restart; short, and not readable. */
function markOf(key: string): string {
  return `files-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`
}

/** Plain HTTP with a length: Slack's upload address takes no chunked bodies. */
async function sendBytes(address: string, file: UploadFile): Promise<void> {
  const url = new URL(address)
  const request = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', 'content-length': file.sizeBytes },
    timeout: 120_000,
  })
  request.on('timeout', () => request.destroy(new Error('the upload stood still')))
  const status = new Promise<number>((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.on('error', reject)
    })
  })
  try {
    const [code] = await Promise.all([
      status,
      pipeline(await file.open(), (chunks) => exactly(chunks, file.sizeBytes), request),
    ])
    if (code !== 200) throw new AdapterError('unavailable', `Slack did not take the file (HTTP ${code}).`)
  } catch (error) {
    request.destroy()
    if (error instanceof AdapterError) throw error
    throw new AdapterError('unavailable', `The upload to Slack broke off: ${errorLine(error)}`, null, { cause: error })
  }
}

/** Fails where a file is not as long as it was announced: the request would wait for the rest for ever. */
async function* exactly(chunks: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncIterable<Uint8Array> {
  let sent = 0
  for await (const chunk of chunks) {
    sent += chunk.length
    if (sent > sizeBytes) throw new Error('the file grew meanwhile')
    yield chunk
  }
  if (sent < sizeBytes) throw new Error('the file is shorter than it was')
}

/** `id url`, or only the id where Slack gave no address (a file shared from another workspace). */
export function formatFileRef(id: string, url: string | undefined): string {
  return url === undefined ? id : `${id} ${url}`
}

async function download(wire: Wire, ref: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const [id = '', known] = ref.split(' ')
  const address = known ?? (await addressOf(wire, id))
  if (!isSlackAddress(address, wire.apiUrl))
    throw new AdapterError('invalid', 'The file is not kept by Slack; attach it itself.')
  const response = await fetch(address, {
    headers: { authorization: `Bearer ${wire.botToken}` },
    redirect: 'manual',
    signal,
  }).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new AdapterError('unavailable', 'Slack cannot be reached for the file.', null, { cause: error })
  })
  const isPage =
    (response.headers.get('content-type') ?? '').startsWith('text/html') && !/\.html?$/i.test(new URL(address).pathname)
  // Slack sends whoever may not read a file to its sign-in page instead of saying so.
  if (
    (response.status >= 300 && response.status < 400) ||
    isPage ||
    response.status === 401 ||
    response.status === 403
  ) {
    await response.body?.cancel()
    throw new AdapterError('forbidden', `Slack did not let the assistant read the file. ${missingScope('files:read')}`)
  }
  if (response.status === 404) throw new AdapterError('invalid', 'The file has been deleted from Slack.')
  if (!response.ok || response.body === null) {
    throw new AdapterError('unavailable', `Slack did not give the file (HTTP ${response.status}).`)
  }
  return response.body
}

async function addressOf(wire: Wire, id: string): Promise<string> {
  const { file } = fileInfo.parse(await wire.call('files.info', { file: id }))
  const url = file.url_private_download ?? file.url_private
  if (url === undefined) throw new AdapterError('invalid', 'Slack gives no address for this file.')
  return url
}

/** The token goes to Slack and nowhere else. */
function isSlackAddress(address: string, apiUrl: string): boolean {
  if (!URL.canParse(address)) return false
  const url = new URL(address)
  if (url.origin === new URL(apiUrl).origin) return true
  return url.protocol === 'https:' && (url.hostname === 'slack.com' || url.hostname.endsWith('.slack.com'))
}
