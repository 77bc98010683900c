import { EventSource } from 'eventsource'
import { applyPatch, type Operation } from 'fast-json-patch'
import { documentAt } from '../../../src/sim/service/numbers.ts'

const AGAIN_MS = 1_000
const EXAMPLES = 5

type Versioned = { version: number }

/**
 * Reads an API through the proxy for the whole run. Each patch must lead from the document before it to one that the
 * API has had, so a patch that is missing, doubled or out of order can't go unnoticed.
 */
export class ProxyReader {
  readonly name: string
  readonly faults: string[] = []
  entries = 0
  gaps = 0
  connections = 0
  readonly #source: string
  readonly #url: string
  #document: Versioned | undefined
  #events: EventSource | undefined
  #again: Timer | undefined
  #lastId = ''
  #isTold = false

  /** @param source the name of what is read, on which its documents depend */
  constructor(name: string, source: string, url: string) {
    this.name = name
    this.#source = source
    this.#url = url
  }

  get version(): number | undefined {
    return this.#document?.version
  }

  open(): void {
    const resume = this.#lastId
    const events = new EventSource(this.#url, {
      fetch: (url, init) => {
        const headers = new Headers(init.headers)
        if (resume !== '' && !headers.has('Last-Event-ID')) headers.set('Last-Event-ID', resume)
        return fetch(url, { ...init, headers })
      },
    })
    this.#events = events
    events.addEventListener('open', () => void this.connections++)
    events.addEventListener('data', ({ data, lastEventId }) =>
      this.#next(JSON.parse(data) as Versioned, lastEventId, true),
    )
    events.addEventListener('patch', ({ data, lastEventId }) => this.#patch(data, lastEventId))
    events.addEventListener('gap', () => {
      this.gaps++
      this.#isTold = true
    })
    events.addEventListener('error', () => {
      if (events.readyState !== events.CLOSED) return
      this.#again = setTimeout(() => this.open(), AGAIN_MS)
    })
  }

  close(): void {
    clearTimeout(this.#again)
    this.#events?.close()
  }

  judge(newest: number): string[] {
    const behind =
      this.version === newest ? [] : [`proxy: ${this.name} is at version ${this.version}, not at ${newest}`]
    return [...this.faults, ...behind]
  }

  #patch(data: string, lastEventId: string): void {
    try {
      const operations = JSON.parse(data) as Operation[]
      const { newDocument } = applyPatch(this.#document, operations, true, false)
      this.#next(newDocument as Versioned, lastEventId, false)
    } catch (error) {
      this.#fault(`the patch ${lastEventId} doesn't apply: ${(error as Error).message.split('\n')[0]}`)
    }
  }

  #next(document: Versioned, lastEventId: string, isWhole: boolean): void {
    this.entries++
    const before = this.version
    this.#document = document
    this.#lastId = lastEventId
    // The document that comes with a new connection, or after a gap, may be one that is known.
    const isKnown = isWhole && document.version === before
    if (before !== undefined && document.version <= before && !isKnown && !this.#isTold) {
      this.#fault(`version ${document.version} (${lastEventId}) comes after ${before}`)
    }
    this.#isTold = false
    if (Bun.deepEquals(document, documentAt(this.#source, document.version) as object)) return
    this.#fault(`${lastEventId} makes a document that was never sent, version ${document.version}`)
  }

  #fault(text: string): void {
    if (this.faults.length < EXAMPLES) this.faults.push(`proxy: ${this.name}: ${text}`)
  }
}
