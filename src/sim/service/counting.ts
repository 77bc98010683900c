import { encodeMessage } from '../../core/sse.ts'
import type { FaultHolder } from '../faults/faults.ts'
import type { Frame } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import type { Feed, OpenOptions } from './events.ts'
import { documentAt, type NumberedDocument, numberData, patchTo } from './numbers.ts'
import { type Action, Readers, type Story } from './readers.ts'

/** Numbers that a reader that comes back is sent. At the bound the oldest are left out. */
const MAX_REPLAYED = 50_000
/** What every connection begins with where `resume` is `last`. */
export const REPLAYED = 20

export const TELLS = ['numbers', 'patches', 'nothing'] as const
export const RESUMES = ['missed', 'last', 'nothing'] as const

/** What a service that counts by the clock tells. */
export interface CountSpec {
  /** An event for each number; its document and then a patch of it for each number; or heartbeats only. */
  tells: (typeof TELLS)[number]
  /** Time between two numbers, in milliseconds. Default 1,000. */
  everyMs?: number
  /** When it was at 0, in milliseconds since the epoch. Default: its start. */
  since?: number
  /** Whether events have ids: their numbers. Default true. */
  ids?: boolean
  /**
   * What a connection begins with: what was missed since its `Last-Event-ID`, the last few numbers whatever its
   * `Last-Event-ID`, or nothing of the past. Default `missed`.
   */
  resume?: (typeof RESUMES)[number]
  /** Whether the document of `/feed` has an ETag. Default true. */
  validators?: boolean
  /** Default 15,000. */
  heartbeatMs?: number
  /** The reconnection time that readers are told. Default 1,000. */
  retryMs?: number
}

const DEFAULTS = {
  everyMs: 1_000,
  ids: true,
  resume: 'missed',
  validators: true,
  heartbeatMs: 15_000,
  retryMs: 1_000,
} as const

export interface CountingOptions {
  name: string
  spec: CountSpec
  faults: FaultHolder
  randomOf: (connection: number) => Random
  world: World
  /** See {@link Readers}. */
  onSent?: ((number: number) => void) | undefined
}

/** The newest number at an instant; 0 before the first. */
export function newestAt(since: number, everyMs: number, at: number): number {
  return Math.max(0, Math.floor((at - since) / everyMs))
}

/**
 * Counts by the clock: a service that was killed knows every number when it is back, and whoever follows it can prove
 * that none is missing, doubled, out of order or altered.
 */
export class CountingFeed implements Feed, Story {
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

  /** What `/events` has told by now; none for a service that tells nothing. */
  get newest(): number {
    return this.#spec.tells === 'nothing' ? 0 : this.#now()
  }

  frame(number: number): Frame {
    const { tells, ids } = this.#spec
    const { name } = this.#options
    const id = ids ? { id: String(number) } : {}
    const message =
      tells === 'patches'
        ? { event: 'patch', ...id, data: patchTo(name, number) }
        : { ...id, data: numberData(name, number) }
    return { bytes: encodeMessage(message), number }
  }

  open({ lastEventId, onEnd }: OpenOptions): Response | undefined {
    const { newest } = this
    const next = this.#next(lastEventId)
    const isFresh = this.#spec.tells === 'patches' && next > newest && lastEventId !== String(newest)
    return this.#readers.open({ greeting: isFresh ? [this.#snapshot(newest)] : [], next, onEnd })
  }

  /** What `/feed` shows. */
  snapshot(): NumberedDocument {
    return documentAt(this.#options.name, this.#now())
  }

  get hasEtag(): boolean {
    return this.#spec.validators
  }

  act(action: Action): number {
    return this.#readers.act(action)
  }

  /** Counts until `closing` aborts. @throws AbortError then */
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

  #next(lastEventId: string | null): number {
    const { ids, resume } = this.#spec
    const { newest } = this
    if (resume === 'last') return Math.max(1, newest - REPLAYED + 1)
    const isKnown = ids && resume === 'missed' && lastEventId !== null && /^\d{1,15}$/.test(lastEventId)
    if (!isKnown || Number(lastEventId) > newest) return newest + 1
    return Math.max(Number(lastEventId) + 1, newest - MAX_REPLAYED + 1)
  }

  #snapshot(version: number): Frame {
    const id = this.#spec.ids ? { id: String(version) } : {}
    const data = JSON.stringify(documentAt(this.#options.name, version))
    return { bytes: encodeMessage({ event: 'data', ...id, data }), number: version }
  }
}
