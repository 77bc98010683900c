import type { Server } from 'bun'
import ipaddr from 'ipaddr.js'

/** Addresses, and ranges of them such as `10.0.0.0/8`. */
type Ranges = readonly string[]
type Address = ReturnType<typeof ipaddr.parse>

/** Hops of X-Forwarded-For that are read, from the last: no Weir is behind more proxies than that. */
const MAX_HOPS = 16
/**
 * IPv6 prefix that a provider assigns to one customer, in bits (RFC 6177): a client with one of its addresses has all
 * of them.
 */
const IPV6_SITE_BITS = 64

const addresses = new WeakMap<Request, string>()

/** The client address of a request, as {@link noteAddress} found it; undefined in a program that serves no sockets. */
export function clientAddressOf(request: Request): string | undefined {
  return addresses.get(request)
}

/** Determines the client address of a request. Call it once, before anything reads it. */
export function noteAddress(
  request: Request,
  server: Pick<Server<unknown>, 'requestIP'> | null,
  proxies: Ranges,
): void {
  const peer = server?.requestIP(request)?.address
  if (peer === undefined) return
  const header = proxies.length === 0 ? null : request.headers.get('x-forwarded-for')
  addresses.set(request, header === null ? plain(peer) : behind(peer, header, proxies))
}

/** The address that limits count by: for IPv6, the site's prefix. */
export function siteOf(address: string): string {
  const parsed = parse(address)
  if (parsed === undefined || parsed.kind() === 'ipv4') return address
  return ipaddr.IPv6.networkAddressFromCIDR(`${address}/${IPV6_SITE_BITS}`).toString()
}

/** The last hop that isn't a trusted proxy: everything before it can be forged. */
function behind(peer: string, header: string, proxies: Ranges): string {
  let address = plain(peer)
  for (const hop of header.split(',').slice(-MAX_HOPS).reverse()) {
    const parsed = parse(hop.trim())
    if (parsed === undefined || !isAmong(address, proxies)) break
    address = parsed.toString()
  }
  return address
}

function isAmong(address: string, ranges: Ranges): boolean {
  const parsed = parse(address)
  if (parsed === undefined) return false
  return ranges.some((range) => {
    const [network, bits] = ipaddr.parseCIDR(range.includes('/') ? range : `${range}/${bitsOf(range)}`)
    return network.kind() === parsed.kind() && parsed.match(network, bits)
  })
}

function bitsOf(address: string): number {
  return ipaddr.IPv6.isValid(address) ? 128 : 32
}

function plain(address: string): string {
  return parse(address)?.toString() ?? address
}

/** An IPv4-mapped IPv6 address is treated as IPv4. */
function parse(address: string): Address | undefined {
  const bare = address.replace(/%.*$/, '')
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : undefined
}
