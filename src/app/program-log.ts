import { createRequire } from 'node:module'
import { pino } from 'pino'
import type { Redactor } from '../core/redact.ts'
import type { Logger } from '../ports/logger.ts'

/** The program's own log: one JSON line each, every line through the redactor, whatever field a secret is in. */
export function createProgramLog(level: string, redactor: Redactor, write: (line: string) => void): Logger {
  return pino({ level, base: null }, { write: (line: string) => write(redactor.text(line).text) })
}

export function programVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('../../package.json')
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '0'
}
