/** Who is asked and from which page: keeps web pages of other sites out, also those that rebind a name to this address. */
import { isIP } from 'node:net'

const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/** Whether an address to listen on is reached from this machine only. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '').replace(/^::ffff:/i, '')
  return address === 'localhost' || address === '::1' || /^127(?:\.\d{1,3}){3}$/.test(address)
}

/** A Host header's name, in lower case, without the port and a final dot; undefined when it is not one host. */
export function hostName(header: string | undefined): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header ?? '')
  return match?.[1]?.toLowerCase().replace(/\.$/, '')
}

/**
 * A name must be on the list. The very address that the connection came to is fine too: rebinding needs a name,
 * and a name is never equal to an address.
 */
export function isHostAllowed(
  header: string | undefined,
  allowed: readonly string[],
  localAddress: string | undefined,
): boolean {
  const name = hostName(header)
  if (name === undefined) return false
  const address = name.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && address === localAddress?.replace(/^::ffff:/, '')) return true
  return LOOPBACK_NAMES.includes(name) || allowed.some((entry) => entry.toLowerCase() === name)
}

export interface OriginHeaders {
  host?: string | undefined
  origin?: string | undefined
  'sec-fetch-site'?: string | string[] | undefined
  'sec-fetch-mode'?: string | string[] | undefined
}

/** Programs send no Origin. Our own page sends its own. A link followed from elsewhere is fine; anything else from elsewhere is not. */
export function isOriginAllowed(method: string, headers: OriginHeaders): boolean {
  if (headers.origin !== undefined && !isSameHost(headers.origin, headers.host)) return false
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return true
  return method === 'GET' && headers['sec-fetch-mode'] === 'navigate'
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const url = URL.parse(origin)
  return url !== null && host !== undefined && /^https?:$/.test(url.protocol) && url.host === host.toLowerCase()
}
