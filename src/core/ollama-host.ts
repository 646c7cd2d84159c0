/**
 * Reads OLLAMA_HOST as Ollama's own program does (its envconfig package): quotes and spaces around it are dropped,
 * the scheme may be missing (http, port 11434), `http://` means port 80 and `https://` port 443, a bad port means the default one.
 * An address to listen on (0.0.0.0, ::, or none) becomes this machine's loopback. Answers a URL without a slash at its end,
 * undefined for what can be no address of a server.
 */
export function parseOllamaHost(text: string): string | undefined {
  const bare = trimQuotes(text.trim())
  if (bare === 'ollama.com') return 'https://ollama.com'
  const { scheme, rest, defaultPort } = splitScheme(bare)
  if (scheme !== 'http' && scheme !== 'https') return undefined
  const slash = rest.indexOf('/')
  const hostPort = slash === -1 ? rest : rest.slice(0, slash)
  const path = slash === -1 ? '' : rest.slice(slash).replace(/\/+$/, '')
  const { host, port } = splitPort(hostPort, defaultPort)
  return asUrl(`${scheme}://${connectable(host)}:${port}${path}`)
}

function splitScheme(text: string): { scheme: string; rest: string; defaultPort: string } {
  const mark = text.indexOf('://')
  if (mark === -1) return { scheme: 'http', rest: text, defaultPort: '11434' }
  const scheme = text.slice(0, mark).toLowerCase()
  return { scheme, rest: text.slice(mark + 3), defaultPort: scheme === 'https' ? '443' : '80' }
}

function splitPort(hostPort: string, defaultPort: string): { host: string; port: string } {
  const colons = hostPort.split(':').length - 1
  // More than one colon without brackets is an IPv6 address on its own.
  if (colons > 1 && !hostPort.includes(']')) return { host: `[${hostPort}]`, port: defaultPort }
  const colon = hostPort.lastIndexOf(':')
  if (colon === -1 || colon < hostPort.lastIndexOf(']')) return { host: hostPort, port: defaultPort }
  const port = hostPort.slice(colon + 1)
  const isPort = /^[0-9]{1,5}$/.test(port) && Number(port) <= 65_535
  return { host: hostPort.slice(0, colon), port: isPort ? String(Number(port)) : defaultPort }
}

function connectable(host: string): string {
  if (host === '' || host === '0.0.0.0') return '127.0.0.1'
  if (host === '[::]' || host === '[0:0:0:0:0:0:0:0]') return '[::1]'
  return host
}

function asUrl(text: string): string | undefined {
  if (!URL.canParse(text) || /[\s\\]/.test(text)) return undefined
  const url = new URL(text)
  if (url.search !== '' || url.hash !== '') return undefined
  // URL drops a port that is the scheme's default, which is what we want people to read.
  return url.href.replace(/\/+$/, '')
}

function trimQuotes(text: string): string {
  return text.replace(/^["']+/, '').replace(/["']+$/, '')
}
