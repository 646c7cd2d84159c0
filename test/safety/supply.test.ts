/** What is installed is what the lock file says, and only named packages run a script while they are. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { z } from 'zod'

const root = fileURLToPath(new URL('../../', import.meta.url))
const versions = z.record(z.string(), z.string())
const manifest = z
  .object({ dependencies: versions, devDependencies: versions, allowScripts: z.record(z.string(), z.literal(true)) })
  .parse(JSON.parse(readFileSync(`${root}package.json`, 'utf8')))
const { packages } = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        version: z.string().optional(),
        integrity: z.string().optional(),
        hasInstallScript: z.boolean().optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')))

it('every package is in the lock file with its checksum', () => {
  const installed = Object.entries(packages).filter(([path]) => path !== '')
  expect(
    installed.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true).map(([path]) => path),
  ).toEqual([])
})

it('every dependency is one exact version, the one of the lock file', () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    expect([name, packages[`node_modules/${name}`]?.version]).toEqual([name, version])
  }
})

it('install scripts are allowed by name, to packages that are depended on directly', () => {
  const direct = new Set(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }))
  const named = Object.keys(manifest.allowScripts)
  expect(named.filter((name) => !direct.has(name))).toEqual([])
  const withScripts = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true)
  expect(
    withScripts.map(([path]) => path.replace(/^.*node_modules\//, '')).filter((name) => !named.includes(name)),
  ).toEqual([])
})
