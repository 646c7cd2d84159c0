import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { isPublic, matches, type NetworkOptions } from '../../src/sandbox/network-proxy.ts'
import { approved, taskBench } from './task-bench.ts'

const server = createServer((_request, response) => response.end('from outside\n'))
let port = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  port = typeof address === 'object' ? (address?.port ?? 0) : 0
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

function bench(network: Partial<NetworkOptions> = {}) {
  return taskBench((options) =>
    createBubblewrapSandbox({
      ...options,
      network: { allowedHosts: null, privateAddresses: ['127.0.0.1'], resolve: async () => ['127.0.0.1'], ...network },
    }),
  )
}

const fetchBy = (host: string) => `perl -MIO::Socket::INET -e '
  my ($proxy) = $ENV{http_proxy} =~ m{//(.*)} or exit 9;
  my $s = IO::Socket::INET->new(PeerAddr => $proxy) or exit 8;
  print $s "GET http://${host}:${port}/ HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n";
  local $/; my $all = <$s>; print $all =~ /200 OK/ ? "ok " : "refused ", $all =~ /\\r\\n\\r\\n(.*)/s'`
const connectBy = (host: string) => `perl -MIO::Socket::INET -e '
  my ($proxy) = $ENV{https_proxy} =~ m{//(.*)} or exit 9;
  my $s = IO::Socket::INET->new(PeerAddr => $proxy) or exit 8;
  print $s "CONNECT ${host}:${port} HTTP/1.1\\r\\nHost: ${host}\\r\\n\\r\\n";
  my $answer = <$s>; print $answer =~ / 200 / ? "ok " : "refused "; <$s>;
  print $s "GET / HTTP/1.0\\r\\n\\r\\n"; local $/; my $all = <$s>; print $all =~ /from outside/ ? "reached" : ""'`

function socketsOf(pid: string): string[] {
  const links = readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`))
  return links.filter((link) => link.startsWith('socket:'))
}

describe('the network of a task whose plan was approved with it', () => {
  it('reaches a named host through the proxy, and the log names it', async () => {
    await using tried = bench()
    const network = { reason: 'test', hosts: ['example.org', '*.example.net'] }
    const { outputs } = await tried.run([fetchBy('example.org'), connectBy('a.example.net')], { network })
    expect(outputs[0]).toMatch(/^ok .*from outside/s)
    expect(outputs[1]).toBe('ok reached')
    const told = tried.logger.lines.map(({ message }) => message)
    expect(told.some((line) => line.endsWith(`network: connects to example.org:${port}`))).toBe(true)
    expect(told.some((line) => line.endsWith(`network: connects to a.example.net:${port}`))).toBe(true)
  })

  it('is had by a plan whose sandbox was started before there was a plan', async () => {
    await using tried = bench()
    const network = { reason: 'test', hosts: ['example.org'] }
    await using empty = tried.sandbox.start(tried.task)
    tried.adopt(empty.open(approved(['true'], network)))
    const { outputs } = await tried.run([fetchBy('example.org')], { network })
    expect(outputs[0]).toMatch(/^ok .*from outside/s)
    await tried.dispose()
    expect(tried.survivors()).toEqual([])
  })

  it('does not reach a host that the plan does not name', async () => {
    await using tried = bench()
    const { outputs } = await tried.run([fetchBy('example.com'), connectBy('evil-example.org')], {
      network: { reason: 'test', hosts: ['example.org'] },
    })
    expect(outputs[0]).toMatch(/^refused .*not among the hosts that were approved/s)
    expect(outputs[1]).toMatch(/^refused /)
  })

  it('says of a host that has no address something else than of one that is refused', async () => {
    const resolve = () => Promise.reject(new Error('getaddrinfo ENOTFOUND example.org'))
    await using tried = bench({ resolve })
    const status = (host: string) => fetchBy(host).replace('/200 OK/ ? "ok " : "refused "', '/ (\\d+) / ? "$1 " : ""')
    const network = { reason: 'test', hosts: ['example.org'] }
    const { outputs } = await tried.run([status('example.org'), status('example.com')], { network })
    expect(outputs[0]).toMatch(/^502 .*ENOTFOUND/s)
    expect(outputs[1]).toMatch(/^403 .*not among the hosts/s)
  })

  it("does not reach a named host that the operator's list leaves out", async () => {
    await using tried = bench({ allowedHosts: ['example.net'] })
    const { outputs } = await tried.run([fetchBy('example.org')], {
      network: { reason: 'test', hosts: ['example.org'] },
    })
    expect(outputs[0]).toMatch(/^refused /)
  })

  it('does not reach this machine or its neighbours by a name that leads there', async () => {
    for (const address of [
      '127.0.0.1',
      '::1',
      '10.1.2.3',
      '169.254.169.254',
      '192.168.1.1',
      '::ffff:127.0.0.1',
      '0.0.0.0',
    ]) {
      await using tried = bench({ privateAddresses: [], resolve: async () => [address] })
      const { outputs } = await tried.run([fetchBy('example.org')], {
        network: { reason: 'test', hosts: ['example.org'] },
      })
      expect(outputs[0], address).toMatch(/^refused .*not a public address/s)
    }
  })

  it.runIf(process.getuid?.() === 0)('has a relay that holds none of the sockets of the supervisor', async () => {
    await using tried = bench()
    await tried.run(['true'], { network: { reason: 'test', hosts: ['example.org'] } })
    const relay = /^(\d+) socat /m.exec(tried.survivors().join('\n'))?.[1] ?? ''
    const supervisor = /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${relay}/status`, 'utf8'))?.[1] ?? ''
    const held = socketsOf(supervisor)
    expect(held).not.toEqual([])
    expect(socketsOf(relay).filter((socket) => held.includes(socket))).toEqual([])
  })

  it('has no way out but the proxy, and leaves nothing behind', async () => {
    await using tried = bench()
    const direct = `timeout 2 bash -c 'exec 5<>/dev/tcp/127.0.0.1/${port}' 2>/dev/null && echo OPEN; cut -d: -f1 -s /proc/net/dev | tr -d ' '`
    const { outputs } = await tried.run([direct], { network: { reason: 'test', hosts: ['example.org'] } })
    expect(outputs[0]).toBe('lo\n')
    await tried.dispose()
    expect(tried.survivors()).toEqual([])
  })
})

describe('what may be connected to', () => {
  it.each([
    '127.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '169.254.1.1',
    '224.0.0.1',
    '255.255.255.255',
    '100.64.0.1',
    '::1',
    'fe80::1',
    'fd00::1',
    'ff02::1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    'nonsense',
  ])('%s is not public', (address) => {
    expect(isPublic(address)).toBe(false)
  })
  it.each(['1.1.1.1', '8.8.8.8', '2606:4700:4700::1111'])('%s is public', (address) => {
    expect(isPublic(address)).toBe(true)
  })
  it.each([
    ['example.org', 'example.org', true],
    ['Example.ORG.', 'example.org', true],
    ['example.org', 'a.example.org', false],
    ['*.example.org', 'a.example.org', true],
    ['*.example.org', 'example.org', false],
    ['*.example.org', 'evilexample.org', false],
  ])('the pattern %s and the host %s: %s', (pattern, host, expected) => {
    expect(matches(pattern, host)).toBe(expected)
  })
})
