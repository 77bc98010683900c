// Retries live parts whose first request failed: htmx itself retries only those that were connected once.

import { FIRST_RETRY_MS, retryWait } from './retry.ts'

/** Status codes that a retry doesn't change: not signed in, or the item is gone. */
const FINAL = new Set([401, 404])
const CONNECT = 'hx-sse:connect'

interface Htmx {
  ajax(method: string, url: string, options: { source: Element }): Promise<void>
}

interface Failure {
  ctx?: { response?: { status: number } }
}

export interface UnbegunEvents {
  /** A part failed to connect, perhaps not for the first time. */
  failed(): void
  /** A part that had failed is connected, or is no longer retried. */
  settled(): void
}

/** Live parts that were never connected; follows them as long as the page lives. */
export class Unbegun {
  readonly #events: UnbegunEvents
  /** With the number of failed attempts. */
  readonly #parts = new Map<Element, number>()

  constructor(events: UnbegunEvents) {
    this.#events = events
    for (const name of ['htmx:error', 'htmx:response:error']) {
      document.addEventListener(name, ({ target, detail }: CustomEventInit<Failure> & Event) => {
        if (!(target instanceof Element) || !target.hasAttribute(CONNECT)) return
        if (FINAL.has(detail?.ctx?.response?.status ?? 0)) this.#settled(target)
        else this.#failed(target)
      })
    }
    // It may have failed before this script was loaded.
    setTimeout(() => {
      for (const part of document.querySelectorAll(`[${CSS.escape(CONNECT)}]`)) {
        if (isIdle(part) && !this.#parts.has(part)) this.#failed(part)
      }
    }, FIRST_RETRY_MS)
    document.addEventListener('htmx:sse:after:connection', ({ target }) => this.#settled(target as Element))
  }

  get isAny(): boolean {
    for (const part of this.#parts.keys()) if (!part.isConnected) this.#parts.delete(part)
    return this.#parts.size > 0
  }

  /** Retries all of them now: nothing does while the tab is hidden. */
  begin(): void {
    for (const part of this.#parts.keys()) begin(part)
  }

  #settled(part: Element): void {
    if (this.#parts.delete(part)) this.#events.settled()
  }

  #failed(part: Element): void {
    const tries = this.#parts.get(part) ?? 0
    this.#parts.set(part, tries + 1)
    setTimeout(() => {
      if (!document.hidden && this.#parts.has(part)) begin(part)
    }, retryWait(tries))
    this.#events.failed()
  }
}

/** Whether htmx knows it, and has no connection or request in progress for it. */
function isIdle(part: Element & { _htmx?: { sse?: unknown } }): boolean {
  return part._htmx !== undefined && part._htmx.sse === undefined && !part.classList.contains('htmx-request')
}

function begin(part: Element): void {
  const { htmx } = globalThis as unknown as { htmx: Htmx }
  if (part.isConnected && isIdle(part))
    void htmx.ajax('GET', part.getAttribute(CONNECT) ?? '', { source: part })
}
