import { encodeMessage } from '../../core/sse.ts'
import type { FaultHolder } from '../faults/faults.ts'
import type { StreamFrame } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'
import type { SimWorld } from '../world.ts'
import type { OpenOptions, ServiceFeed } from './events.ts'
import { documentAt, type NumberedDocument, numberData, patchTo, uuidOf } from './numbers.ts'
import { type Action, Readers, type Story } from './readers.ts'

/** Numbers that a service remembers unless it is told otherwise, and at most. */
export const MAX_KEPT = 50_000
/** How many numbers every connection starts with if `resume` is `last`. */
export const REPLAYED = 20

export const TELLS = ['numbers', 'patches', 'nothing'] as const
export const RESUMES = ['missed', 'last', 'all', 'nothing'] as const

/** What a service that counts by the clock sends. */
export interface CountSpec {
  /** An event for each number; its document, then a patch for each number; or heartbeats only. */
  tells: (typeof TELLS)[number]
  /** Time between two numbers, in milliseconds. Default 1,000. */
  everyMs?: number
  /** The time of number 0, in milliseconds since the epoch. Default: the start of the service. */
  since?: number
  /** Whether events have IDs: their numbers, unless another field says otherwise. Default: true. */
  ids?: boolean
  /** The difference between two IDs: each is the number times this. Default 1. */
  idStep?: number
  /** Whether IDs are UUIDs, which show no order. Default: false. */
  uuids?: boolean
  /**
   * What a connection starts with: what follows its `Last-Event-ID`, the last few numbers regardless, all that the
   * service remembers, or nothing from the past. Default: `missed`.
   */
  resume?: (typeof RESUMES)[number]
  /** How many numbers it remembers; a reader that missed more begins with the oldest of them. Default 50,000. */
  keeps?: number
  /** Whether the document of `/feed` has an ETag. Default: true. */
  validators?: boolean
  /** Default 15,000. */
  heartbeatMs?: number
  /** The `retry:` sent to readers. Default 1,000. */
  retryMs?: number
}

const DEFAULTS = {
  everyMs: 1_000,
  ids: true,
  idStep: 1,
  uuids: false,
  resume: 'missed',
  keeps: MAX_KEPT,
  validators: true,
  heartbeatMs: 15_000,
  retryMs: 1_000,
} as const

export interface CountingOptions {
  name: string
  spec: CountSpec
  faults: FaultHolder
  randomOf: (connection: number) => Random
  world: SimWorld
  /** See {@link Readers}. */
  onSent?: ((number: number) => void) | undefined
}

/** The newest number at an instant; 0 before the first. */
export function newestAt(since: number, everyMs: number, at: number): number {
  return Math.max(0, Math.floor((at - since) / everyMs))
}

/**
 * Counts by the clock: a service that was killed knows every number when it is back, and a reader can prove that none
 * is missing, duplicated, out of order or altered.
 */
export class CountingFeed implements ServiceFeed, Story {
  readonly oldest = 1
  readonly #options: CountingOptions
  readonly #spec: Required<CountSpec>
  readonly #readers: Readers

  constructor(options: CountingOptions) {
    const { spec, world, faults, randomOf, onSent } = options
    this.#options = options
    this.#spec = { ...DEFAULTS, since: world.now(), ...spec }
    const { retryMs } = this.#spec
    this.#readers = new Readers({ story: this, faults, randomOf, retryMs, isPatient: true, onSent })
  }

  get readers(): number {
    return this.#readers.count
  }

  /** The newest number on `/events`; 0 for a service that sends nothing. */
  get newest(): number {
    return this.#spec.tells === 'nothing' ? 0 : this.#now()
  }

  frame(number: number): StreamFrame {
    const { name } = this.#options
    const message =
      this.#spec.tells === 'patches'
        ? { event: 'patch', ...this.#id(number), data: patchTo(name, number) }
        : { ...this.#id(number), data: numberData(name, number) }
    return { bytes: encodeMessage(message), number }
  }

  open({ lastEventId, onEnd }: OpenOptions): Response | undefined {
    const { newest } = this
    const last = this.#spec.resume === 'missed' ? this.#numberOf(lastEventId) : undefined
    const next = this.#next(last)
    // Patches are of use only to a reader that has the document before them.
    const isFresh = this.#spec.tells === 'patches' && (last === undefined || next !== last + 1)
    const opening = isFresh
      ? { greeting: [this.#snapshot(newest)], next: newest + 1 }
      : { greeting: [], next }
    return this.#readers.open({ ...opening, onEnd })
  }

  /** The content of `/feed`. */
  snapshot(): NumberedDocument {
    return documentAt(this.#options.name, this.#now())
  }

  get hasEtag(): boolean {
    return this.#spec.validators
  }

  act(action: Action): number {
    return this.#readers.act(action)
  }

  /**
   * Counts until `closing` aborts.
   * @throws AbortError then
   */
  async run(closing: AbortSignal): Promise<never> {
    const { everyMs, heartbeatMs } = this.#spec
    const stepMs = Math.min(everyMs, heartbeatMs)
    for (let quietMs = 0; ; ) {
      await this.#options.world.sleep(stepMs, closing)
      this.#readers.tell()
      quietMs += stepMs
      if (quietMs < heartbeatMs) continue
      this.#readers.heartbeat()
      quietMs = 0
    }
  }

  close(): void {
    this.#readers.close()
  }

  #now(): number {
    return newestAt(this.#spec.since, this.#spec.everyMs, this.#options.world.now())
  }

  /** @param last the number that the reader asks to continue after */
  #next(last: number | undefined): number {
    const { resume, keeps } = this.#spec
    const { newest } = this
    const oldest = Math.max(1, newest - keeps + 1)
    if (resume === 'last') return Math.max(oldest, newest - REPLAYED + 1)
    if (resume === 'all') return oldest
    return last === undefined ? newest + 1 : Math.max(last + 1, oldest)
  }

  #id(number: number): { id?: string } {
    const { ids, idStep, uuids } = this.#spec
    if (!ids) return {}
    return { id: uuids ? uuidOf(this.#options.name, number) : String(number * idStep) }
  }

  /** The number with an ID; `undefined` if it isn't one that the service remembers. */
  #numberOf(id: string | null): number | undefined {
    const { ids, idStep, uuids, keeps } = this.#spec
    const { newest } = this
    if (!ids || id === null) return undefined
    if (uuids) {
      for (let number = newest; number > Math.max(0, newest - keeps); number--) {
        if (uuidOf(this.#options.name, number) === id) return number
      }
      return undefined
    }
    const number = /^\d{1,15}$/.test(id) ? Number(id) / idStep : Number.NaN
    return Number.isInteger(number) && number <= newest ? number : undefined
  }

  #snapshot(version: number): StreamFrame {
    const data = JSON.stringify(documentAt(this.#options.name, version))
    return { bytes: encodeMessage({ event: 'data', ...this.#id(version), data }), number: version }
  }
}
