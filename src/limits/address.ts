import type { Server } from 'bun'
import ipaddr from 'ipaddr.js'

/** Addresses, and ranges of them such as `10.0.0.0/8`. */
type Ranges = readonly string[]
type Address = ReturnType<typeof ipaddr.parse>

/** Hops of X-Forwarded-For that are looked at, from the last: more proxies than that stand before no Weir. */
const MAX_HOPS = 16
/** What one customer of a provider is given of IPv6, in bits (RFC 6177): whoever has one address of it has all. */
const IPV6_SITE_BITS = 64

const addresses = new WeakMap<Request, string>()

/** Where a request comes from, as {@link noteAddress} found it; undefined in a program that serves no sockets. */
export function addressOf(request: Request): string | undefined {
  return addresses.get(request)
}

/** Finds out where a request comes from. To be called once, before anybody asks. */
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

/** An address as it is counted by: of IPv6 the site's part. */
export function siteOf(address: string): string {
  const parsed = parse(address)
  if (parsed === undefined || parsed.kind() === 'ipv4') return address
  return ipaddr.IPv6.networkAddressFromCIDR(`${address}/${IPV6_SITE_BITS}`).toString()
}

/** The last hop that is no proxy of ours: all before it is what a stranger says. */
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

/** An IPv4 address that came mapped into IPv6 is taken for what it is. */
function parse(address: string): Address | undefined {
  const bare = address.replace(/%.*$/, '')
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : undefined
}
