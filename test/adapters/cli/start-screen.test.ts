import { expect, test } from 'vitest'
import type { StartStatus } from '../../../adapters/cli/deps.ts'
import { renderStartScreen } from '../../../adapters/cli/start-screen.ts'

const STATUS: StartStatus = {
  version: '0.1.0',
  home: '/srv/assistant',
  parts: [
    { name: 'Worker', state: 'on', detail: '2 tasks at once', fix: null },
    { name: 'HTTP API', state: 'on', detail: 'http://127.0.0.1:8420', fix: null },
    { name: 'Sandbox', state: 'problem', detail: 'bubblewrap is missing', fix: 'apt-get install bubblewrap' },
    { name: 'Model', state: 'problem', detail: 'no server on http://127.0.0.1:11434', fix: 'ollama serve' },
    { name: 'Slack', state: 'off', detail: '', fix: 'assistant setup slack' },
  ],
  warnings: ['Commands run without a sandbox.'],
  ask: { api: 'http://127.0.0.1:8420', slack: null, discord: null, model: false, worker: true },
}

test('one screen: what is on, what is off, what would turn it on, and the first thing to try', () => {
  const lines = renderStartScreen(STATUS).split('\n')
  expect(lines.length).toBeLessThanOrEqual(24)
  expect(lines).toContain('  ● HTTP API  http://127.0.0.1:8420')
  expect(lines).toContain('  ○ Slack     off')
  expect(lines).toContain('              → assistant setup slack')
  expect(lines).toContain('  ! Commands run without a sandbox.')
  expect(lines).toContain("  npx assistant run '!echo hello > hello.txt; ls -l'")
  expect(lines.some((line) => line.includes('curl -s -XPOST http://127.0.0.1:8420/tasks'))).toBe(true)
})

test('a sandbox that lacks a layer is on, and the line below says what would give it', () => {
  const fix = 'Start it as root, or let systemd delegate the cgroup.'
  const detail = 'bubblewrap, without limits of sums'
  const sandbox = { name: 'Sandbox', state: 'on', detail, fix } as const
  const lines = renderStartScreen({ ...STATUS, parts: [sandbox] }).split('\n')
  const at = lines.indexOf(`  ● Sandbox  ${detail}`)
  expect(lines[at + 1]).toBe(`             → ${fix}`)
})

test('plain words are offered only where there is a model, a chat only where it is connected', () => {
  const without = renderStartScreen(STATUS)
  expect(without).not.toContain('the first 20 primes')
  const ask = { api: null, slack: '/task list the files', discord: '/task run', model: true, worker: false }
  const text = renderStartScreen({ ...STATUS, ask })
  expect(text).toContain('the first 20 primes')
  expect(text).toContain('Slack: /task list the files')
  expect(text).not.toContain('curl')
  expect(text).toContain('until a worker runs')
})
