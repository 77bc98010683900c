import type { Followed } from './checks/proof.ts'
import { ProxyReader } from './checks/proxy-reader.ts'
import { Subscriber } from './checks/subscriber.ts'
import type { Theatre } from './injection/kind.ts'

/** Streams that are read live, from every web process. */
const WATCHED = ['counted', 'plain', 'polled']
/** How often the proxy polls, in milliseconds. */
const INTERVAL_MS = 500
/** Longest wait for all to see the end of the logs, in milliseconds: what is proxied may be backing off like any stream. */
const LIVE_MS = 75_000

/** Everybody who reads Weir's own streams during a run. */
export class Audience {
  readonly #theatre: Theatre
  readonly #subscribers: { subscriber: Subscriber; source: string }[]
  readonly #readers: ProxyReader[]

  constructor(theatre: Theatre, streams: readonly Followed[]) {
    this.#theatre = theatre
    const { fleet, upstream } = theatre
    const watched = WATCHED.flatMap(
      (wanted) => streams.find(({ source }) => source.behavior === wanted) ?? [],
    )
    this.#subscribers = fleet.webs.flatMap(({ name }, index) =>
      watched.map(({ id, source }) => ({
        subscriber: new Subscriber(
          `${source.name} at ${name}`,
          () => `${fleet.urls[index]}/api/streams/${id}/events`,
        ),
        source: source.name,
      })),
    )
    this.#readers = fleet.webs.map(({ name }, index) => {
      const url = `${fleet.urls[index]}/proxy/${upstream.urlOf(this.#proxied)}?intervalMs=${INTERVAL_MS}`
      return new ProxyReader(`${this.#proxied.name} at ${name}`, this.#proxied.name, url)
    })
    for (const each of this.all) each.open()
  }

  get all(): readonly (Subscriber | ProxyReader)[] {
    return [...this.#subscribers.map(({ subscriber }) => subscriber), ...this.#readers]
  }

  /** Waits until everybody has seen as much as there is. @returns what they saw wrong, or didn't see */
  async prove(ends: ReadonlyMap<string, number>): Promise<string[]> {
    const newest = this.#theatre.upstream.newest(this.#proxied)
    const end = (source: string) => ends.get(source) as number
    const isBehind = () =>
      this.#subscribers.some(({ subscriber, source }) => (subscriber.last ?? 0) < end(source)) ||
      this.#readers.some(({ version }) => version !== newest)
    const deadline = Date.now() + LIVE_MS
    while (isBehind() && Date.now() < deadline) await Bun.sleep(100)
    return [
      ...this.#subscribers.flatMap(({ subscriber, source }) => subscriber.judge(end(source))),
      ...this.#readers.flatMap((reader) => reader.judge(newest)),
    ]
  }

  async close(): Promise<void> {
    for (const each of this.all) each.close()
  }

  /** A polled source that isn't followed otherwise, so that its answers are those of the proxy's polls alone. */
  get #proxied() {
    return this.#theatre.upstream.proxied
  }
}
