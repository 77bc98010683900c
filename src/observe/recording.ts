import { changeBytes } from '../streams/measures/rollup-delta.ts'
import type { Entry } from '../streams/recording/entry.ts'
import { HostErrors } from './host-errors.ts'
import { Counter, counter, histogram, LabelledHistogram, type MetricFamily } from './metrics.ts'
import type { Tracer } from './tracer.ts'

/** In seconds: a batch takes a few milliseconds embedded; a worker that is silent for five loses its streams. */
const SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface RecordingDeps {
  now(): number
  tracer: Tracer | undefined
}

/** Counts what this process records, from the recorder's own events, so that it costs little. */
export class Recording {
  readonly #deps: RecordingDeps
  readonly #entries = new Counter<'kind'>()
  readonly #bytes = new Counter<'of'>()
  readonly #gaps = new Counter<'reason'>()
  readonly #hosts: HostErrors
  readonly #batches = new LabelledHistogram<'outcome'>(SECONDS_BUCKETS)
  readonly #delays = new LabelledHistogram(SECONDS_BUCKETS)
  #dropped = 0

  constructor(deps: RecordingDeps) {
    this.#deps = deps
    this.#hosts = new HostErrors(deps.now)
    // A counter must exist before it rises, or the first increase is missed.
    for (const of of ['wire', 'body', 'patch']) this.#bytes.add({ of }, 0)
  }

  /**
   * Counts entries that have just become durable.
   * @param hostOf the host of a stream that runs here
   */
  stored(entries: readonly Entry[], hostOf: (streamId: string) => string | undefined): void {
    let oldestAt = Number.POSITIVE_INFINITY
    const bytes = { wire: 0, body: 0, patch: 0 }
    const kinds = new Map<Entry['kind'], number>()
    for (const entry of entries) {
      oldestAt = Math.min(oldestAt, entry.at)
      kinds.set(entry.kind, (kinds.get(entry.kind) ?? 0) + 1)
      bytes.wire += entry.wireBytes
      bytes.body += entry.bodyBytes
      bytes.patch += (entry.changed && changeBytes(entry)) || 0
      if (entry.kind === 'error') this.#hosts.add(hostOf(entry.streamId) ?? 'unknown', codeOf(entry))
      if (entry.kind === 'gap') this.#gap(entry)
    }
    for (const [kind, count] of kinds) this.#entries.add({ kind }, count)
    for (const [of, count] of Object.entries(bytes)) this.#bytes.add({ of }, count)
    this.#delays.observe({}, Math.max(0, this.#deps.now() - oldestAt) / 1_000)
  }

  /** Records how long a write took, in milliseconds, and why it failed. */
  wrote(tookMs: number, error: Error | undefined): void {
    this.#batches.observe({ outcome: error === undefined ? 'stored' : 'failed' }, tookMs / 1_000)
    const { tracer } = this.#deps
    tracer?.record(undefined, {
      ...{ name: 'record batch', kind: 'internal', startedAt: tracer.now() - tookMs, attributes: {} },
      error: error?.name,
    })
  }

  *families(): Iterable<MetricFamily> {
    yield counter('weir_entries_stored_total', 'Stored entries by kind.', this.#entries.samples())
    yield counter(
      'weir_received_bytes_total',
      'Bytes of stored entries: on the wire, decoded, and as patches.',
      this.#bytes.samples(),
    )
    yield counter('weir_gaps_total', 'Recorded gaps by reason.', this.#gaps.samples())
    yield counter(
      'weir_entries_dropped_total',
      "Entries dropped and recorded as gaps because the database can't keep up.",
      this.#dropped,
    )
    yield counter(
      'weir_upstream_errors_total',
      'Upstream errors by code and host: up to 50 hosts, the others together.',
      this.#hosts.samples(),
    )
    yield histogram(
      'weir_recorder_batch_seconds',
      'Duration of writing a batch of entries, by outcome.',
      this.#batches,
    )
    yield histogram(
      'weir_recorder_delay_seconds',
      'Delay from creation of the oldest entry of a batch until it is stored.',
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
