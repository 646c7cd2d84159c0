/** What the documents promise is there: the tests that they name, the reasons, the files. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FAILURE_REASONS } from '../../src/core/outcome.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (name: string) => readFileSync(`${root}${name}`, 'utf8')

function section(title: string): string {
  return (
    read('README.md')
      .split(/^## /m)
      .find((part) => part.startsWith(`${title}\n`)) ?? ''
  )
}

function rows(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(1).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Lines that begin a test, or go on with the beginning of one. */
function linesWithTitles(source: string): string {
  return source
    .split('\n')
    .filter((line) => /^\s*(?:(?:test|it|describe)\b|\]|['"`])/.test(line))
    .join('\n')
}

describe('the README', () => {
  it('backs each promise of its safety section by tests that exist under that name', () => {
    const promises = rows(section('Safety'))
    expect(promises.length).toBeGreaterThan(8)
    for (const [promise = '', shown = ''] of promises) {
      const files = [...shown.matchAll(/`(test\/[\w./-]+\.test\.ts)`: ((?:"[^"]+"(?:, )?)+)/g)]
      expect([promise, files.length]).not.toEqual([promise, 0])
      for (const [, file = '', names = ''] of files) {
        const titles = linesWithTitles(read(file))
        for (const [, name = ''] of names.matchAll(/"([^"]+)"/g))
          expect([file, titles]).toEqual([file, expect.stringContaining(name)])
      }
    }
  })

  it('says of every reason for a failure what it means, and of no other', () => {
    const named = rows(section('When something is wrong')).flatMap(([reasons = '']) => [
      ...reasons.matchAll(/`(\w+)`/g),
    ])
    expect(named.map(([, reason]) => reason).sort()).toEqual([...FAILURE_REASONS].sort())
  })
})

it.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md'])('%s names files and folders that exist', (name) => {
  const text = read(name)
  const quoted = [...text.matchAll(/`((?:src|test|config|adapters|tasks|\.ci)\/[\w./-]*|\.env\.example)`/g)]
  const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)]
  // Made by whoever runs it.
  const own = new Set(['config/settings.yaml'])
  const missing = [...quoted, ...linked]
    .map(([, path = '']) => path)
    .filter((path) => !own.has(path) && !existsSync(`${root}${path}`))
  expect(missing).toEqual([])
})
