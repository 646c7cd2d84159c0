import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/ports/workspace.ts'
import { safeName, uniqueName } from '../../src/workspace/input-names.ts'
import { bytesOf, testWorkspace } from './setup.ts'

const anything = { sizeBytes: null, mimeType: null }

describe('names', () => {
  test.each([
    ['report.csv', 'report.csv'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\ana\\plan.docx', 'plan.docx'],
    ['-rf', 'rf'],
    ['.bashrc', 'bashrc'],
    ['...', 'file'],
    ['', 'file'],
    ['a\nb\u202egnp.exe', 'a_b_gnp.exe'],
    ['$(reboot).txt', '__reboot_.txt'],
    ['Übersicht 2030.xlsx', 'Übersicht 2030.xlsx'],
  ])('%j becomes %j', (given, safe) => {
    expect(safeName(given)).toBe(safe)
  })

  test('whatever the name, it is one plain component of at most 100 bytes, and unique', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (given) => {
        const name = safeName(given)
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(100)
        expect(name).toMatch(/^[^-.\s/\\\p{Cc}\p{Cf}][^/\\\p{Cc}\p{Cf}]*$/u)
        const second = uniqueName(name, new Set([name.toLowerCase()]))
        expect(second.toLowerCase()).not.toBe(name.toLowerCase())
        expect(Buffer.byteLength(second)).toBeLessThanOrEqual(100)
      }),
      { numRuns: 1000 },
    )
  })

  test('a long name keeps its extension', () => {
    expect(safeName(`${'long '.repeat(60)}.tar`)).toMatch(/^long .*\.tar$/)
  })
})

describe('saving', () => {
  test('the same name twice, or at the same time, gives two files', async () => {
    await using t = await testWorkspace()
    const add = (text: string) => t.workspace.addInput(1, 'a.txt', bytesOf(text), anything)
    expect(await add('1')).toEqual({ name: 'a.txt', sizeBytes: 1 })
    const both = await Promise.all([add('22'), add('333')])
    expect(both.map(({ name }) => name).sort()).toEqual(['a-2.txt', 'a-3.txt'])
    expect(await readdir(join(t.root, 'task-1', 'inputs'))).toHaveLength(3)
  })

  test('what is too large is refused, announced or not, and nothing of it stays', async () => {
    await using t = await testWorkspace({ inputBytes: 10 })
    const endless = async function* () {
      for (;;) yield Buffer.alloc(4)
    }
    await expect(t.workspace.addInput(1, 'a', endless(), anything)).rejects.toMatchObject({ code: 'too_large' })
    await expect(t.workspace.addInput(1, 'a', bytesOf('x'), { sizeBytes: 11, mimeType: null })).rejects.toMatchObject({
      code: 'too_large',
    })
    expect(await readdir(join(t.root, 'task-1', 'inputs'))).toEqual([])
  })

  test('more files than allowed are refused', async () => {
    await using t = await testWorkspace({ inputs: 2 })
    for (const name of ['a', 'b']) await t.workspace.addInput(1, name, bytesOf('x'), anything)
    await expect(t.workspace.addInput(1, 'c', bytesOf('x'), anything)).rejects.toMatchObject({ code: 'too_many' })
  })

  test('a login page is not taken for the file that was announced, and a web page that was is', async () => {
    await using t = await testWorkspace()
    const page = '\n  <!DOCTYPE html><html><head><title>Sign in</title>'
    const add = (name: string, mimeType: string | null) =>
      t.workspace.addInput(1, name, bytesOf(page.slice(0, 8), page.slice(8)), { sizeBytes: null, mimeType })
    await expect(add('photo.png', 'image/png')).rejects.toMatchObject({ code: 'login_page' })
    await expect(add('photo.png', null)).rejects.toBeInstanceOf(InputError)
    expect((await add('page.html', 'text/html')).name).toBe('page.html')
    expect((await add('unknown', null)).name).toBe('unknown')
  })

  test('a download that breaks off or is short is refused', async () => {
    await using t = await testWorkspace()
    const broken = async function* () {
      yield Buffer.from('half')
      throw new Error('socket hang up')
    }
    await expect(t.workspace.addInput(1, 'a', broken(), anything)).rejects.toMatchObject({ code: 'broken_download' })
    await expect(t.workspace.addInput(1, 'a', bytesOf('abc'), { sizeBytes: 4, mimeType: null })).rejects.toMatchObject({
      code: 'broken_download',
    })
    expect(await readdir(join(t.root, 'task-1', 'inputs'))).toEqual([])
  })

  test('an input of another task is copied by its name, also twice, and nothing else is', async () => {
    await using t = await testWorkspace()
    await t.workspace.addInput(1, 'a.csv', bytesOf('a,b'), anything)
    expect(await t.workspace.copyInput(1, 2, 'a.csv')).toEqual({ name: 'a.csv', sizeBytes: 3 })
    expect(await t.workspace.copyInput(1, 2, 'a.csv')).toEqual({ name: 'a.csv', sizeBytes: 3 })
    for (const name of ['../log/x', 'missing', '..', '']) {
      await expect(t.workspace.copyInput(1, 2, name)).rejects.toBeInstanceOf(InputError)
    }
  })
})

describe('preparing', () => {
  test('inputs are laid out as copies, and a second time changes nothing', async () => {
    await using t = await testWorkspace()
    await t.workspace.addInput(1, 'a.csv', bytesOf('a,b'), anything)
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    const laid = join(t.workspace.directory(1), 'inputs', 'a.csv')
    await writeFile(laid, 'changed')
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    expect(await readFile(laid, 'utf8')).toBe('changed')
    expect(await readFile(join(t.root, 'task-1', 'inputs', 'a.csv'), 'utf8')).toBe('a,b')
  })

  test('what was begun and cut short is begun again', async () => {
    await using t = await testWorkspace()
    await mkdir(join(t.root, 'task-1', 'work', 'half'), { recursive: true })
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    expect(await readdir(t.workspace.directory(1))).toEqual([])
  })

  test('a refinement begins as a copy of its parent: files and folders, no links, no set-user-id bits', async () => {
    await using t = await testWorkspace()
    await t.workspace.addInput(1, 'data.csv', bytesOf('old'), anything)
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    const work = t.workspace.directory(1)
    await mkdir(join(work, 'deep', 'er'), { recursive: true })
    await writeFile(join(work, 'deep', 'er', 'tool'), '#!/bin/sh', { mode: 0o755 })
    await writeFile(join(work, 'inputs', 'data.csv'), 'edited by the parent')
    await chmod(join(work, 'deep', 'er', 'tool'), 0o4755)
    await symlink('/etc/passwd', join(work, 'link'))
    await t.workspace.copyInput(1, 2, 'data.csv')
    await t.workspace.prepare(2, { copyFrom: 1, owner: null })
    const child = t.workspace.directory(2)
    expect(((await stat(join(child, 'deep', 'er', 'tool'))).mode & 0o7777).toString(8)).toBe('700')
    expect(await readFile(join(child, 'inputs', 'data.csv'), 'utf8')).toBe('edited by the parent')
    expect((await readdir(child)).sort()).toEqual(['deep', 'inputs'])
    expect((await t.workspace.outputs(2)).files).toEqual([])
    expect(t.complaints).toEqual(['[TASK 2] links and special files were not copied'])
  })

  test('a new input of a name that the parent used takes its place', async () => {
    await using t = await testWorkspace()
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    await mkdir(join(t.workspace.directory(1), 'inputs'))
    await writeFile(join(t.workspace.directory(1), 'inputs', 'data.csv'), 'made by the parent')
    await t.workspace.addInput(2, 'data.csv', bytesOf('new'), anything)
    await t.workspace.prepare(2, { copyFrom: 1, owner: null })
    expect(await readFile(join(t.workspace.directory(2), 'inputs', 'data.csv'), 'utf8')).toBe('new')
  })
})

describe.runIf(process.getuid?.() === 0)('as root', () => {
  test('a copy of another task belongs to the new task alone, files and folders', async () => {
    await using t = await testWorkspace()
    const [parent, child] = [
      { uid: 50_001, gid: 50_001 },
      { uid: 50_002, gid: 50_002 },
    ]
    await t.workspace.prepare(1, { copyFrom: null, owner: parent })
    await mkdir(join(t.workspace.directory(1), 'out'))
    await writeFile(join(t.workspace.directory(1), 'out', 'a'), 'x')
    await chown(join(t.workspace.directory(1), 'out', 'a'), parent.uid, parent.gid)
    await t.workspace.prepare(2, { copyFrom: 1, owner: child })
    const stats = await Promise.all(['.', 'out', 'out/a'].map((path) => stat(join(t.workspace.directory(2), path))))
    expect(stats.map(({ uid }) => uid)).toEqual([child.uid, child.uid, child.uid])
  })
})
