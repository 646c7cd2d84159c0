import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, type FileHandle, link, lstat, open, readdir, stat, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError } from '../ports/workspace.ts'
import { safeName, uniqueName } from './input-names.ts'
import { mimeTypeOf } from './mime-type.ts'
import { systemCode, unlessMissing, workspaceError } from './paths.ts'

const PART_PREFIX = '.part-'
const SNIFFED_BYTES = 512
const HTML_START = /^\uFEFF?\s*(?:<!--[\s\S]*?-->\s*)*<(?:!doctype\s+html|html|head|body)[\s>]/i

export interface InputLimits {
  bytes: number
  count: number
}

export interface NewInput {
  folder: string
  name: string
  bytes: AsyncIterable<Uint8Array>
  expect: { sizeBytes: number | null; mimeType: string | null }
}

/** Names of complete inputs. */
export async function inputNames(folder: string): Promise<string[]> {
  const names = (await unlessMissing(readdir(folder))) ?? []
  return names.filter((name) => !name.startsWith(PART_PREFIX)).sort()
}

/** Streams to a hidden name first, so that an input is there whole or not at all. Throws InputError or WorkspaceError. */
export async function saveInput(input: NewInput, limits: InputLimits): Promise<{ name: string; sizeBytes: number }> {
  const { folder, expect } = input
  if ((await inputNames(folder)).length >= limits.count) {
    throw new InputError('too_many', `there are more than ${limits.count} files`)
  }
  if (expect.sizeBytes !== null && expect.sizeBytes > limits.bytes) throw tooLarge(limits)
  const part = join(folder, `${PART_PREFIX}${randomUUID()}`)
  try {
    const sizeBytes = await download(part, input, limits)
    return { name: await takeName(part, input), sizeBytes }
  } catch (error) {
    throw error instanceof InputError ? error : workspaceError(error)
  } finally {
    await unlessMissing(unlink(part)).catch(() => {
      // The folder itself is unusable, which the error on its way out says already.
    })
  }
}

async function download(part: string, input: NewInput, limits: InputLimits): Promise<number> {
  const { sizeBytes: announced } = input.expect
  await using handle = await open(part, 'wx', 0o600)
  let beginning = Buffer.alloc(0)
  let size = 0
  for await (const chunk of received(input.bytes)) {
    size += chunk.length
    if (size > limits.bytes) throw tooLarge(limits)
    if (beginning.length < SNIFFED_BYTES) beginning = Buffer.concat([beginning, chunk]).subarray(0, SNIFFED_BYTES)
    await writeFully(handle, chunk)
  }
  if (HTML_START.test(beginning.toString()) && !announcesHtml(input)) {
    throw new InputError('login_page', 'a web page came instead of the file: the bot may not read files there')
  }
  if (announced !== null && size !== announced) {
    throw new InputError('broken_download', `${size} of ${announced} bytes came`)
  }
  return size
}

/** What the other side does wrong is the download's fault, what the disk does wrong is not. */
async function* received(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes
  } catch (error) {
    throw new InputError('broken_download', 'the download broke off', { cause: error })
  }
}

async function writeFully(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at, chunk.length - at)).bytesWritten
}

/** Nothing announced means that anything may come. */
function announcesHtml({ name, expect }: NewInput): boolean {
  const announced = expect.mimeType ?? mimeTypeOf(name) ?? null
  return announced === null || /html|xml/i.test(announced)
}

/** A link fails where a rename would replace: two downloads at once never share a name. */
async function takeName(part: string, { folder, name }: NewInput): Promise<string> {
  for (;;) {
    const taken = new Set((await inputNames(folder)).map((one) => one.toLowerCase()))
    const free = uniqueName(safeName(name), taken)
    try {
      await link(part, join(folder, free))
      return free
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }
}

function tooLarge(limits: InputLimits): InputError {
  return new InputError('too_large', `the file is larger than ${Math.floor(limits.bytes / (1024 * 1024))} MB`)
}

/**
 * Copies one saved input of another task under its name, with its time, so that the same input can be told from another of that name.
 * May be called twice. Throws InputError when there is no such input (any more).
 */
export async function copySavedInput(
  from: string,
  to: string,
  name: string,
): Promise<{ name: string; sizeBytes: number }> {
  const known = (await inputNames(from)).includes(name) ? await unlessMissing(lstat(join(from, name))) : undefined
  if (known?.isFile() !== true) throw new InputError('broken_download', 'the file is not kept any more')
  try {
    if (!(await isSameInput(join(from, name), join(to, name)))) await copyInput(join(from, name), join(to, name))
  } catch (error) {
    throw workspaceError(error)
  }
  return { name, sizeBytes: known.size }
}

/**
 * Lays inputs into the working directory. Where that began as a copy of a parent's, a file that the parent was given as the same input stays as
 * the parent's commands left it; any other file of that name makes room.
 */
export async function layInputs(inputs: string, work: string, parentInputs: string | null): Promise<void> {
  for (const name of await inputNames(inputs)) {
    const target = join(work, name)
    const there = (await unlessMissing(stat(target))) !== undefined
    if (there && parentInputs !== null && (await isSameInput(join(inputs, name), join(parentInputs, name)))) continue
    if (there) await unlink(target)
    await copyInput(join(inputs, name), target)
  }
}

async function isSameInput(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([unlessMissing(stat(one)), unlessMissing(stat(other))])
  return a !== undefined && b !== undefined && a.size === b.size && Math.abs(a.mtimeMs - b.mtimeMs) < 1000
}

async function copyInput(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  const { atime, mtime } = await stat(from)
  await utimes(to, atime, mtime)
}
