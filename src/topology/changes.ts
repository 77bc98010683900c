import { isDeepStrictEqual } from 'node:util'
import type { Call, Service } from '../core/graph.ts'

/** How long changes are batched, in milliseconds: with this delay, the picture still looks live. */
const GATHER_MS = 100
/** The longest wait, when there are many. */
const MAX_GATHER_MS = 1_000
/** A color that replaces one that wasn't published yet publishes that first, unless this is too soon: a screen's frame. */
const MIN_GATHER_MS = 16
/** After a frame the next one waits its size divided by this, which limits each viewer to 64 KB a second. */
const BYTES_PER_MS = 64

/** A change: whole services and calls, or the removed ones. */
export interface GraphChange {
  services?: Service[]
  calls?: Call[]
  removedServices?: string[]
  removedCalls?: [from: string, to: string][]
  /** Colors that were replaced before they could be published; omitted for none. */
  joinedColors?: number
}

export interface ChangesOptions {
  /** The current services and calls. */
  service(id: string): Service | undefined
  call(key: string): Call | undefined
  /** The time in milliseconds. */
  now(): number
  /** Publishes a change, and whether the diagram changed. @returns its size in bytes */
  publish(change: GraphChange, isDiagram: boolean): number
}

/** Collects possible changes, and publishes the actual ones together. */
export class GraphChanges {
  readonly #options: ChangesOptions
  /** The state last published. */
  readonly #services = new Map<string, Service>()
  readonly #calls = new Map<string, Call>()
  readonly #turnedServices = new Set<string>()
  readonly #turnedCalls = new Set<string>()
  /** Services with a color that wasn't published yet. */
  readonly #recolored = new Set<string>()
  /** Services whose change is known to readers of the diagram. */
  readonly #told = new Set<string>()
  #joinedColors = 0
  #timer: Timer | undefined
  #gatherMs = GATHER_MS
  #flushedAt = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  /** Marks a service that appeared, was removed, or may have changed. */
  service(id: string): void {
    this.#turnedServices.add(id)
    this.#told.delete(id)
    this.#schedule()
  }

  /** Marks a service whose change was announced to readers of the diagram. */
  told(id: string): void {
    this.#told.add(id)
  }

  /**
   * Call before a service gets a color. A color that waits is published first, so that viewers see it, however short it
   * was; many are joined, and counted.
   */
  beforeColor(id: string): void {
    if (!this.#recolored.has(id)) return void this.#recolored.add(id)
    const isRoom = this.#gatherMs <= GATHER_MS && this.#options.now() - this.#flushedAt >= MIN_GATHER_MS
    if (isRoom) this.flush()
    else this.#joinedColors++
    this.#recolored.add(id)
  }

  call(key: string): void {
    this.#turnedCalls.add(key)
    this.#schedule()
  }

  /** Publishes the changes so far. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const services = this.#serviceChanges()
    const calls = this.#callChanges()
    const change = { ...services.change, ...calls.change }
    this.#recolored.clear()
    this.#told.clear()
    if (Object.keys(change).length === 0) return
    if (this.#joinedColors > 0) Object.assign(change, { joinedColors: this.#joinedColors })
    this.#joinedColors = 0
    this.#flushedAt = this.#options.now()
    const bytes = this.#options.publish(change, services.isDiagram || calls.isDiagram)
    this.#gatherMs = Math.min(MAX_GATHER_MS, Math.max(GATHER_MS, bytes / BYTES_PER_MS))
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = setTimeout(() => this.flush(), this.#gatherMs)
    this.#timer.unref()
  }

  #serviceChanges(): { change: GraphChange; isDiagram: boolean } {
    const change: GraphChange = {}
    let isDiagram = false
    for (const id of this.#turnedServices) {
      const [before, after] = [this.#services.get(id), this.#options.service(id)]
      if (after === undefined) {
        if (this.#services.delete(id)) {
          change.removedServices ??= []
          change.removedServices.push(id)
        }
      } else if (before === undefined || !isDeepStrictEqual(said(before), said(after))) {
        this.#services.set(id, after)
        change.services ??= []
        change.services.push(after)
      } else continue
      const isTold = this.#told.has(id)
      isDiagram ||=
        !isTold &&
        (before?.name !== after?.name || before?.color !== after?.color || before?.url !== after?.url)
    }
    this.#turnedServices.clear()
    return { change, isDiagram }
  }

  #callChanges(): { change: GraphChange; isDiagram: boolean } {
    const change: GraphChange = {}
    let isDiagram = false
    for (const key of this.#turnedCalls) {
      const [before, after] = [this.#calls.get(key), this.#options.call(key)]
      if (after !== undefined && !isDeepStrictEqual(before, after)) {
        this.#calls.set(key, after)
        change.calls ??= []
        change.calls.push(after)
        isDiagram ||= before === undefined
      } else if (after === undefined && before !== undefined) {
        this.#calls.delete(key)
        change.removedCalls ??= []
        change.removedCalls.push([before.from, before.to])
        isDiagram = true
      }
    }
    this.#turnedCalls.clear()
    return { change, isDiagram }
  }
}

/** The time of a service's last report isn't a change. */
function said({ reportedAt: _, ...service }: Service): object {
  return service
}
