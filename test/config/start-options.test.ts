import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const OPTIONS = /--max-semi-space-size=\d+/g

test('npm start, systemd and the change to a newer Node give the same options', () => {
  const [inUnit, inScript, inHandOver] = ['config/assistant-worker.service', 'package.json', 'config/assistant.js'].map(
    (name) => read(name).match(OPTIONS),
  )
  expect(inScript).toHaveLength(1)
  expect(inUnit).toEqual(inScript)
  expect(inHandOver).toEqual(inScript)
})
