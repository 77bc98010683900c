import { expose, gauge, type MetricFamily } from './metrics.ts'
import { within } from './within.ts'

/** A reading is reused for this long, in milliseconds, however many clients ask. */
const SHARED_MS = 1_000
/** A source that takes longer is left out of the response, in milliseconds: below the timeout of Prometheus. */
const ANSWER_MS = 2_000

/** A source of figures outside the process. */
export interface Source {
  name: string
  read(): Promise<MetricFamily[]>
  /** How long its readings are reused, in milliseconds; omitted: the default. */
  forMs?: number
}

export interface ScrapeDeps {
  /** Figures that this process counts itself. */
  own: readonly (() => Iterable<MetricFamily>)[]
  sources: readonly Source[]
  now(): number
}

/** All metrics, in the Prometheus format. */
export class Scrape {
  readonly #deps: ScrapeDeps
  readonly #kept = new Map<string, { at: number; families: MetricFamily[] }>()
  #last: { at: number; text: Promise<string> } | undefined

  constructor(deps: ScrapeDeps) {
    this.#deps = deps
  }

  /** @returns a text that is never more than a second old */
  text(): Promise<string> {
    const now = this.#deps.now()
    const last = this.#last
    if (last !== undefined && now >= last.at && now - last.at < SHARED_MS) return last.text
    const text = this.#read()
    this.#last = { at: now, text }
    return text
  }

  async #read(): Promise<string> {
    const { own, sources } = this.#deps
    const read = await Promise.all(sources.map((source) => this.#readSource(source)))
    const up = sources.map(({ name }, at) => ({
      labels: { source: name },
      value: read[at] === undefined ? 0 : 1,
    }))
    const isUp = gauge(
      'weir_source_up',
      'Whether a source responded; metrics of a source that did not are missing.',
      up,
    )
    return expose([
      ...own.flatMap((families) => [...families()]),
      isUp,
      ...read.flatMap((each) => each ?? []),
    ])
  }

  async #readSource({ name, read, forMs = 0 }: Source): Promise<MetricFamily[] | undefined> {
    const now = this.#deps.now()
    const kept = this.#kept.get(name)
    if (kept !== undefined && now >= kept.at && now - kept.at < forMs) return kept.families
    try {
      const families = await within(ANSWER_MS, read())
      if (forMs > 0) this.#kept.set(name, { at: now, families })
      return families
    } catch {
      return undefined
    }
  }
}
