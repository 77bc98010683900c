import { EventSource } from 'eventsource'
import type { LoggedEntry } from '../../support/weir.ts'

/** After an answer that ends an EventSource for good, a new one is made after this, in milliseconds. */
const AGAIN_MS = 250
/** Examples kept of what went wrong with one stream. */
const EXAMPLES = 3

/** Subscribes to a stream and remembers everything that it was told: that must never be missing again. */
export class Witness {
  readonly name: string
  /** By `seq`, what each entry said. */
  readonly told = new Map<number, string>()
  readonly faults: string[] = []
  #last: number | undefined
  readonly #url: () => string
  #source: EventSource | undefined
  #again: Timer | undefined

  constructor(name: string, url: () => string) {
    this.name = name
    this.#url = url
  }

  open(): void {
    const resume = this.#last === undefined ? '' : `?lastEventId=${this.#last}`
    const source = new EventSource(this.#url() + resume)
    this.#source = source
    source.addEventListener('entry', ({ data }) => this.#entry(JSON.parse(data) as LoggedEntry))
    source.addEventListener('gap', ({ lastEventId }) => {
      this.#last = Number(lastEventId)
    })
    source.addEventListener('error', () => {
      // What the connection tells after this isn't waited for: EventSource's own wait is as long as the server asks.
      source.close()
      this.#again = setTimeout(() => this.open(), AGAIN_MS)
    })
  }

  close(): void {
    clearTimeout(this.#again)
    this.#source?.close()
  }

  /** What it was told that a log doesn't have, or has differently. */
  missingIn(log: readonly LoggedEntry[], told: ReadonlyMap<number, string>): string[] {
    const stored = new Map(log.map((entry) => [entry.seq, wordsOf(entry)]))
    const missing = [...told].filter(([seq, words]) => stored.get(seq) !== words)
    return missing
      .slice(0, EXAMPLES)
      .map(
        ([seq, words]) =>
          `told: ${this.name}: seq ${seq} was told as ${words.slice(0, 160)}, and is stored as ` +
          `${stored.get(seq)?.slice(0, 160)} (${missing.length} such)`,
      )
  }

  #entry(entry: LoggedEntry): void {
    const words = wordsOf(entry)
    const before = this.told.get(entry.seq)
    if (before !== undefined && before !== words) this.#fault(`seq ${entry.seq} was told twice, differently`)
    if (this.#last !== undefined && entry.seq !== this.#last + 1)
      this.#fault(`after seq ${this.#last} came ${entry.seq}, and no gap was told`)
    this.told.set(entry.seq, words)
    this.#last = entry.seq
  }

  #fault(what: string): void {
    if (this.faults.length < EXAMPLES) this.faults.push(`told: ${this.name}: ${what}`)
  }
}

function wordsOf({ epoch, kind, eventId, hash, data }: LoggedEntry): string {
  return JSON.stringify([epoch, kind, eventId, hash, data])
}
