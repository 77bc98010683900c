// Says when Weir is away, and when it is back; counts open incidents on the way.

import { FIRST_RETRY_MS, retryWait } from './retry.ts'
import { Unbegun } from './unbegun.ts'
import { timeZone } from './zone.ts'

/** How often Weir is asked how it is while the page is seen, in milliseconds. */
const PULSE_MS = 5_000
/** A pulse without an answer for as long is a lost one, in milliseconds. */
const PATIENCE_MS = 4_000
/** How long it is said that the page has caught up, in milliseconds. */
const CAUGHT_UP_MS = 4_000

/** What of htmx's event stream this needs. */
interface LiveConnection {
  attempt: number
  /** Set, it isn't tried again. */
  cancelled: boolean
  /** Ends the wait before the next attempt. */
  delayCanceller: (() => void) | null
}

/** Of an answer that says what a live part shows is no more. */
const GONE = 404

/** Of an answer to who isn't logged in any more. */
const LOGGED_OUT = 401

interface LiveError {
  connection?: LiveConnection
  status?: number
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', timeZone: timeZone() })

/** Follows whether Weir answers; lives as long as the page. */
export class Connection {
  readonly #line: HTMLElement
  /** Live parts that have lost their connection. */
  readonly #lost = new Set<LiveConnection>()
  readonly #unbegun = new Unbegun({
    failed: () => {
      if (!this.#isLeaving && !this.#isLoggedOut) this.#showAway()
    },
    settled: () => this.#showBack(),
  })
  #awaySince: Date | undefined
  /** Whether the browser itself had no network when it was away. */
  #isOffline = false
  #attempts = 0
  #isPulseLost = false
  /** Live parts that ended as the tab was hidden: to come back from that is no loss. */
  readonly #paused = new WeakSet<LiveConnection>()
  /** Those whose subject was removed. */
  readonly #gone = new WeakSet<LiveConnection>()
  #next: ReturnType<typeof setTimeout> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #isLeaving = false
  #isLoggedOut = false

  constructor(line: HTMLElement) {
    this.#line = line
    this.#followLiveParts()
    // Weir may be on this very machine: only a pulse tells.
    window.addEventListener('offline', () => this.ask())
    window.addEventListener('online', () => this.ask())
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#hide() : this.#show()))
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
      if (response.status === LOGGED_OUT) return this.#loggedOut()
      if (!response.ok) throw new Error(`It answered ${response.status}`)
      const { openIncidents } = (await response.json()) as { openIncidents: number }
      showIncidents(openIncidents)
      this.#pulseFound()
    } catch {
      if (!this.#isLeaving && !this.#isLoggedOut) this.#pulseLost()
    }
    clearTimeout(this.#next)
    if (!this.#isLeaving && !document.hidden) this.#next = setTimeout(() => void this.#pulse(), this.#wait())
  }

  #wait(): number {
    if (!this.#isPulseLost) return this.#lost.size > 0 ? FIRST_RETRY_MS : PULSE_MS
    return retryWait(this.#attempts++)
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
    if (this.isAway) refreshPolled()
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
      if (this.#isLoggedOut) live.cancelled = true
      if (live.attempt === 0 || this.#isLeaving || this.#isLoggedOut) return
      if (this.#gone.has(live)) {
        live.cancelled = true
        return
      }
      // The wait begins after this event.
      if (this.#paused.delete(live)) return queueMicrotask(() => live.delayCanceller?.())
      this.#lost.add(live)
      this.#showAway()
      if (!this.#isPulseLost) this.ask()
    })
    on('htmx:sse:after:connection', (live) => {
      this.#lost.delete(live)
      this.#showBack()
    })
    on('htmx:sse:close', (live) => {
      this.#lost.delete(live)
      this.#showBack()
    })
    document.addEventListener('htmx:sse:error', (event) => {
      const { connection, status } = (event as CustomEvent<LiveError>).detail
      if (status === GONE && connection !== undefined) this.#lose(connection)
    })
  }

  /** What the live part shows is no more: there is nothing to wait for. */
  #lose(live: LiveConnection): void {
    this.#lost.delete(live)
    this.#gone.add(live)
    this.#awaySince = undefined
    this.#say('What this page shows was removed.', 'away')
  }

  /** Nothing is asked for any more; what is typed on the page stays. */
  #loggedOut(): void {
    this.#isLoggedOut = true
    this.#say('You are logged out, and what you see is from before. ', 'away')
    const link = document.createElement('a')
    link.href = `/login?${new URLSearchParams({ next: location.pathname + location.search })}`
    link.textContent = 'Log in'
    this.#line.append(link)
  }

  #hide(): void {
    clearTimeout(this.#next)
    for (const live of openConnections()) this.#paused.add(live)
  }

  /** Nothing was asked for while the tab was hidden. */
  #show(): void {
    this.ask()
    this.#unbegun.begin()
    refreshPolled()
  }

  #showAway(): void {
    clearTimeout(this.#hiding)
    this.#awaySince ??= new Date()
    this.#isOffline = !navigator.onLine
    const who = this.#isOffline ? 'You are offline' : 'Weir is away'
    this.#say(
      `${who} since ${clock.format(this.#awaySince)}: what you see is from before. Trying again…`,
      'away',
    )
  }

  #showBack(): void {
    if (!this.isAway || this.#isPulseLost || this.#lost.size > 0 || this.#unbegun.isAny) return
    this.#awaySince = undefined
    this.#say(
      `${this.#isOffline ? 'You are online again' : 'Weir is back'}, and this page has caught up.`,
      'back',
    )
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

/** Those of the live parts, also of one that was connected before this script had come. */
function openConnections(): LiveConnection[] {
  const parts = document.querySelectorAll<Element & { _htmx?: { sse?: LiveConnection } }>(
    '[hx-sse\\:connect]',
  )
  return [...parts].flatMap((part) => part._htmx?.sse ?? [])
}

/** Has the parts that ask for themselves ask now. */
function refreshPolled(): void {
  document.body.dispatchEvent(new CustomEvent('weir-back'))
}

function showIncidents(count: number): void {
  for (const badge of document.querySelectorAll<HTMLElement>('[data-open-incidents]')) {
    const text = count > 99 ? '99+' : String(count)
    if (badge.textContent !== text) badge.textContent = text
    badge.title = `${count} open`
    badge.hidden = count === 0
  }
}
