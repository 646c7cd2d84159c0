/** The systemd unit and the program mean the same. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EXIT } from '../../adapters/cli/exit.ts'
import { loadConfig } from '../../config/config.ts'

const unit = readFileSync(new URL('../../config/assistant-worker.service', import.meta.url), 'utf8')

function setting(name: string): string | undefined {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1]
}

test('what starting again does not mend is not started again: a fault of the set-up ends with the code that the unit knows', () => {
  expect(setting('Restart')).toBe('on-failure')
  expect(setting('RestartPreventExitStatus')).toBe(String(EXIT.usage))
})

test('a stop has the time for the grace period and for what comes after it', () => {
  const graceMs = loadConfig({ root: '/nonexistent', environment: {} }).worker.stopGrace
  expect(Number(setting('TimeoutStopSec')) * 1000).toBeGreaterThanOrEqual(2 * graceMs)
})
