import { causeOf } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Database } from '../../storage/storage.ts'
import { TOPOLOGY_TOPIC, type Topology } from '../topology.ts'
import { atServices } from './at-services.ts'
import { ownParts, ownPartsThen } from './parts.ts'

/** How often it is looked, while somebody watches or asks, in milliseconds. */
const LOOK_EVERY_MS = 5_000
/** A look that took long is followed by a wait of as many times that: all looks together take 5 % of one's time. */
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

/** Draws Weir's own parts into the topology, again and again while somebody watches, until it is closed. */
export class OwnOverlay {
  readonly #deps: OwnOverlayDeps
  #drawn: ReadonlySet<string> = new Set()
  #looking: Promise<void> | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #isFailing = false
  #timer: Timer | undefined
  #closed = false

  constructor(deps: OwnOverlayDeps) {
    this.#deps = deps
    const { db, topology, hasArchive, now } = deps
    topology.overlayHistory(SOURCE, async (at, { services }) =>
      atServices(await ownPartsThen(db, at, now(), { hasArchive }), services),
    )
    this.#lookLater(LOOK_EVERY_MS)
  }

  /** Sees to it that the topology shows Weir as it is now: for whoever asks without watching. Never throws. */
  async refresh(): Promise<void> {
    const ageMs = this.#deps.now() - this.#lookedAt
    if (this.#closed || (ageMs >= 0 && ageMs < LOOK_EVERY_MS)) return
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  async #look(): Promise<void> {
    const { db, topology, hasArchive, now, warn } = this.#deps
    try {
      const graph = await ownParts(db, now(), { hasArchive, drawn: this.#drawn })
      if (this.#closed) return
      this.#drawn = new Set(graph.services.map(({ id }) => id))
      topology.overlay(SOURCE, atServices(graph, topology.reported().services))
      this.#lookedAt = now()
      this.#isFailing = false
    } catch (error) {
      // The last picture stands; that a database is away is told once, not every few seconds.
      if (!this.#isFailing) warn(`Can't draw Weir's own parts: ${causeOf(error)}`)
      this.#isFailing = true
    }
  }

  #lookLater(waitMs: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#lookNow(), waitMs)
    this.#timer.unref()
  }

  async #lookNow(): Promise<void> {
    const { hub, now } = this.#deps
    const startedAt = now()
    if (hub.has(TOPOLOGY_TOPIC)) await this.refresh()
    this.#lookLater(Math.max(LOOK_EVERY_MS, WAIT_FACTOR * (now() - startedAt)))
  }
}
