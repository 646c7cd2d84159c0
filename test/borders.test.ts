/** The tree is the architecture: which folder may import which, and which library lives where. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const files = ['src', 'adapters', 'config'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|js)$/.test(name))
    .map((name) => `${folder}/${name}`),
)

interface Import {
  from: string
  to: string
}

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(root, from), 'utf8')
  const found = text.matchAll(
    /(?:^|\s)(?:import|export)\s[^'"`;]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm,
  )
  return [...found].map((match) => ({ from, to: target(from, match[1] ?? match[2] ?? match[3] ?? '') }))
})

function target(from: string, specifier: string): string {
  return specifier.startsWith('.') ? relative(root, resolve(root, dirname(from), specifier)) : specifier
}

/** src/core/x.ts -> src/core, adapters/slack/y.ts -> adapters/slack, src/main.ts -> src */
function part(path: string): string {
  const [first = '', second = ''] = path.split('/')
  return path.split('/').length > 2 && first !== 'config' ? `${first}/${second}` : first
}

const PARTS = ['inbox', 'worker', 'planner', 'policy', 'sandbox', 'store', 'workspace', 'reporter'].map(
  (name) => `src/${name}`,
)
const ADAPTERS = ['slack', 'discord', 'http', 'cli'].map((name) => `adapters/${name}`)

/** What each folder may import beside itself, Node and libraries. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'src/core': [],
  'src/ports': ['src/core'],
  ...Object.fromEntries([...PARTS, ...ADAPTERS].map((name) => [name, ['src/core', 'src/ports']])),
  config: ['src/core'],
  'src/app': ['src/core', 'src/ports', ...PARTS, ...ADAPTERS, 'config'],
  src: ['src/app', 'src/core', 'adapters/cli', 'config'],
}

/** One library, one folder. */
const HOME_OF: Record<string, string> = {
  'better-sqlite3': 'src/store',
  ollama: 'src/planner',
  execa: 'src/sandbox',
  unbash: 'src/policy',
  yazl: 'src/workspace',
  'mime-types': 'src/workspace',
  '@slack/bolt': 'adapters/slack',
  'discord.js': 'adapters/discord',
  fastify: 'adapters/http',
  commander: 'adapters/cli',
  yaml: 'config',
}

describe('the tree', () => {
  it('is read at all', () => {
    expect(files.length).toBeGreaterThan(90)
    expect(imports.length).toBeGreaterThan(300)
  })

  it('has arrows in one direction only', () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!/^(src|adapters|config)\//.test(to) || part(from) === part(to)) return false
      if (part(from) === 'config' && from.endsWith('.js')) return false
      return !MAY_IMPORT[part(from)]?.includes(part(to))
    })
    expect(wrong).toEqual([])
  })

  it('keeps each library in its own folder', () => {
    const strays = imports.filter(({ from, to }) => HOME_OF[to] !== undefined && part(from) !== HOME_OF[to])
    expect(strays).toEqual([])
  })

  it('reads the environment in config only', () => {
    const readers = files.filter(
      (file) => !file.startsWith('config/') && /process\.env\b/.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(readers).toEqual([])
  })

  it('has no import cycles', () => {
    const edges = new Map<string, string[]>()
    for (const { from, to } of imports) edges.set(from, [...(edges.get(from) ?? []), to])
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      if (done.has(file) || path.includes(file)) return
      for (const next of edges.get(file) ?? []) visit(next, [...path, file])
      done.add(file)
    }
    for (const file of files) visit(file, [])
    expect(cycles).toEqual([])
  })

  it('has only the folders that the design names', () => {
    const folders = readdirSync(root, { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && !entry.name.startsWith('.'),
    )
    const allowed = new Set(['src', 'adapters', 'tasks', 'config', 'test', 'node_modules', 'run', 'dist'])
    expect(folders.map((entry) => entry.name).filter((name) => !allowed.has(name))).toEqual([])
  })

  it('waits in one place only, which says for how long', () => {
    const waits = /\bvi\.wait(For|Until)\(/
    const waiting = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
      .filter((name) => waits.test(readFileSync(join(root, 'test', name), 'utf8')))
    expect(waiting).toEqual(['eventually.ts'])
  })

  it('names no machine', () => {
    const named = files.filter((file) => /\/(home|work|root|Users)\/[a-z]/.test(readFileSync(join(root, file), 'utf8')))
    expect(named).toEqual([])
  })
})
