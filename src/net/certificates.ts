import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { HOUR_MS } from '../core/time.ts'

/** The certificate that a host presented; times in milliseconds since the epoch. */
export interface Certificate {
  expiresAt: number
  /** Common name, or else the organization, of its issuer. */
  issuer: string
  seenAt: number
}

export type TlsOptions = Pick<BunFetchRequestInitTLS, 'checkServerIdentity'>

/** A connection whose certificate is read can't be reused: one per host and this time, in milliseconds, is read. */
const READ_AGAIN_MS = HOUR_MS
/** Hosts whose certificates are remembered; beyond that, the one that was read longest ago is forgotten. */
const MAX_HOSTS = 10_000
const MAX_ISSUER_CHARS = 200

/** The certificates of the hosts that this process connects to, as their TLS handshakes show them. */
export class Certificates {
  readonly #now: () => number
  /** By host and port; the one read longest ago first. */
  readonly #seen = new Map<string, Certificate>()

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** The certificate that the URL's host presented last; `undefined` before the first, and without TLS. */
  of(url: string): Certificate | undefined {
    return this.#seen.get(URL.parse(url)?.host ?? '')
  }

  /**
   * TLS options of a request that reads the certificate.
   * @param isReused whether the connection could serve other requests; then it is only read from time to time
   * @returns `undefined` when there is nothing to read
   */
  watch({ protocol, host }: URL, isReused: boolean): TlsOptions | undefined {
    if (protocol !== 'https:') return undefined
    const readAt = this.#seen.get(host)?.seenAt
    if (isReused && readAt !== undefined && Math.abs(this.#now() - readAt) < READ_AGAIN_MS) return undefined
    return {
      // By now the chain is verified: what this function is given belongs to the host, if the name matches, too.
      checkServerIdentity: (name, certificate) => {
        const error = checkServerIdentity(name, certificate)
        if (error === undefined) this.#remember(host, certificate)
        return error
      },
    }
  }

  #remember(host: string, { valid_to, issuer }: PeerCertificate): void {
    const expiresAt = Date.parse(valid_to)
    if (Number.isNaN(expiresAt)) return
    const name = String(issuer?.CN ?? issuer?.O ?? '').slice(0, MAX_ISSUER_CHARS)
    this.#seen.delete(host)
    this.#seen.set(host, { expiresAt, issuer: name, seenAt: this.#now() })
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > MAX_HOSTS && oldest !== undefined) this.#seen.delete(oldest)
  }
}
