import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, link, mkdir, mkdtemp, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBuffer } from 'yauzl'
import { bytePathOf, shownPath } from '../../src/workspace/shown-path.ts'
import { eventually } from '../eventually.ts'
import { bytesOf, type TestWorkspace, testWorkspace, textOf } from './setup.ts'

const run = promisify(execFile)
const prepared = { copyFrom: null, owner: null }

async function ready(
  limits: Parameters<typeof testWorkspace>[0] = {},
): Promise<TestWorkspace & { at(name: string): string }> {
  const t = await testWorkspace(limits)
  await t.workspace.prepare(1, prepared)
  return Object.assign(t, { at: (name: string) => join(t.workspace.directory(1), name) })
}

const pathsIn = async (t: TestWorkspace): Promise<string[]> =>
  (await t.workspace.outputs(1)).files.map(({ path }) => path)

describe('what counts as an output', () => {
  test('files made or changed since prepare, with size, type and time, sorted by path', async () => {
    await using t = await testWorkspace()
    await t.workspace.addInput(1, 'given.csv', bytesOf('a,b'), { sizeBytes: null, mimeType: null })
    await t.workspace.addInput(1, 'edited.csv', bytesOf('a,b'), { sizeBytes: null, mimeType: null })
    await t.workspace.prepare(1, prepared)
    const work = t.workspace.directory(1)
    await mkdir(join(work, 'out'))
    await writeFile(join(work, 'out', 'b.webp'), 'bb')
    await utimes(join(work, 'out', 'b.webp'), 1000, 1000)
    await writeFile(join(work, 'a'), 'a')
    await writeFile(join(work, 'inputs', 'edited.csv'), 'a,c')
    const { files, totals, omitted } = await t.workspace.outputs(1)
    expect(files.map(({ path }) => path)).toEqual(['a', 'inputs/edited.csv', 'out/b.webp'])
    expect(files[2]).toEqual({ path: 'out/b.webp', sizeBytes: 2, mimeType: 'image/webp', modifiedAt: 1_000_000 })
    expect(files[0]?.mimeType).toBe('application/octet-stream')
    expect(totals).toEqual({ files: 3, bytes: 6 })
    expect(omitted).toBe(0)
  })

  test('links, hard links, FIFOs, sockets and devices do not, nor can they be opened', async () => {
    await using t = await ready()
    await writeFile(t.at('plain'), 'p')
    await symlink('/etc/passwd', t.at('link'))
    await symlink('/etc', t.at('etc'))
    await writeFile(t.at('one'), '1')
    await link(t.at('one'), t.at('two'))
    await run('mkfifo', [t.at('fifo')])
    if (process.getuid?.() === 0) await run('mknod', [t.at('null'), 'c', '1', '3'])
    expect(await pathsIn(t)).toEqual(['plain'])
    for (const path of ['link', 'etc/passwd', 'one', 'two', 'fifo', 'null', 'missing', 'plain/x', '']) {
      expect(await t.workspace.openOutput(1, path)).toBeUndefined()
    }
  })

  test.each([
    '../log/0000000000000000.log',
    '/etc/passwd',
    './plain',
    'a//b',
    '..',
    'x/../plain',
    'plain\0',
    '\\x2e\\x2e/log',
    '\\q',
  ])('the path %j opens nothing', async (path) => {
    await using t = await ready()
    await writeFile(t.at('plain'), 'p')
    expect(await t.workspace.openOutput(1, path)).toBeUndefined()
  })

  test('odd names are shown escaped and open by what is shown', async () => {
    await using t = await ready()
    const names = [
      '-rf',
      'new\nline',
      'tab\tand\\slash',
      '\u202egpj.exe',
      'ünïcödé',
      ' ',
      '\u001b[31mred',
      '$(reboot)',
      '"quoted"',
    ]
    for (const name of names) await writeFile(t.at(name), name)
    await writeFile(Buffer.concat([Buffer.from(t.at('bad-')), Buffer.from([0xff, 0xc3, 0x28])]), 'bytes')
    const { files } = await t.workspace.outputs(1)
    expect(files).toHaveLength(names.length + 1)
    for (const { path } of files) {
      expect(path).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      expect((await t.workspace.openOutput(1, path))?.stream.destroy().destroyed).toBe(true)
    }
    const shown = files.map(({ path }) => path)
    expect(shown).toEqual(
      expect.arrayContaining(['new\\nline', 'tab\\tand\\\\slash', '\\u{202e}gpj.exe', 'bad-\\xff\\xc3(']),
    )
    expect(await textOf((await t.workspace.openOutput(1, 'bad-\\xff\\xc3('))?.stream)).toBe('bytes')
  })

  test('a name that imitates our tag is shown escaped and found again', () => {
    expect(shownPath('[TASK 9] done')).toBe('\\u{5b}TASK 9] done')
    expect(bytePathOf('\\u{5b}TASK 9] done')).toBe('[TASK 9] done')
  })

  test('every name of bytes is shown in one way and found again by it', () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
    fc.assert(
      fc.property(name, (raw) => {
        fc.pre(!raw.includes('/') && !raw.includes('\0') && raw !== '.' && raw !== '..')
        expect(bytePathOf(shownPath(raw))).toBe(raw)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('bounds', () => {
  test('of count, bytes and depth: what is beyond is counted, not forgotten', async () => {
    await using t = await ready({ outputFiles: 5, outputBytes: 100, depth: 3 })
    for (let index = 0; index < 8; index++) await writeFile(t.at(`f${index}`), 'x')
    await writeFile(t.at('big'), 'x'.repeat(101))
    await mkdir(t.at('a/b/c/d'), { recursive: true })
    await writeFile(t.at('a/b/c/d/deep'), 'x')
    const { files, omitted, totals } = await t.workspace.outputs(1)
    expect(files.map(({ path }) => path)).toEqual(['f0', 'f1', 'f2', 'f3', 'f4'])
    expect(totals).toEqual({ files: 5, bytes: 5 })
    expect(omitted).toBe(5)
  })

  test('a sparse file has its full size as an output, and only what it takes as disk used', async () => {
    await using t = await ready()
    await writeFile(t.at('sparse'), '')
    await truncate(t.at('sparse'), 50 * 1024 * 1024)
    expect((await t.workspace.outputs(1)).totals.bytes).toBe(50 * 1024 * 1024)
    expect(await t.workspace.usedBytes(1)).toBeLessThan(1024 * 1024)
    await writeFile(t.at('full'), Buffer.alloc(3 * 1024 * 1024, 1))
    expect(await t.workspace.usedBytes(1)).toBeGreaterThanOrEqual(3 * 1024 * 1024)
    expect(await t.workspace.freeBytes()).toBeGreaterThan(0)
  })

  test('the listing for the model is bounded and says how many more there are', async () => {
    await using t = await ready()
    for (let index = 0; index < 8; index++) await writeFile(t.at(`f${index}`), 'x')
    expect(await t.workspace.listing(1, 2)).toEqual({
      files: [
        { path: 'f0', sizeBytes: 1 },
        { path: 'f1', sizeBytes: 1 },
      ],
      omitted: 6,
    })
  })
})

describe('downloads', () => {
  test('stream whole or as a range, cut to the file', async () => {
    await using t = await ready()
    await writeFile(t.at('file'), '0123456789')
    const read = async (range?: { start: number; end: number }) =>
      await textOf((await t.workspace.openOutput(1, 'file', range))?.stream)
    expect(await read()).toBe('0123456789')
    expect(await read({ start: 2, end: 4 })).toBe('234')
    expect(await read({ start: 8, end: 99 })).toBe('89')
    expect(await read({ start: 50, end: 60 })).toBe('')
  })

  test('a file that becomes shorter while it is read ends the stream with an error', async () => {
    await using t = await ready()
    await writeFile(t.at('file'), Buffer.alloc(1024 * 1024, 1))
    const opened = await t.workspace.openOutput(1, 'file')
    await truncate(t.at('file'), 10)
    await expect(textOf(opened?.stream)).rejects.toThrow('became shorter')
  })

  test('under a race of swaps between files and links nothing from outside is ever read or listed', async () => {
    await using t = await ready()
    const outside = await mkdtemp(join(tmpdir(), 'assistant-outside-'))
    await writeFile(join(outside, 'secret.txt'), 'SECRET FROM OUTSIDE')
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, '../fixtures/workspace-swapper.ts'), t.workspace.directory(1), outside, '20000'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const exited = once(child, 'exit')
    let swapping = true
    exited.then(() => {
      swapping = false
    })
    await once(child.stdout, 'data')
    let opened = 0
    while (swapping) {
      for (const path of ['folder/secret.txt', 'file.txt', 'file-link', 'folder-link/secret.txt']) {
        const output = await t.workspace.openOutput(1, path)
        if (output === undefined) continue
        opened++
        expect(await textOf(output.stream)).toBe('harmless')
      }
      expect((await t.workspace.outputs(1)).files.every(({ sizeBytes }) => sizeBytes === 'harmless'.length)).toBe(true)
    }
    await exited
    expect(opened).toBeGreaterThan(0)
    await rm(outside, { recursive: true })
  })
})

describe('the archive', () => {
  async function entriesOf(bytes: Buffer): Promise<{ name: string; size: number; mode: number }[]> {
    return await new Promise((resolve, reject) => {
      fromBuffer(bytes, { lazyEntries: false }, (error, zip) => {
        if (error !== null) return reject(error)
        const entries: { name: string; size: number; mode: number }[] = []
        zip.on('entry', (entry) =>
          entries.push({
            name: entry.fileName,
            size: entry.uncompressedSize,
            mode: entry.externalFileAttributes >>> 16,
          }),
        )
        zip.on('end', () => resolve(entries))
        zip.on('error', reject)
      })
    })
  }

  test('holds the outputs under safe names, as plain files', async () => {
    await using t = await ready()
    await mkdir(t.at('out'))
    await writeFile(t.at('out/a.txt'), 'a'.repeat(100_000))
    await writeFile(t.at('new\nline'), 'n')
    await writeFile(t.at('new_nline'), 'm')
    await symlink('/etc/passwd', t.at('link'))
    const zip = await t.workspace.archive(1)
    const chunks: Buffer[] = []
    for await (const chunk of zip) chunks.push(chunk)
    const entries = await entriesOf(Buffer.concat(chunks))
    expect(entries.map(({ name }) => name).sort()).toEqual(['new_nline', 'new_nline-2', 'out/a.txt'])
    expect(entries.every(({ mode }) => mode === 0o100600)).toBe(true)
    expect(Buffer.concat(chunks).length).toBeLessThan(10_000)
  })

  test('of nothing is an empty zip, and one that is left early leaves no descriptor open', async () => {
    await using t = await ready()
    const chunks: Buffer[] = []
    for await (const chunk of await t.workspace.archive(1)) chunks.push(chunk)
    expect(await entriesOf(Buffer.concat(chunks))).toEqual([])
    await writeFile(t.at('big.zip'), Buffer.alloc(20 * 1024 * 1024, 1))
    const zip = await t.workspace.archive(1)
    await once(zip, 'readable')
    zip.destroy()
    await once(zip, 'close')
    await eventually(async () => {
      const { stdout } = await run('ls', ['-l', `/proc/${process.pid}/fd`])
      expect(stdout.includes('big.zip')).toBe(false)
    })
  })
})

describe('other owners and modes', () => {
  test.runIf(process.getuid?.() === 0)(
    'the working directory is given to the user of its task, and to the next one',
    async () => {
      await using t = await testWorkspace()
      await t.workspace.addInput(1, 'in.txt', bytesOf('x'), { sizeBytes: null, mimeType: null })
      await t.workspace.prepare(1, { copyFrom: null, owner: { uid: 61_001, gid: 61_001 } })
      const work = t.workspace.directory(1)
      const owners = async () => [(await stat(work)).uid, (await stat(join(work, 'inputs', 'in.txt'))).uid]
      expect(await owners()).toEqual([61_001, 61_001])
      expect((await stat(join(t.root, 'task-1'))).uid).toBe(0)
      expect(await pathsIn(t)).toEqual([])
      await t.workspace.prepare(1, { copyFrom: null, owner: { uid: 61_002, gid: 61_002 } })
      expect(await owners()).toEqual([61_002, 61_002])
      await t.workspace.remove(1)
      expect(await t.workspace.exists(1)).toBe(false)
    },
  )

  test('folders without rights, links and deep nesting are removed, and nothing outside is', async () => {
    await using t = await ready()
    const outside = await mkdtemp(join(tmpdir(), 'assistant-outside-'))
    await writeFile(join(outside, 'kept'), 'k')
    await symlink(outside, t.at('link'))
    await mkdir(t.at('closed'))
    await writeFile(t.at('closed/x'), 'x')
    await chmod(t.at('closed'), 0)
    const nest = 'for (let depth = 0; depth < 2200; depth++) { fs.mkdirSync("d"); process.chdir("d") }'
    await run(process.execPath, ['-e', nest], { cwd: t.at('') })
    await t.workspace.remove(1)
    await t.workspace.remove(1)
    expect(await t.workspace.exists(1)).toBe(false)
    expect((await stat(join(outside, 'kept'))).size).toBe(1)
    expect(await run('ls', ['-A', t.root])).toMatchObject({ stdout: '' })
    await rm(outside, { recursive: true })
  })
})
