import { createRequire } from 'node:module'
import type { Redactor } from '../core/redact.ts'
import type { Logger } from '../ports/logger.ts'

const require = createRequire(import.meta.url)

/**
 * The program's own log: one JSON line each, every line through the redactor, whatever field a secret is in. pino is loaded with the
 * first thing to say: most commands have nothing, and are over before it would have been.
 */
export function createProgramLog(level: string, redactor: Redactor, write: (line: string) => void): Logger {
  let opened: Logger | undefined
  const log = (): Logger => {
    opened ??= openLog(level, (line) => write(redactor.text(line).text))
    return opened
  }
  return {
    debug: (fields, message) => log().debug(fields, message),
    info: (fields, message) => log().info(fields, message),
    warn: (fields, message) => log().warn(fields, message),
    error: (fields, message) => log().error(fields, message),
  }
}

function openLog(level: string, write: (line: string) => void): Logger {
  const { pino }: typeof import('pino') = require('pino')
  return pino({ level, base: null }, { write })
}

export function programVersion(): string {
  const manifest: unknown = require('../../package.json')
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '0'
}
