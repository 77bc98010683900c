import type { Entry } from '../streams/recording/entry.ts'
import { HostErrors } from './host-errors.ts'
import { Counter, counter, type Family, Histogram, histogram } from './metrics.ts'
import type { Tracer } from './tracer.ts'

/** In seconds: a batch is a few milliseconds embedded; a worker that is silent for five loses its streams. */
const SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface RecordingDeps {
  now(): number
  tracer: Tracer | undefined
}

/** What this process records: counted where the recorder tells of it, so that it does nothing more for that. */
export class Recording {
  readonly #deps: RecordingDeps
  readonly #entries = new Counter<'kind'>()
  readonly #bytes = new Counter<'of'>()
  readonly #gaps = new Counter<'reason'>()
  readonly #hosts: HostErrors
  readonly #batches = new Histogram<'outcome'>(SECONDS_BUCKETS)
  readonly #delays = new Histogram(SECONDS_BUCKETS)
  #dropped = 0

  constructor(deps: RecordingDeps) {
    this.#deps = deps
    this.#hosts = new HostErrors(deps.now)
    // A counter that isn't there yet can't be seen to rise.
    for (const of of ['wire', 'body', 'patch']) this.#bytes.add({ of }, 0)
  }

  /** Takes what has just become durable. @param hostOf the host of a stream that is held here */
  stored(entries: readonly Entry[], hostOf: (streamId: string) => string | undefined): void {
    let oldestAt = Number.POSITIVE_INFINITY
    const bytes = { wire: 0, body: 0, patch: 0 }
    const kinds = new Map<Entry['kind'], number>()
    for (const entry of entries) {
      oldestAt = Math.min(oldestAt, entry.at)
      kinds.set(entry.kind, (kinds.get(entry.kind) ?? 0) + 1)
      bytes.wire += entry.wireBytes
      bytes.body += entry.bodyBytes
      bytes.patch += entry.patchBytes ?? 0
      if (entry.kind === 'error') this.#hosts.add(hostOf(entry.streamId) ?? 'unknown', codeOf(entry))
      if (entry.kind === 'gap') this.#gap(entry)
    }
    for (const [kind, count] of kinds) this.#entries.add({ kind }, count)
    for (const [of, count] of Object.entries(bytes)) this.#bytes.add({ of }, count)
    this.#delays.observe({}, Math.max(0, this.#deps.now() - oldestAt) / 1_000)
  }

  /** Takes how long a write of entries took, in milliseconds, and why it failed. */
  wrote(tookMs: number, error: Error | undefined): void {
    this.#batches.observe({ outcome: error === undefined ? 'stored' : 'failed' }, tookMs / 1_000)
    const { tracer } = this.#deps
    tracer?.record(undefined, {
      ...{ name: 'record batch', kind: 'internal', startedAt: tracer.now() - tookMs, attributes: {} },
      error: error?.name,
    })
  }

  *families(): Iterable<Family> {
    yield counter(
      'weir_entries_stored_total',
      'Entries that became durable, by kind.',
      this.#entries.samples(),
    )
    yield counter(
      'weir_received_bytes_total',
      'Bytes of stored entries: on the wire, decoded, and of changes as patches.',
      this.#bytes.samples(),
    )
    yield counter('weir_gaps_total', 'Gaps written into logs, by reason.', this.#gaps.samples())
    yield counter(
      'weir_entries_dropped_total',
      "Entries that the recorder had no room for, as far as a gap has told them: the database doesn't keep up.",
      this.#dropped,
    )
    yield counter(
      'weir_upstream_errors_total',
      'Errors of upstreams, by code and by host: of 50 hosts, and of all others together.',
      this.#hosts.samples(),
    )
    yield histogram(
      'weir_recorder_batch_seconds',
      'How long the recorder took to write a batch of entries, by outcome.',
      this.#batches,
    )
    yield histogram(
      'weir_recorder_delay_seconds',
      'From making the oldest entry of a batch until it was durable.',
      this.#delays,
    )
  }

  #gap({ data }: Entry): void {
    const { reason, count } = parsed(data)
    this.#gaps.add({ reason: typeof reason === 'string' ? reason : 'unknown' })
    if (reason === 'buffer_full' && typeof count === 'number') this.#dropped += count
  }
}

function codeOf({ data }: Entry): string {
  const { code } = parsed(data)
  return typeof code === 'string' ? code : 'unknown'
}

function parsed(data: string | undefined): Record<string, unknown> {
  try {
    return JSON.parse(data ?? '{}') as Record<string, unknown>
  } catch {
    return {}
  }
}
