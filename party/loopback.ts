import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Whether what is sent to a host, as an address or as a URL names it, stays on this machine. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const version = isIP(bare)
  return bare === 'localhost' || (version !== 0 && loopback.check(bare, version === 6 ? 'ipv6' : 'ipv4'))
}

/** Whether requests to a URL could be read on the way. */
export function isReadable(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol !== 'https:' && !isLoopback(hostname)
}
