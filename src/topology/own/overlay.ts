import { causeOf } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Database } from '../../storage/storage.ts'
import { TOPOLOGY_TOPIC, type Topology } from '../topology.ts'
import { atServices } from './at-services.ts'
import { ownParts, ownPartsThen } from './parts.ts'

/** How often the overlay refreshes while somebody watches or asks, in milliseconds. */
const REFRESH_EVERY_MS = 5_000
/** A slow refresh is followed by a wait of this many times its duration, so that refreshes take at most 5% of the time. */
const WAIT_FACTOR = 20
const SOURCE = 'weir'

export interface OwnOverlayDeps {
  db: Database
  hub: Pick<Hub, 'has'>
  topology: Pick<Topology, 'overlay' | 'overlayHistory' | 'reported'>
  /** Whether there is a bucket to archive to. */
  hasArchive: boolean
  now(): number
  warn(message: string): void
}

/** Draws Weir's own parts into the topology, and refreshes them while somebody watches, until it is closed. */
export class OwnOverlay {
  readonly #deps: OwnOverlayDeps
  #drawn: ReadonlySet<string> = new Set()
  #refreshing: Promise<void> | undefined
  #refreshedAt = Number.NEGATIVE_INFINITY
  #isFailing = false
  #timer: Timer | undefined
  #closed = false

  constructor(deps: OwnOverlayDeps) {
    this.#deps = deps
    const { db, topology, hasArchive, now } = deps
    topology.overlayHistory(SOURCE, async (at, { services }) =>
      atServices(await ownPartsThen(db, at, now(), { hasArchive }), services),
    )
    this.#refreshLater(REFRESH_EVERY_MS)
  }

  /** Refreshes Weir's parts in the topology, for requests without a subscription. Never throws. */
  async refresh(): Promise<void> {
    const ageMs = this.#deps.now() - this.#refreshedAt
    if (this.#closed || (ageMs >= 0 && ageMs < REFRESH_EVERY_MS)) return
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    await this.#refreshing
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#refreshing
  }

  async #refresh(): Promise<void> {
    const { db, topology, hasArchive, now, warn } = this.#deps
    try {
      const graph = await ownParts(db, now(), { hasArchive, drawn: this.#drawn })
      if (this.#closed) return
      this.#drawn = new Set(graph.services.map(({ id }) => id))
      topology.overlay(SOURCE, atServices(graph, topology.reported().services))
      this.#refreshedAt = now()
      this.#isFailing = false
    } catch (error) {
      // The last picture stays; a database outage is logged once, not every few seconds.
      if (!this.#isFailing) warn(`Can't draw Weir's own parts: ${causeOf(error)}`)
      this.#isFailing = true
    }
  }

  #refreshLater(waitMs: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#refreshNow(), waitMs)
    this.#timer.unref()
  }

  async #refreshNow(): Promise<void> {
    const { hub, now } = this.#deps
    const startedAt = now()
    if (hub.has(TOPOLOGY_TOPIC)) await this.refresh()
    this.#refreshLater(Math.max(REFRESH_EVERY_MS, WAIT_FACTOR * (now() - startedAt)))
  }
}
