// Begins the live parts anew whose first request failed: htmx itself tries only those again that were connected once.

import { FIRST_RETRY_MS, retryWait } from './retry.ts'

/** Answers that trying again doesn't change: who asks isn't logged in, or what the part shows is no more. */
const FINAL = new Set([401, 404])
const CONNECT = 'hx-sse:connect'

interface Htmx {
  ajax(method: string, url: string, options: { source: Element }): Promise<void>
}

interface Failure {
  ctx?: { response?: { status: number } }
}

export interface UnbegunEvents {
  /** A part has failed to begin, perhaps not for the first time. */
  failed(): void
  /** A part that had failed is connected, or isn't tried any more. */
  settled(): void
}

/** Live parts that were never connected; follows them as long as the page lives. */
export class Unbegun {
  readonly #events: UnbegunEvents
  /** With the number of tries that failed. */
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
    // It may have failed before this script had come.
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

  /** Tries all of them now, which nothing does while the tab is hidden. */
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

/** Whether htmx knows it, and has neither a connection nor a request under way for it. */
function isIdle(part: Element & { _htmx?: { sse?: unknown } }): boolean {
  return part._htmx !== undefined && part._htmx.sse === undefined && !part.classList.contains('htmx-request')
}

function begin(part: Element): void {
  const { htmx } = globalThis as unknown as { htmx: Htmx }
  if (part.isConnected && isIdle(part))
    void htmx.ajax('GET', part.getAttribute(CONNECT) ?? '', { source: part })
}
