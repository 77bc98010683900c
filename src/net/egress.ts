import { lookup } from 'node:dns/promises'
import {
  type Allowance,
  allowancesOf,
  bareHost,
  isAddress,
  isAllowed,
  isNamed,
  isPublicAddress,
  normalHost,
} from './addresses.ts'
import { directFetch } from './direct.ts'
import { OwnAddresses } from './own-addresses.ts'
import { type Proxies, proxyFor } from './proxies.ts'

/** Why Weir doesn't go to a place: it must not, or the place isn't known. */
export type EgressErrorCode = 'not_allowed' | 'host_unknown'

/** A place that Weir doesn't go to: an expected outcome, with a sentence for whoever named the place. */
export class EgressError extends Error {
  override readonly name = 'EgressError'
  constructor(
    readonly code: EgressErrorCode,
    message: string,
  ) {
    super(message)
  }
}

/** The addresses of a host, in any order. @throws what it wants for a host that has none */
export type Lookup = (host: string) => Promise<string[]>
export type EgressFetch = (
  url: string,
  init: RequestInit & { decompress?: boolean; proxy?: string },
) => Promise<Response>

export interface EgressDeps {
  /** ALLOW_HOSTS: what may be reached beside the public Internet. */
  allowHosts: readonly string[]
  /** Whether everything may be reached: only who is on this machine can ask for it. */
  isOpen: boolean
  /** What requests leave through. Left out: they go directly. */
  proxies?: Proxies | undefined
  /** What this machine has; read where not everything may be reached. */
  own?: Pick<OwnAddresses, 'has'>
  lookup?: Lookup
  fetch?: EgressFetch
}

/** Addresses of one host that are tried, one after the other, where the one before doesn't answer. */
const MAX_ADDRESSES = 3
const NO_CONNECTION = new Set(['ConnectionRefused', 'FailedToOpenSocket', 'ECONNREFUSED', 'ENETUNREACH'])

/**
 * The way out, for every place that somebody named. A host is resolved once, its addresses are checked, and the
 * connection is made to an address that was: a name that changes its mind in between changes nothing.
 */
export class Egress {
  readonly #deps: EgressDeps
  readonly #allowances: readonly Allowance[]
  /** Whether everything may be reached. */
  readonly isOpen: boolean
  readonly #own: Pick<OwnAddresses, 'has'> | undefined
  readonly #lookup: Lookup
  readonly #fetch: EgressFetch

  constructor(deps: EgressDeps) {
    const { allowHosts, isOpen, lookup = lookupAll, fetch = directFetch } = deps
    this.#own = isOpen ? undefined : (deps.own ?? new OwnAddresses())
    this.#deps = { ...deps, ...(this.#own && { own: this.#own }) }
    this.#allowances = allowancesOf(allowHosts)
    this.isOpen = isOpen
    this.#lookup = lookup
    this.#fetch = fetch
  }

  /**
   * The way out for who may reach one more place, which the operator alone named, and directly: no other part may go there.
   */
  allowing(url: string): Egress {
    const { host, port } = placeOf(url)
    const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
    return new Egress({ ...this.#deps, proxies: undefined, allowHosts: [...this.#deps.allowHosts, place] })
  }

  /**
   * Says whether a URL may be asked, without asking it.
   * @throws EgressError
   */
  async check(url: string, signal?: AbortSignal): Promise<void> {
    const place = placeOf(url)
    if (this.#proxyFor(place) === undefined) await this.resolve(place.host, place.port, signal)
    else await this.#checkBeyond(place, signal)
  }

  /**
   * The addresses of a host that may be connected to, at least one.
   * @throws EgressError; the signal's reason when it is aborted
   */
  async resolve(name: string, port: number, signal?: AbortSignal): Promise<string[]> {
    const host = normalHost(name)
    if (host === undefined)
      throw new EgressError('host_unknown', `"${name.slice(0, 200)}" isn't a valid host.`)
    const addresses = isAddress(host) ? [host] : await this.#addressesOf(host, signal)
    const allowed = addresses.filter((address) => this.#mayReach(host, port, address))
    if (allowed.length > 0) return allowed
    throw new EgressError(
      'not_allowed',
      `${host} leads to a private or local address, and this Weir can be reached from the network. To allow it, add ${host} to ALLOW_HOSTS.`,
    )
  }

  /**
   * As the global `fetch`, to places that may be reached. Redirects aren't followed: whoever follows one calls again,
   * and its target is checked like any other. The response's `url` may show an address in the place of the host.
   * @throws EgressError
   */
  readonly fetch: EgressFetch = async (text, init) => {
    const place = placeOf(text)
    const { url, host, port } = place
    const manual = { ...init, redirect: 'manual' as const }
    const proxy = this.#proxyFor(place)
    if (proxy !== undefined) return this.#through(proxy, place, manual)
    if (this.isOpen) return this.#fetch(url.href, manual)
    const addresses = (await this.resolve(host, port, init.signal ?? undefined)).slice(0, MAX_ADDRESSES)
    for (const [index, address] of addresses.entries()) {
      try {
        return await this.#fetch(...pinned(url, address, manual))
      } catch (error) {
        const isLast = index === addresses.length - 1
        if (isLast || !NO_CONNECTION.has((error as { code?: string }).code ?? '')) throw error
      }
    }
    throw new EgressError('host_unknown', `The host ${host} doesn't resolve to an address.`)
  }

  #proxyFor({ url }: Place): string | undefined {
    return this.#deps.proxies && proxyFor(url, this.#deps.proxies)
  }

  async #through(proxy: string, place: Place, init: Parameters<EgressFetch>[1]): Promise<Response> {
    await this.#checkBeyond(place, init.signal ?? undefined)
    try {
      return await this.#fetch(place.url.href, { ...init, proxy })
    } catch (error) {
      throw atProxy(error, proxy)
    }
  }

  /**
   * Says whether a proxy may be asked for a place. It looks the host up once more, which can't be checked: so the host must
   * be one that may be reached as it is known here, and one that isn't known here has to be named by the operator.
   */
  async #checkBeyond({ host, port }: Place, signal: AbortSignal | undefined): Promise<void> {
    if (this.isOpen || isNamed(this.#allowances, { host, port })) return
    await this.resolve(host, port, signal).catch((error: unknown) => {
      throw error instanceof EgressError && error.code === 'host_unknown' ? unknownHere(host) : error
    })
  }

  #mayReach(host: string, port: number, address: string): boolean {
    if (this.isOpen || (isPublicAddress(address) && !this.#own?.has(address))) return true
    return isAllowed(this.#allowances, { host, port, address })
  }

  async #addressesOf(host: string, signal: AbortSignal | undefined): Promise<string[]> {
    signal?.throwIfAborted()
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    try {
      const found = await Promise.race([this.#lookup(host).catch(() => []), aborted])
      if (found.length > 0) return found
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
    throw new EgressError('host_unknown', `Can't resolve the host ${host}.`)
  }
}

interface Place {
  url: URL
  host: string
  port: number
}

/** Where a URL leads. @throws EgressError for what no request is ever sent to */
function placeOf(text: string): Place {
  const url = URL.parse(text)
  if (url === null) throw new EgressError('host_unknown', "This isn't a URL.")
  const { protocol, username, password } = url
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new EgressError(
      'not_allowed',
      `Unsupported URL scheme: ${protocol.slice(0, -1)}. Use http or https.`,
    )
  }
  if (username !== '' || password !== '') {
    throw new EgressError('not_allowed', 'A URL must not contain credentials.')
  }
  return { url, host: bareHost(url.hostname), port: Number(url.port) || (protocol === 'https:' ? 443 : 80) }
}

function unknownHere(host: string): EgressError {
  return new EgressError(
    'host_unknown',
    `Can't resolve the host ${host} here, but the proxy may. To request it through the proxy, add ${host} to ALLOW_HOSTS.`,
  )
}

/** Names the proxy in a connection error: that is the first thing to check. */
function atProxy(error: unknown, proxy: string): unknown {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !(error instanceof Error)) return error
  return Object.assign(new Error(error.message, { cause: error }), {
    name: error.name,
    code: `${code}, through the proxy ${new URL(proxy).host}`,
  })
}

/** A request to one address of the host, which is asked for, and has to prove itself, by its name. */
function pinned(url: URL, address: string, init: Parameters<EgressFetch>[1]): Parameters<EgressFetch> {
  if (bareHost(url.hostname) === address) return [url.href, init]
  const at = new URL(url)
  at.hostname = address.includes(':') ? `[${address}]` : address
  const headers = new Headers(init.headers)
  headers.set('Host', url.host)
  // A connection that is kept for another host at the same address has proved that one's name.
  const options = { ...init, headers, keepalive: false, tls: { serverName: bareHost(url.hostname) } }
  return [at.href, options]
}

/** IPv4 first: a host's IPv6 addresses lead nowhere from networks without it, and say so late. */
async function lookupAll(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true })
  return found.sort((a, b) => a.family - b.family).map(({ address }) => address)
}
