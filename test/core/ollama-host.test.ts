import { expect, test } from 'vitest'
import { parseOllamaHost } from '../../src/core/ollama-host.ts'

test.each([
  ['', 'http://127.0.0.1:11434'],
  ['  "1.2.3.4"  ', 'http://1.2.3.4:11434'],
  ['example.com', 'http://example.com:11434'],
  ['example.com:1234', 'http://example.com:1234'],
  [':1234', 'http://127.0.0.1:1234'],
  ['0.0.0.0', 'http://127.0.0.1:11434'],
  ['0.0.0.0:8080', 'http://127.0.0.1:8080'],
  ['[::]:8080', 'http://[::1]:8080'],
  ['::1', 'http://[::1]:11434'],
  ['[::1]', 'http://[::1]:11434'],
  ['[::1]:80', 'http://[::1]'],
  ['http://example.com', 'http://example.com'],
  ['https://example.com', 'https://example.com'],
  ['https://example.com:8443/ollama/', 'https://example.com:8443/ollama'],
  ['HTTP://example.com:11434', 'http://example.com:11434'],
  ['example.com/models', 'http://example.com:11434/models'],
  ['example.com:70000', 'http://example.com:11434'],
  ['example.com:x', 'http://example.com:11434'],
  ['ollama.com', 'https://ollama.com'],
  ['ftp://example.com', undefined],
  ['exa mple.com', undefined],
  ['http://example.com?x=1', undefined],
])('OLLAMA_HOST=%s is read as %s', (text, url) => {
  expect(parseOllamaHost(text)).toBe(url)
})
