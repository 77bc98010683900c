// Shows when Weir can't be reached and when it is back; also updates the count of open incidents.

import { FIRST_RETRY_MS, retryWait } from './retry.ts'
import { Unbegun } from './unbegun.ts'
import { timeZone } from './zone.ts'

/** How often the page checks that Weir is reachable while it is visible, in milliseconds. */
const PULSE_MS = 5_000
/** A pulse without an answer for this long has failed, in milliseconds. */
const PATIENCE_MS = 4_000
/** How long the page shows that it is up to date again, in milliseconds. */
const CAUGHT_UP_MS = 4_000

/** The parts of htmx's event stream that are used here. */
interface LiveConnection {
  attempt: number
  /** True ends its retries. */
  cancelled: boolean
  /** Ends the wait before the next attempt. */
  delayCanceller: (() => void) | null
}

/** Status code of a live part whose item is gone. */
const GONE = 404

/** Status code once the session has ended. */
const LOGGED_OUT = 401

/** Why a live part ended: its last message said that its item is gone. */
const LAST_MESSAGE = 'message'

interface LiveChange {
  connection?: LiveConnection
  reason?: string
}

interface LiveError {
  connection?: LiveConnection
  status?: number
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', timeZone: timeZone() })

/** Tracks whether Weir can be reached; lives as long as the page. */
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
  /** Whether the browser itself was offline. */
  #isOffline = false
  #attempts = 0
  #isPulseLost = false
  /** Live parts that ended because the tab was hidden: reconnecting those is no failure. */
  readonly #paused = new WeakSet<LiveConnection>()
  /** Live parts whose item was removed. */
  readonly #gone = new WeakSet<LiveConnection>()
  #next: ReturnType<typeof setTimeout> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #isLeaving = false
  #isLoggedOut = false

  constructor(line: HTMLElement) {
    this.#line = line
    this.#followLiveParts()
    // Weir may run on this very machine: only a pulse shows whether it is up.
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

  /** Checks at once whether Weir can be reached. */
  ask(): void {
    clearTimeout(this.#next)
    void this.#pulse()
  }

  async #pulse(): Promise<void> {
    try {
      const response = await fetch('/pulse', { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' })
      if (response.status === LOGGED_OUT) return this.#loggedOut()
      if (!response.ok) throw new Error(`Status ${response.status}`)
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
    const on = (name: string, act: (live: LiveConnection, reason?: string) => void) =>
      document.addEventListener(name, (event) => {
        const { connection, reason } = (event as CustomEvent<LiveChange>).detail
        if (connection !== undefined) act(connection, reason)
      })
    // The connection has ended, for whatever reason: htmx is about to reconnect.
    on('htmx:sse:before:connection', (live) => {
      if (this.#isLoggedOut) live.cancelled = true
      if (live.attempt === 0 || this.#isLeaving || this.#isLoggedOut) return
      if (this.#gone.has(live)) {
        live.cancelled = true
        return
      }
      // The wait starts after this event.
      if (this.#paused.delete(live)) return queueMicrotask(() => live.delayCanceller?.())
      this.#lost.add(live)
      this.#showAway()
      if (!this.#isPulseLost) this.ask()
    })
    on('htmx:sse:after:connection', (live) => {
      this.#lost.delete(live)
      this.#showBack()
    })
    on('htmx:sse:close', (live, reason) => {
      if (reason === LAST_MESSAGE) return this.#lose(live)
      this.#lost.delete(live)
      this.#showBack()
    })
    document.addEventListener('htmx:sse:error', (event) => {
      const { connection, status } = (event as CustomEvent<LiveError>).detail
      if (status === GONE && connection !== undefined) this.#lose(connection)
    })
  }

  /** The item of the live part is gone: there is nothing to wait for. */
  #lose(live: LiveConnection): void {
    this.#lost.delete(live)
    this.#gone.add(live)
    this.#awaySince = undefined
    this.#say('The item on this page was removed.', 'away')
  }

  /** Stops all requests; text typed on the page stays. */
  #loggedOut(): void {
    this.#isLoggedOut = true
    this.#awaySince = undefined
    clearTimeout(this.#hiding)
    this.#say("You're signed out, and this page no longer updates. ", 'away')
    const link = document.createElement('a')
    link.href = `/login?${new URLSearchParams({ next: location.pathname + location.search })}`
    link.textContent = 'Sign in'
    this.#line.append(link)
  }

  #hide(): void {
    clearTimeout(this.#next)
    for (const live of openConnections()) this.#paused.add(live)
  }

  /** Refreshes the page: nothing was requested while the tab was hidden. */
  #show(): void {
    this.ask()
    this.#unbegun.begin()
    refreshPolled()
  }

  #showAway(): void {
    if (this.#isLoggedOut) return
    clearTimeout(this.#hiding)
    this.#awaySince ??= new Date()
    this.#isOffline = !navigator.onLine
    const who = this.#isOffline ? "You've been offline" : 'Weir has been unreachable'
    this.#say(
      `${who} since ${clock.format(this.#awaySince)}. This page may be out of date. Reconnecting…`,
      'away',
    )
  }

  #showBack(): void {
    if (!this.isAway || this.#isPulseLost || this.#lost.size > 0 || this.#unbegun.isAny) return
    this.#awaySince = undefined
    this.#say(`${this.#isOffline ? "You're back online" : 'Weir is back'}. This page is up to date.`, 'back')
    this.#hiding = setTimeout(() => this.#say('', ''), CAUGHT_UP_MS)
  }

  /** Writes only new text: screen readers announce it. */
  #say(text: string, state: string): void {
    this.#line.dataset.state = state
    if (this.#line.textContent !== text) this.#line.textContent = text
  }

  /** Leaving the page closes everything too; that is no failure. */
  #leave(): void {
    this.#isLeaving = true
    clearTimeout(this.#next)
  }

  #return(): void {
    this.#isLeaving = false
    this.ask()
  }
}

/** Connections of the live parts, including those made before this script was loaded. */
function openConnections(): LiveConnection[] {
  const parts = document.querySelectorAll<Element & { _htmx?: { sse?: LiveConnection } }>(
    '[hx-sse\\:connect]',
  )
  return [...parts].flatMap((part) => part._htmx?.sse ?? [])
}

/** Refreshes the polling parts now. */
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
