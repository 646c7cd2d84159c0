import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** By the name's ending; undefined where it tells nothing. The table is loaded with the first name: no list of tasks needs it. */
export function mimeTypeOf(name: string): string | undefined {
  const { lookup }: typeof import('mime-types') = require('mime-types')
  return lookup(name) || undefined
}
