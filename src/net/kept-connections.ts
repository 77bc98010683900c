/** The runtime closes a connection that has been idle for longer than this, in milliseconds. */
const KEPT_MS = 300_000
/** Origins that are remembered; beyond that, the one that was used longest ago is forgotten. */
const MAX_ORIGINS = 10_000

/** The origins that the runtime may have kept a connection to: it doesn't say. */
export class KeptConnections {
  readonly #now: () => number
  /** When each was last used; the one that was used longest ago first. */
  readonly #usedAt = new Map<string, number>()

  /** @param now a clock in milliseconds, only used for differences */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  mayBeKept(url: string): boolean {
    const usedAt = this.#usedAt.get(originOf(url))
    return usedAt !== undefined && this.#now() - usedAt < KEPT_MS
  }

  /** Notes that a request, which may leave a connection to be kept, was answered. */
  used(url: string, { headers }: Response): void {
    if (/\bclose\b/i.test(headers.get('connection') ?? '')) return
    const origin = originOf(url)
    this.#usedAt.delete(origin)
    this.#usedAt.set(origin, this.#now())
    const [oldest] = this.#usedAt.keys()
    if (this.#usedAt.size > MAX_ORIGINS && oldest !== undefined) this.#usedAt.delete(oldest)
  }
}

function originOf(url: string): string {
  return URL.parse(url)?.origin ?? ''
}
