import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const bounds = (text: string) =>
  [/--max-semi-space-size=\d+/, /MALLOC_TRIM_THRESHOLD_\W+\d+/].map((each) => each.exec(text)?.[0].match(/\d+/)?.[0])

test('npm start, systemd and the change to a newer Node bound memory in the same way', () => {
  const script = bounds(read('package.json'))
  expect(script).toEqual([expect.any(String), expect.any(String)])
  expect(bounds(read('config/assistant-worker.service'))).toEqual(script)
  expect(bounds(read('config/assistant.js'))).toEqual(script)
})
