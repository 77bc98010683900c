import { lookup } from 'node:dns/promises'
import type { Socket } from 'node:net'
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
import { Certificates, type TlsOptions } from './certificates.ts'
import { directFetch, hasEmptySegment } from './direct.ts'
import { fetchOverSocket, isForSocket } from './http1/socket-fetch.ts'
import { KeptConnections } from './kept-connections.ts'
import { OwnAddresses } from './own-addresses.ts'
import { type Proxies, proxyFor } from './proxies.ts'
import type { SentRequest } from './request-bytes.ts'
import { openSocket, openTunnel, type SocketOptions } from './sockets.ts'

/** Why Weir doesn't connect: the destination isn't allowed, or doesn't resolve. */
export type EgressErrorCode = 'not_allowed' | 'host_unknown'

/** A destination that Weir doesn't connect to: an expected outcome, with a message for the user who named it. */
export class EgressError extends Error {
  override readonly name = 'EgressError'
  constructor(
    readonly code: EgressErrorCode,
    message: string,
  ) {
    super(message)
  }
}

/**
 * The addresses of a host, in any order.
 * @throws any error for a host without addresses
 */
export type Lookup = (host: string) => Promise<string[]>
type Init = BunFetchRequestInit & {
  decompress?: boolean
  proxy?: string
  /** Called with each request that differs from the given one, before it is sent. */
  onSend?(url: string, init: SentRequest): void
}
export type EgressFetch = (url: string, init: Init) => Promise<Response>

/** Opens a socket to the host of a WebSocket's URL. */
export type EgressConnect = (url: string, options: SocketOptions) => Promise<Socket>

export interface EgressDeps {
  /** ALLOW_HOSTS: destinations that are allowed in addition to the public Internet. */
  allowHosts: readonly string[]
  /** Whether every destination is allowed, because only this machine can send requests. */
  isOpen: boolean
  /** The proxies for requests. Omitted: connects directly. */
  proxies?: Proxies | undefined
  /** This machine's own addresses; read unless every destination is allowed. */
  own?: Pick<OwnAddresses, 'has'>
  lookup?: Lookup
  fetch?: EgressFetch
  /** The certificates of TLS connections, for all that share this egress. */
  certificates?: Certificates
}

/** Addresses of a host that are tried in turn if one doesn't respond. */
const MAX_ADDRESSES = 3
/** Errors of the runtime for heads that it can't parse; some are readable nevertheless. */
const UNREADABLE: ReadonlySet<string> = new Set(['Malformed_HTTP_Response', 'InvalidContentLength'])
const NO_CONNECTION = new Set(['ConnectionRefused', 'FailedToOpenSocket', 'ECONNREFUSED', 'ENETUNREACH'])

/**
 * Makes every outgoing connection to a destination that a user named. A host is resolved once, its addresses are
 * checked, and the connection goes to a checked address: a name that changes in between has no effect.
 */
export class Egress {
  readonly #deps: EgressDeps
  readonly #allowances: readonly Allowance[]
  /** Whether every destination is allowed. */
  readonly isOpen: boolean
  readonly #own: Pick<OwnAddresses, 'has'> | undefined
  readonly #lookup: Lookup
  readonly #fetch: EgressFetch
  /** Omitted if another `fetch` is given. */
  readonly #overSocket: EgressFetch | undefined
  /** The certificates that hosts presented. */
  readonly certificates: Certificates
  readonly #kept = new KeptConnections()

  constructor(deps: EgressDeps) {
    const { allowHosts, isOpen, lookup = lookupAll, fetch = directFetch, certificates } = deps
    this.#overSocket =
      deps.fetch === undefined ? fetchOverSocket((url, options) => this.connect(url, options)) : undefined
    this.#own = isOpen ? undefined : (deps.own ?? new OwnAddresses())
    this.#deps = { ...deps, ...(this.#own && { own: this.#own }) }
    this.#allowances = allowancesOf(allowHosts)
    this.isOpen = isOpen
    this.#lookup = lookup
    this.#fetch = fetch
    this.certificates = certificates ?? new Certificates()
  }

  /**
   * An egress that also allows one more destination, directly: one that only the operator can set. No other part of
   * Weir may use it.
   */
  allowing(url: string): Egress {
    const { host, port } = placeOf(url)
    const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
    return new Egress({
      ...this.#deps,
      certificates: this.certificates,
      proxies: undefined,
      allowHosts: [...this.#deps.allowHosts, place],
    })
  }

  /**
   * Checks whether a URL is allowed, without requesting it.
   * @throws EgressError
   */
  async check(url: string, signal?: AbortSignal): Promise<void> {
    const place = placeOf(httpUrl(url))
    if (this.#proxyFor(place) === undefined) await this.resolve(place.host, place.port, signal)
    else await this.#checkBeyond(place, signal)
  }

  /**
   * The allowed addresses of a host, at least one.
   * @throws EgressError; the signal's reason if it is aborted
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
      `${host} resolves to a private or local address, and Weir is reachable from the network. To allow it, add ${host} to ALLOW_HOSTS.`,
    )
  }

  /** Whether a request to the URL may be sent on a connection that an earlier one left open. */
  mayBeKept(url: string): boolean {
    return this.#kept.mayBeKept(url)
  }

  /**
   * Like the global `fetch`, but only to allowed destinations. Redirects aren't followed: the caller requests their
   * target, which is checked like any other. The response's `url` may contain an address instead of the host.
   *
   * A request that shares no connection is sent on a socket of its own; so is one whose answer the runtime can't read, once
   * more, if that is safe.
   * @throws EgressError
   */
  readonly fetch: EgressFetch = async (text, init) => {
    const place = placeOf(text)
    const proxy = this.#proxyFor(place)
    const overSocket = proxy === undefined && isForSocket(init) ? this.#overSocket : undefined
    if (overSocket !== undefined && (init.keepalive === false || hasEmptySegment(text)))
      return overSocket(text, init)
    try {
      return await this.#fetchByRuntime(place, proxy, init)
    } catch (error) {
      const { code = '' } = error as { code?: string }
      if (overSocket === undefined || !UNREADABLE.has(code) || !isSafe(init)) throw error
      return overSocket(text, { ...init, keepalive: false })
    }
  }

  async #fetchByRuntime(place: Place, proxy: string | undefined, init: Init): Promise<Response> {
    const { url, host, port } = place
    const manual = { ...init, redirect: 'manual' as const }
    if (proxy !== undefined) return this.#through(proxy, place, manual)
    if (this.isOpen) return this.#keeping(url, manual)
    const addresses = (await this.resolve(host, port, init.signal ?? undefined)).slice(0, MAX_ADDRESSES)
    const tls = this.certificates.watch(url, false)
    for (const [index, address] of addresses.entries()) {
      try {
        const [at, options] = pinned(url, address, withTls(manual, tls))
        init.onSend?.(at, options as SentRequest)
        const response = await this.#fetch(at, options)
        if (options.keepalive !== false) this.#kept.used(url.href, response)
        return response
      } catch (error) {
        const isLast = index === addresses.length - 1
        if (isLast || !NO_CONNECTION.has((error as { code?: string }).code ?? '')) throw error
      }
    }
    throw new EgressError('host_unknown', `The host ${host} doesn't resolve to an address.`)
  }

  /**
   * A socket to the host of a `ws:` or `wss:` URL, under the same rules as {@link fetch}: resolved once, checked, and
   * opened to a checked address, or through the proxy.
   * @throws EgressError
   */
  readonly connect: EgressConnect = async (text, { signal, tls }) => {
    const place = placeOf(httpUrl(text))
    const { url, host, port } = place
    const target = { host, port, isSecure: url.protocol === 'https:' }
    const options = { signal, tls: { ...tls, ...this.certificates.watch(url, false) } }
    const proxy = this.#proxyFor(place)
    if (proxy !== undefined) {
      await this.#checkBeyond(place, signal)
      return openTunnel(target, proxy, options).catch((error: unknown) => {
        throw atProxy(error, proxy)
      })
    }
    const addresses = (await this.resolve(host, port, signal)).slice(0, MAX_ADDRESSES)
    for (const [index, address] of addresses.entries()) {
      try {
        return await openSocket(target, address, options)
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
      return await this.#keeping(place.url, { ...init, proxy })
    } catch (error) {
      throw atProxy(error, proxy)
    }
  }

  /** A request whose connection other requests may have used before, and may use after it. */
  async #keeping(url: URL, init: Init): Promise<Response> {
    const isKept = init.keepalive !== false
    const response = await this.#fetch(url.href, withTls(init, this.certificates.watch(url, isKept)))
    if (isKept) this.#kept.used(url.href, response)
    return response
  }

  /**
   * Checks whether a proxy may be asked for a destination. The proxy resolves the host itself, which can't be
   * checked, so the host must be allowed by what it resolves to here; a host that doesn't resolve here must be named
   * by the operator.
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

/** Whether a request may be sent twice. @see https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1 */
function isSafe({ method = 'GET' }: Init): boolean {
  return method === 'GET' || method === 'HEAD'
}

interface Place {
  url: URL
  host: string
  port: number
}

/**
 * The destination of a URL.
 * @throws EgressError for one that is never allowed
 */
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

/** The URL of a WebSocket as that of the HTTP request that opens it; any other URL as it is. */
function httpUrl(text: string): string {
  const url = URL.parse(text)
  if (url?.protocol !== 'ws:' && url?.protocol !== 'wss:') return text
  return url.href.replace(/^ws/, 'http')
}

function unknownHere(host: string): EgressError {
  return new EgressError(
    'host_unknown',
    `Can't resolve the host ${host} here, but the proxy may. To request it through the proxy, add ${host} to ALLOW_HOSTS.`,
  )
}

/** Adds the proxy to a connection error, because that is the first thing to check. */
function atProxy(error: unknown, proxy: string): unknown {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !(error instanceof Error)) return error
  return Object.assign(new Error(error.message, { cause: error }), {
    name: error.name,
    code: `${code}, through the proxy ${new URL(proxy).host}`,
  })
}

/** A request to one address of the host. TLS and the Host header still use the host's name. */
function pinned(url: URL, address: string, init: Parameters<EgressFetch>[1]): Parameters<EgressFetch> {
  if (bareHost(url.hostname) === address) return [url.href, init]
  const at = new URL(url)
  at.hostname = address.includes(':') ? `[${address}]` : address
  const headers = new Headers(init.headers)
  headers.set('Host', url.host)
  // A kept-alive connection to the same address may have been verified for another host.
  const tls = { ...init.tls, serverName: bareHost(url.hostname) }
  return [at.href, { ...init, headers, keepalive: false, tls }]
}

function withTls(init: Init, tls: TlsOptions | undefined): Init {
  return tls === undefined ? init : { ...init, tls: { ...init.tls, ...tls } }
}

/** IPv4 first: without IPv6 connectivity, a host's IPv6 addresses fail, and only after a timeout. */
async function lookupAll(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true })
  return found.sort((a, b) => a.family - b.family).map(({ address }) => address)
}
