import ipaddr from 'ipaddr.js'

/** One entry of ALLOW_HOSTS: a host, a host at a port, an address, or a range of addresses. */
export interface Allowance {
  /** As in URLs: lower case, IPv6 without brackets. */
  host?: string
  port?: number
  range?: AddressRange
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
/** An address, and the length of the prefix that all addresses in the range share, in bits. */
export type AddressRange = readonly [Address, number]

/**
 * Cloud metadata addresses that aren't link-local: those of Azure (which looks public), Oracle and Alibaba, and the
 * IPv6 ones of AWS and Google.
 * @see https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
 */
const METADATA = new Set(['168.63.129.16', '192.0.0.192', '100.100.100.200', 'fd00:ec2::254', 'fd20:ce::254'])
/** No useful service has one of these. */
const NO_PLACE = new Set(['linkLocal', 'unspecified', 'multicast', 'broadcast'])
/**
 * IPv6 addresses whose last four bytes are an IPv4 address.
 * @see https://www.rfc-editor.org/rfc/rfc6052
 */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96')
/**
 * Start of the last 8 bytes of an IPv6 address that ends in an IPv4 address.
 * @see https://www.rfc-editor.org/rfc/rfc5214
 */
const ISATAP = [0x00, 0x00, 0x5e, 0xfe]
/**
 * All of IPv6 that is allocated for the Internet.
 * @see https://www.iana.org/assignments/ipv6-address-space
 */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')

/**
 * Whether an address is on the public Internet: not private, loopback, link-local, shared, multicast, reserved or
 * unspecified, nor one of those embedded in IPv6. False for anything that isn't an address.
 */
export function isPublicAddress(text: string): boolean {
  const address = addressOf(text)
  if (address === undefined || address.range() !== 'unicast' || METADATA.has(address.toString())) return false
  return address.kind() === 'ipv4' || isWithin(address, GLOBAL_UNICAST)
}

/** Parses ALLOW_HOSTS, whose syntax has been checked. */
export function allowancesOf(entries: readonly string[]): Allowance[] {
  return entries.map((entry) => {
    if (ipaddr.isValidCIDR(entry)) return { range: ipaddr.parseCIDR(entry) }
    const { hostname, port } = new URL(`http://${ipaddr.IPv6.isValid(entry) ? `[${entry}]` : entry}`)
    // URLs omit the default port of their scheme.
    const isPort80 = port === '' && /:80$/.test(entry) && !ipaddr.IPv6.isValid(entry)
    return { host: bareHost(hostname), ...((port !== '' || isPort80) && { port: Number(port || 80) }) }
  })
}

/**
 * Whether an allowance covers the host or its address. A named host may have any address except cloud metadata and
 * addresses that can't be a destination, because the operator doesn't control what the name resolves to.
 */
export function isAllowed(
  allowances: readonly Allowance[],
  { host, port, address }: { host: string; port: number; address: string },
): boolean {
  const known = addressOf(address)
  if (known === undefined) return false
  const isByName = !METADATA.has(known.toString()) && !NO_PLACE.has(known.range())
  return allowances.some((allowance) => {
    if (allowance.port !== undefined && allowance.port !== port) return false
    if (allowance.range !== undefined) return isWithin(known, allowance.range)
    const named = addressOf(allowance.host ?? '')
    return named === undefined ? isByName && allowance.host === host : named.toString() === known.toString()
  })
}

/** Whether an allowance names the host itself, whatever its address. */
export function isNamed(
  allowances: readonly Allowance[],
  { host, port }: { host: string; port: number },
): boolean {
  return allowances.some((each) => each.host === host && (each.port === undefined || each.port === port))
}

/** A CIDR range, or a single address; undefined for anything else, such as a name. */
export function rangeOf(text: string): AddressRange | undefined {
  if (ipaddr.isValidCIDR(text)) return unmapped(ipaddr.parseCIDR(text))
  const address =
    ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text) ? addressOf(text) : undefined
  return address === undefined ? undefined : [address, address.kind() === 'ipv4' ? 32 : 128]
}

/** Whether an address, in any notation, is in a range; false for names. */
export function isWithinRange(text: string, range: AddressRange): boolean {
  const address = addressOf(text)
  return address !== undefined && isWithin(address, range)
}

/** Whether a host is this machine: loopback, or the unspecified address, which leads there too. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  const range = addressOf(host)?.range()
  return range === 'loopback' || range === 'unspecified'
}

/**
 * The canonical form of a host, as in URLs: `0x7f.1`, `017700000001` and `2130706433` are 127.0.0.1.
 * @returns undefined for an invalid host
 */
export function normalHost(text: string): string | undefined {
  const inUrl = `http://${ipaddr.IPv6.isValid(text) ? `[${text}]` : text}/`
  if (/[/?#@\\\s]/.test(text) || !URL.canParse(inUrl)) return undefined
  const { hostname, port } = new URL(inUrl)
  return port === '' && hostname !== '' ? bareHost(hostname) : undefined
}

/** A URL's host without the brackets of IPv6. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
}

/** Whether a host is an address, which needs no lookup. */
export function isAddress(host: string): boolean {
  return ipaddr.isValid(host)
}

/** An address; IPv4 embedded in IPv6 (mapped, compatible, translated, ISATAP) is returned as IPv4. */
function addressOf(text: string): Address | undefined {
  if (!ipaddr.isValid(text)) return undefined
  const address = ipaddr.process(text.replace(/%.*$/, ''))
  if (address.kind() === 'ipv4') return address
  const bytes = address.toByteArray()
  const isCompatible = bytes.slice(0, 12).every((byte) => byte === 0) && (bytes[12] ?? 0) > 0
  const isIsatap = ISATAP.every(
    (byte, index) => byte === ((bytes[8 + index] ?? 0) & (index === 0 ? 0xfd : 0xff)),
  )
  return isWithin(address, NAT64) || isCompatible || isIsatap
    ? ipaddr.fromByteArray(bytes.slice(12))
    : address
}

/** An IPv4 range embedded in IPv6, as an IPv4 range. */
function unmapped([base, bits]: AddressRange): AddressRange {
  const isMapped = base.kind() === 'ipv6' && (base as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96
  return isMapped ? [(base as ipaddr.IPv6).toIPv4Address(), bits - 96] : [base, bits]
}

function isWithin(address: Address, [base, bits]: AddressRange): boolean {
  if (address.kind() !== base.kind()) return false
  return address.match(base as ipaddr.IPv4 & ipaddr.IPv6, bits)
}
