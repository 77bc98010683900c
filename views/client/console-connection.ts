// Says when Weir is away, and when it is back; counts open incidents on the way.

/** How often Weir is asked how it is while the page is seen, in milliseconds. */
const PULSE_MS = 5_000
/** A pulse without an answer for as long is a lost one, in milliseconds. */
const PATIENCE_MS = 4_000
/** Away: the first wait, doubled each time up to the longest, less up to a third so that pages don't come at once. */
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 8_000
const JITTER = 1 / 3
/** How long it is said that the page has caught up, in milliseconds. */
const CAUGHT_UP_MS = 4_000

/** What of htmx's event stream this needs. */
interface LiveConnection {
  attempt: number
  /** Ends the wait before the next attempt. */
  delayCanceller: (() => void) | null
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })

/** Follows whether Weir answers; lives as long as the page. */
export class Connection {
  readonly #line: HTMLElement
  /** Live parts that have lost their connection. */
  readonly #lost = new Set<LiveConnection>()
  #awaySince: Date | undefined
  #attempts = 0
  #isPulseLost = false
  #next: ReturnType<typeof setTimeout> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #isLeaving = false

  constructor(line: HTMLElement) {
    this.#line = line
    this.#followLiveParts()
    window.addEventListener('offline', () => this.#pulseLost())
    window.addEventListener('online', () => this.ask())
    document.addEventListener('visibilitychange', () => !document.hidden && this.ask())
    window.addEventListener('pagehide', () => this.#leave())
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#return())
    this.ask()
  }

  get isAway(): boolean {
    return this.#awaySince !== undefined
  }

  /** Asks at once whether Weir is there. */
  ask(): void {
    clearTimeout(this.#next)
    void this.#pulse()
  }

  async #pulse(): Promise<void> {
    try {
      const response = await fetch('/pulse', { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' })
      if (!response.ok) throw new Error(`It answered ${response.status}`)
      const { openIncidents } = (await response.json()) as { openIncidents: number }
      showIncidents(openIncidents)
      this.#pulseFound()
    } catch {
      if (!this.#isLeaving) this.#pulseLost()
    }
    clearTimeout(this.#next)
    if (!this.#isLeaving && !document.hidden) this.#next = setTimeout(() => void this.#pulse(), this.#wait())
  }

  #wait(): number {
    if (!this.#isPulseLost) return this.#lost.size > 0 ? FIRST_RETRY_MS : PULSE_MS
    const wait = Math.min(FIRST_RETRY_MS * 2 ** this.#attempts++, LONGEST_RETRY_MS)
    return wait * (1 - Math.random() * JITTER)
  }

  #pulseLost(): void {
    this.#isPulseLost = true
    this.#showAway()
  }

  #pulseFound(): void {
    this.#isPulseLost = false
    this.#attempts = 0
    // Live parts needn't wait out their own backoff.
    for (const live of this.#lost) live.delayCanceller?.()
    if (this.isAway) document.body.dispatchEvent(new CustomEvent('weir-back'))
    this.#showBack()
  }

  #followLiveParts(): void {
    const on = (name: string, act: (live: LiveConnection) => void) =>
      document.addEventListener(name, (event) => {
        const { connection } = (event as CustomEvent<{ connection?: LiveConnection }>).detail
        if (connection !== undefined) act(connection)
      })
    // It has ended, however: htmx is about to try again.
    on('htmx:sse:before:connection', (live) => {
      if (live.attempt === 0 || this.#isLeaving) return
      this.#lost.add(live)
      this.#showAway()
      if (!this.#isPulseLost) this.ask()
    })
    for (const name of ['htmx:sse:after:connection', 'htmx:sse:close']) {
      on(name, (live) => {
        this.#lost.delete(live)
        this.#showBack()
      })
    }
  }

  #showAway(): void {
    clearTimeout(this.#hiding)
    this.#awaySince ??= new Date()
    this.#say(
      `Weir is away since ${clock.format(this.#awaySince)}: what you see is from before. Trying again…`,
      'away',
    )
  }

  #showBack(): void {
    if (!this.isAway || this.#isPulseLost || this.#lost.size > 0) return
    this.#awaySince = undefined
    this.#say('Weir is back, and this page has caught up.', 'back')
    this.#hiding = setTimeout(() => this.#say('', ''), CAUGHT_UP_MS)
  }

  /** Only what is new is said: this is read out. */
  #say(text: string, state: string): void {
    this.#line.dataset.state = state
    if (this.#line.textContent !== text) this.#line.textContent = text
  }

  /** Leaving the page closes everything too; that is no loss. */
  #leave(): void {
    this.#isLeaving = true
    clearTimeout(this.#next)
  }

  #return(): void {
    this.#isLeaving = false
    this.ask()
  }
}

function showIncidents(count: number): void {
  for (const badge of document.querySelectorAll<HTMLElement>('[data-open-incidents]')) {
    const text = count > 99 ? '99+' : String(count)
    if (badge.textContent !== text) badge.textContent = text
    badge.title = `${count} open`
    badge.hidden = count === 0
  }
}
