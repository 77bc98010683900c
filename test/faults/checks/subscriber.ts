import { EventSource } from 'eventsource'

/** After an answer that ends an EventSource for good, a new one is made after this, in milliseconds. */
const AGAIN_MS = 1_000
/** Examples kept of what went wrong. */
const EXAMPLES = 5

/**
 * Reads a stream's live entries for the whole run, as a browser does: it reconnects with the last ID it saw. Every
 * entry must follow the one before, unless a `gap` event says otherwise.
 */
export class Subscriber {
  readonly name: string
  readonly faults: string[] = []
  /** Entries seen, and `gap` events. */
  entries = 0
  gaps = 0
  connections = 0
  last: number | undefined
  readonly #url: () => string
  #source: EventSource | undefined
  #again: Timer | undefined

  /** @param url made anew for every connection that isn't EventSource's own */
  constructor(name: string, url: () => string) {
    this.name = name
    this.#url = url
  }

  open(): void {
    const resume = this.last === undefined ? '' : `?lastEventId=${this.last}`
    const source = new EventSource(this.#url() + resume)
    this.#source = source
    source.addEventListener('open', () => void this.connections++)
    source.addEventListener('entry', ({ data }) => this.#entry((JSON.parse(data) as { seq: number }).seq))
    source.addEventListener('gap', ({ lastEventId }) => {
      this.gaps++
      this.last = Number(lastEventId)
    })
    source.addEventListener('error', () => {
      if (source.readyState !== source.CLOSED) return
      this.#again = setTimeout(() => this.open(), AGAIN_MS)
    })
  }

  close(): void {
    clearTimeout(this.#again)
    this.#source?.close()
  }

  /** What it can't know itself: whether it has seen the log to its end. */
  judge(end: number): string[] {
    const behind = (this.last ?? 0) < end ? [`live: ${this.name} saw up to seq ${this.last} of ${end}`] : []
    return [...this.faults, ...behind]
  }

  #entry(seq: number): void {
    this.entries++
    if (this.last !== undefined && seq !== this.last + 1 && this.faults.length < EXAMPLES) {
      this.faults.push(`live: ${this.name}: after seq ${this.last} came ${seq}, and no gap was told`)
    }
    this.last = seq
  }
}
