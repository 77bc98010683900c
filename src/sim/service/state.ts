/** What `GET /state` shows of one service that is called. */
export interface CalledService {
  address: string
  requests: number
  failed: number
  /** Null before the first answer. */
  lastStatus: number | null
}

/** What `GET /state` shows. */
export interface ServiceSnapshot {
  service: string
  status: 'idle' | 'working'
  /** Activations taken; `ok`, `failed` and `inFlight` add up to it. */
  requests: number
  ok: number
  failed: number
  inFlight: number
  lastStatus: number | null
  lastDurationMs: number | null
  /** When it last answered, ISO 8601. */
  lastAt: string | null
  services: CalledService[]
}

/** Counts what one service does. */
export class ServiceState {
  readonly #name: string
  readonly #called: Map<string, CalledService>
  #requests = 0
  #ok = 0
  #failed = 0
  #last: { status: number; durationMs: number; at: string } | undefined

  constructor(name: string, addresses: string[]) {
    this.#name = name
    this.#called = new Map(
      addresses.map((address) => [address, { address, requests: 0, failed: 0, lastStatus: null }]),
    )
  }

  get inFlight(): number {
    return this.#requests - this.#ok - this.#failed
  }

  activated(): void {
    this.#requests++
  }

  answered(last: { status: number; durationMs: number; at: string }): void {
    if (last.status === 200) this.#ok++
    else this.#failed++
    this.#last = last
  }

  called(address: string, status: number): void {
    const service = this.#called.get(address)
    if (service === undefined) return
    service.requests++
    if (status !== 200) service.failed++
    service.lastStatus = status
  }

  snapshot(): ServiceSnapshot {
    return {
      service: this.#name,
      status: this.inFlight > 0 ? 'working' : 'idle',
      requests: this.#requests,
      ok: this.#ok,
      failed: this.#failed,
      inFlight: this.inFlight,
      lastStatus: this.#last?.status ?? null,
      lastDurationMs: this.#last?.durationMs ?? null,
      lastAt: this.#last?.at ?? null,
      services: [...this.#called.values()],
    }
  }
}
