/** Files that people give, and where their bytes are. Addresses are signed and expire, so where there is a message its ids are kept instead. */
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import type { Attachment } from '../../src/ports/inbox.ts'
import type { DiscordApi } from './discord-api.ts'
import type { AttachmentPayload } from './payloads.ts'

const MAX_ATTACHMENTS = 10

/** Of a message: a fresh address can be asked for as long as the message is there. */
export function messageAttachments(
  message: { channelId: string; messageId: string },
  attachments: readonly AttachmentPayload[],
): Attachment[] {
  return attachments
    .slice(0, MAX_ATTACHMENTS)
    .map((file) => attachmentOf(file, `m:${message.channelId}/${message.messageId}/${file.id}`))
}

/** Of a command: there is no message, the address is all there is. */
export function commandAttachments(attachments: readonly AttachmentPayload[]): Attachment[] {
  return attachments
    .slice(0, MAX_ATTACHMENTS)
    .flatMap((file) => (file.url ? [attachmentOf(file, `u:${file.url}`)] : []))
}

function attachmentOf(file: AttachmentPayload, ref: string): Attachment {
  return {
    name: file.filename,
    sizeBytes: file.size ?? null,
    mimeType: file.content_type ?? null,
    source: { kind: 'chat', platform: 'discord', ref },
  }
}

export interface DownloadOptions {
  api: Pick<DiscordApi, 'getMessage'>
  /** Origins that files come from; anything else is refused, whatever a payload says. */
  origins: readonly string[]
}

/** Throws AdapterError. */
export async function download(
  ref: string,
  { api, origins }: DownloadOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const address = ref.startsWith('u:') ? ref.slice(2) : await freshAddress(ref, api)
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || !origins.includes(url.origin)) {
    throw new AdapterError('invalid', 'This file is not one that Discord holds.')
  }
  const response = await request(url, signal)
  if (response.status === 403 || response.status === 404) {
    throw new AdapterError('message_gone', 'Discord no longer has this file. Attach it again.')
  }
  if (!response.ok || response.body === null) {
    throw new AdapterError('unavailable', `Discord does not give the file (${response.status}).`)
  }
  return response.body
}

async function request(url: URL, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, redirect: 'error' })
  } catch (error) {
    signal.throwIfAborted()
    throw new AdapterError('unavailable', 'The file could not be fetched from Discord.', null, { cause: error })
  }
}

async function freshAddress(ref: string, api: Pick<DiscordApi, 'getMessage'>): Promise<string> {
  const match = /^m:(\d+)\/(\d+)\/(\d+)$/.exec(ref)
  if (match === null) throw new AdapterError('invalid', 'This file is not one of Discord.')
  const [, channelId = '', messageId = '', attachmentId] = match
  const message = await api.getMessage(channelId, messageId)
  const found = message.attachments.find((attachment) => attachment.id === attachmentId)
  if (found === undefined) throw new AdapterError('message_gone', 'The file has been taken off the message.')
  return found.url
}
