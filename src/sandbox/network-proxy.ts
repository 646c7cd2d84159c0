/**
 * The only way out of a sandbox, for a plan whose network was approved: an HTTP proxy of the host, on a unix socket. It opens
 * connections to named hosts and nothing else, and looks at the addresses after resolving the name itself, so that no
 * name can lead to this machine or its neighbours.
 */
import { lookup } from 'node:dns/promises'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import ipaddr from 'ipaddr.js'
import { errorLine } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { listenIn } from './listen-in.ts'

export interface NetworkOptions {
  /** Hosts that tasks may ever reach, `*.example.org` for all below one; null or empty: whatever the approved plan names. */
  allowedHosts: readonly string[] | null
  /** Addresses let through although they are private or our own: a mirror in the house. */
  privateAddresses?: readonly string[]
  /** All addresses of a name; the system's resolver by default. */
  resolve?: (host: string) => Promise<readonly string[]>
}

export interface ProxyOptions extends NetworkOptions {
  taskId: number
  logger: Logger
  /** Hosts that the approved plan names. */
  planHosts: readonly string[]
  /** Made for the socket, readable by the task; removed at the end. */
  folder: string
}

const MAX_CONNECTIONS = 64
const CONNECT_TIMEOUT_MS = 15_000
const IDLE_TIMEOUT_MS = 120_000
const HOP_HEADERS = new Set(['proxy-connection', 'proxy-authorization', 'connection', 'keep-alive', 'te', 'upgrade'])

export class NetworkProxy implements AsyncDisposable {
  readonly folder: string
  readonly #options: ProxyOptions
  readonly #server: Server
  readonly #open = new Set<Duplex>()
  readonly #told = new Set<string>()

  static async start(options: ProxyOptions): Promise<NetworkProxy> {
    const proxy = new NetworkProxy(options)
    await proxy.#listen()
    return proxy
  }

  private constructor(options: ProxyOptions) {
    this.folder = options.folder
    this.#options = options
    this.#server = createServer(
      { requestTimeout: IDLE_TIMEOUT_MS },
      (incoming, outgoing) => void this.#forward(incoming, outgoing),
    )
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('connect', (incoming, socket, head) => void this.#tunnel(incoming, socket, head))
    this.#server.on('connection', (socket) => this.#keep(socket))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const stream of this.#open) stream.destroy()
    await closed
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #listen(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true })
    mkdirSync(this.folder, { recursive: true, mode: 0o755 })
    await listenIn(this.folder, 'proxy', this.#server)
    chmodSync(join(this.folder, 'proxy'), 0o666)
  }

  async #tunnel(incoming: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on('error', () => client.destroy())
    const target = parseTarget(`http://${incoming.url ?? ''}`)
    try {
      const upstream = await this.#connect(target?.hostname ?? '', Number(target?.port || 443))
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      upstream.pipe(client)
      client.pipe(upstream)
      upstream.on('close', () => client.destroy())
      client.on('close', () => upstream.destroy())
    } catch (error) {
      const status = statusOf(error)
      client.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n\r\n${errorLine(error)}\n`)
    }
  }

  async #forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const target = parseTarget(incoming.url ?? '')
    const refuse = (error: unknown) => {
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(statusOf(error), { connection: 'close' }).end(`${errorLine(error)}\n`)
    }
    try {
      if (target?.protocol !== 'http:') throw new NotPermitted('only http:// and CONNECT')
      const upstream = await this.#connect(target.hostname, Number(target.port || 80))
      const kept = Object.entries(incoming.headers).filter(([name]) => !HOP_HEADERS.has(name))
      const headers = { ...Object.fromEntries(kept), host: target.host }
      const path = `${target.pathname}${target.search}`
      const onward = request({ createConnection: () => upstream, method: incoming.method, path, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', refuse)
      incoming.pipe(onward)
    } catch (error) {
      refuse(error)
    }
  }

  /** Throws a sentence for the command that asked. */
  async #connect(name: string, port: number): Promise<Socket> {
    const host = plainHost(name)
    const address = await this.#permit(host).catch((error: unknown) => {
      this.#tell(`refused ${host}:${port}: ${errorLine(error)}`, { host, port })
      throw error
    })
    this.#tell(`connects to ${host}:${port}`, { host, port, address })
    const socket = connect({ host: address, port, timeout: CONNECT_TIMEOUT_MS })
    this.#keep(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
      socket.once('timeout', () => reject(new Error(`${host} does not answer`)))
      socket.once('close', () => reject(new Error(`${host} closed the connection`)))
    }).catch((error: unknown) => {
      socket.destroy()
      throw error
    })
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
    return socket
  }

  /** The address to connect to: resolved once, so that a second answer cannot differ from the one that was judged. */
  async #permit(host: string): Promise<string> {
    const { allowedHosts, planHosts, resolve = resolveName, privateAddresses = [] } = this.#options
    const isNamed = planHosts.some((pattern) => matches(pattern, host))
    const isAllowed = !allowedHosts?.length || allowedHosts.some((pattern) => matches(pattern, host))
    if (!isNamed || !isAllowed) throw new NotPermitted(`${host} is not among the hosts that were approved`)
    const addresses = await resolve(host)
    const forbidden = addresses.find((address) => !privateAddresses.includes(address) && !isPublic(address))
    const [first] = addresses
    if (forbidden !== undefined) throw new NotPermitted(`${host} leads to ${forbidden}, which is not a public address`)
    if (first === undefined) throw new Error(`${host} has no address`)
    return first
  }

  /** Once for each host and outcome: a loop in a task must not fill the program's log. */
  #tell(what: string, fields: object): void {
    if (this.#told.has(what) || this.#told.size > MAX_CONNECTIONS) return
    this.#told.add(what)
    const { logger, taskId } = this.#options
    logger.info({ taskId, ...fields }, `[TASK ${taskId}] network: ${what}`)
  }

  #keep(stream: Duplex): void {
    this.#open.add(stream)
    stream.on('error', () => stream.destroy())
    stream.once('close', () => this.#open.delete(stream))
  }
}

class NotPermitted extends Error {}

/** A person who reads what the command said learns whether we refused it, or the host cannot be reached. */
function statusOf(error: unknown): 403 | 502 {
  return error instanceof NotPermitted ? 403 : 502
}

/** Public unicast and none of this machine's own addresses. */
export function isPublic(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text)
  if (address.range() !== 'unicast') return false
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  return !own.some(
    (entry) => ipaddr.isValid(entry.address) && ipaddr.process(entry.address).toString() === address.toString(),
  )
}

/** `example.org` for itself, `*.example.org` for every name below it. */
export function matches(pattern: string, host: string): boolean {
  const wanted = plainHost(pattern)
  return wanted.startsWith('*.') ? host.endsWith(wanted.slice(1)) && host.length > wanted.length - 1 : host === wanted
}

function plainHost(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1')
}

function parseTarget(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

async function resolveName(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true })
  return found.map(({ address }) => address)
}
