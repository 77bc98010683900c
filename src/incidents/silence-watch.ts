import type { Bus, Subscription } from '../bus/bus.ts'
import { DAY_MS } from '../core/time.ts'
import { causeOf } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import { type IsSilent, isSilentBy, listSilences, type Silence } from './silences.ts'

/** Silences that ended less than this ago are kept, in milliseconds: what happened meanwhile may be counted later. */
const PAST_MS = DAY_MS

export interface SilenceWatchDeps {
  db: Database
  bus: Bus
  now(): number
  warn(message: string): void
}

/** The silences as last read, so that asking about one costs no query. */
export class SilenceWatch {
  readonly #deps: SilenceWatchDeps
  readonly #subscription: Subscription
  #silences: readonly Silence[] = []
  #reading: Promise<void> | undefined
  #isReadAgain = false
  #first: Promise<void> | undefined
  /** The last question's answer: a whole process asks about one instant. */
  #last: { at: number; isSilent: IsSilent } | undefined

  constructor(deps: SilenceWatchDeps) {
    this.#deps = deps
    const refresh = () => void this.refresh()
    this.#subscription = deps.bus.subscribe('The watch of silences', {
      'silence.updated': refresh,
      'relay.restored': refresh,
    })
  }

  /** Resolves once they were read for the first time. */
  ready(): Promise<void> {
    this.#first ??= this.refresh()
    return this.#first
  }

  /** Reads them. Without a database, the last ones stay. */
  refresh(): Promise<void> {
    this.#isReadAgain = true
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** Whether notifications about a stream were silenced at an instant of the last day, or are. */
  covers(stream: { id: string; tags: readonly string[] }, at: number): boolean {
    if (this.#last?.at !== at) this.#last = { at, isSilent: isSilentBy(this.#silences, at) }
    return this.#last.isSilent(stream)
  }

  close(): void {
    this.#subscription.end()
  }

  async #read(): Promise<void> {
    while (this.#isReadAgain) {
      this.#isReadAgain = false
      try {
        this.#silences = await listSilences(this.#deps.db, this.#deps.now() - PAST_MS)
        this.#last = undefined
      } catch (error) {
        this.#deps.warn(`Can't read the silences: ${causeOf(error)}`)
      }
    }
  }
}
