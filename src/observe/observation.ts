import type { Config } from '../config/settings.ts'
import type { Hub } from '../hub/hub.ts'
import type { EgressFetch } from '../net/egress.ts'
import type { Queue } from '../queue/types.ts'
import type { Database } from '../storage/storage.ts'
import { Attempts } from './attempts.ts'
import type { Log } from './log.ts'
import { counter, gauge, type MetricFamily } from './metrics.ts'
import { ProcessMetrics } from './process-metrics.ts'
import { readDatabase, readQueues, readSaved, readSize } from './readings.ts'
import { Recording } from './recording.ts'
import { Requests } from './requests.ts'
import { Scrape } from './scrape.ts'
import { tracedFetch } from './traced-fetch.ts'
import { Tracer } from './tracer.ts'

/** The size of the log on disk changes slowly, and reading it queries every partition. In milliseconds. */
const SIZE_FOR_MS = 30_000
/** Savings are read stream by stream, and are those of a whole day. In milliseconds. */
const SAVINGS_FOR_MS = 60_000

export interface ObservationDeps {
  config: Config
  version: string
  /** Identifies this process. */
  process: string
  log: Log
  now(): number
}

/** The sources of this process's figures. */
export interface Observed {
  db: Database
  queues: readonly Promise<Queue>[]
  hub: Pick<Hub, 'counts'>
  recorder: { readonly waiting: number }
  holder: { readonly size: number }
  proxy: { readonly targets: number }
  counts: { readonly unshared: number } | undefined
}

/** What an operator sees of a process: counters, traces, requests. */
export class Observation {
  /** Undefined if tracing is off; then tracing costs nothing. */
  readonly tracer: Tracer | undefined
  readonly requests: Requests
  readonly recording: Recording
  readonly attempts: Attempts
  readonly #deps: ObservationDeps
  readonly #process = new ProcessMetrics()

  constructor(deps: ObservationDeps) {
    const { log, now } = deps
    this.#deps = deps
    this.tracer = tracerOf(deps)
    this.requests = new Requests({ log, tracer: this.tracer })
    this.recording = new Recording({ now, tracer: this.tracer })
    this.attempts = new Attempts(this.tracer)
  }

  /** The fetch of the followers, with their requests traced. */
  following(fetch: EgressFetch): EgressFetch {
    const { config } = this.#deps
    return this.tracer === undefined
      ? fetch
      : tracedFetch(fetch, this.tracer, config.otelPropagates === 'yes')
  }

  scrape(observed: Observed): Scrape {
    const { now } = this.#deps
    const { db, queues } = observed
    return new Scrape({
      own: [
        () => this.#families(observed),
        () => this.requests.families(),
        () => this.recording.families(),
        () => this.attempts.families(),
        () => this.#process.families(),
      ],
      sources: [
        { name: 'database', read: () => readDatabase(db, now()) },
        { name: 'size', read: () => readSize(db), forMs: SIZE_FOR_MS },
        { name: 'savings', read: () => readSaved(db, now()), forMs: SAVINGS_FOR_MS },
        { name: 'queue', read: () => readQueues(queues) },
      ],
      now,
    })
  }

  async close(): Promise<void> {
    this.#process.close()
    await this.tracer?.close()
  }

  *#families({ hub, recorder, holder, proxy, counts }: Observed): Iterable<MetricFamily> {
    const { version, config } = this.#deps
    const labels = { version, bun: Bun.version, role: config.role }
    yield gauge('weir_build_info', 'Build information; always 1.', [{ labels, value: 1 }])
    yield gauge('weir_streams_held', 'Streams that this process runs.', holder.size)
    yield gauge('weir_recorder_waiting_entries', 'Entries waiting to be stored.', recorder.waiting)
    const { open, ...closed } = hub.counts
    yield gauge('weir_fanout_subscribers', 'Open event streams to subscribers.', open)
    yield counter(
      'weir_fanout_closed_total',
      'Closed event streams to subscribers, by reason: `slow` subscribers fell behind, `revoked` ones lost their key or session.',
      Object.entries(closed).map(([reason, value]) => ({ labels: { reason }, value })),
    )
    yield gauge(
      'weir_proxy_targets',
      'Streams that the proxy of this process serves to subscribers.',
      proxy.targets,
    )
    if (counts !== undefined) {
      yield counter(
        'weir_limits_unshared_total',
        "Times that this process couldn't count a limit in Redis together with the others.",
        counts.unshared,
      )
    }
    if (this.tracer === undefined) return
    const spans = Object.entries(this.tracer.counts)
    yield counter(
      'weir_spans_total',
      'Trace spans sent to the collector or dropped.',
      spans.map(([outcome, value]) => ({ labels: { outcome }, value })),
    )
  }
}

function tracerOf({ config, version, process }: ObservationDeps): Tracer | undefined {
  if (config.otelEndpoint === undefined) return undefined
  return new Tracer({
    endpoint: config.otelEndpoint,
    headers: config.otelHeaders ?? {},
    ratio: config.otelRatio,
    resource: {
      'service.name': config.otelServiceName,
      'service.version': version,
      'service.instance.id': process,
    },
  })
}
