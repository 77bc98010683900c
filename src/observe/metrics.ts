import { type Buckets, boundedBuckets, Histogram } from '../core/histogram.ts'

/** One value of a metric, with its labels. */
export interface Sample {
  labels?: Labels
  value: number
  /** Suffix of the name, for histograms only. */
  suffix?: '_bucket' | '_sum' | '_count'
}

export type Labels = Readonly<Record<string, string>>

/** Metrics of one name, which ends in a unit, or in `_total` for counters. */
export interface MetricFamily {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  /** One line; for gauges from the database, it says so. */
  help: string
  samples: Iterable<Sample>
}

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Series of one counter or histogram; beyond it, values are counted with all labels set to `other`. */
const MAX_SERIES = 2_000

/** Families in the Prometheus text format. */
export function expose(families: Iterable<MetricFamily>): string {
  let text = ''
  for (const { name, type, help, samples } of families) {
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`
    for (const { labels, value, suffix = '' } of samples) {
      text += `${name}${suffix}${labelText(labels)} ${numberText(value)}\n`
    }
  }
  return text
}

export function gauge(name: string, help: string, samples: number | Iterable<Sample>): MetricFamily {
  return { name, type: 'gauge', help, samples: typeof samples === 'number' ? [{ value: samples }] : samples }
}

export function counter(name: string, help: string, samples: number | Iterable<Sample>): MetricFamily {
  return { ...gauge(name, help, samples), type: 'counter' }
}

export function histogram(name: string, help: string, spread: { samples(): Iterable<Sample> }): MetricFamily {
  return { name, type: 'histogram', help, samples: spread.samples() }
}

/** Counts by labels. */
export class Counter<Name extends string = never> {
  readonly #series = new Map<string, { labels: Record<Name, string>; value: number }>()

  add(labels: Record<Name, string>, count = 1): void {
    seriesOf(this.#series, labels, (own) => ({ labels: own, value: 0 })).value += count
  }

  *samples(): Iterable<Sample> {
    yield* this.#series.values()
  }
}

/** Distributions by labels, with given bucket bounds. */
export class LabelledHistogram<Name extends string = never> {
  readonly #bounds: readonly number[]
  readonly #buckets: Buckets
  readonly #series = new Map<string, { labels: Record<Name, string>; values: Histogram; sum: number }>()

  /** @param bounds inclusive upper bounds of the buckets, ascending; the unbounded last one is added */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#buckets = boundedBuckets(bounds)
  }

  observe(labels: Record<Name, string>, value: number): void {
    const series = seriesOf(this.#series, labels, (own) => ({
      labels: own,
      values: new Histogram(this.#buckets),
      sum: 0,
    }))
    series.values.add(value)
    series.sum += value
  }

  *samples(): Iterable<Sample> {
    for (const { labels, values, sum } of this.#series.values()) {
      let value = 0
      for (const [bucket, bound] of [...this.#bounds, Infinity].entries()) {
        value += values.countOf(bucket)
        yield { suffix: '_bucket', labels: { ...labels, le: numberText(bound) }, value }
      }
      yield { suffix: '_sum', labels, value: sum }
      yield { suffix: '_count', labels, value }
    }
  }
}

function seriesOf<Name extends string, Series>(
  all: Map<string, Series>,
  labels: Record<Name, string>,
  make: (labels: Record<Name, string>) => Series,
): Series {
  const key = Object.values(labels).join('\n')
  const known = all.get(key)
  if (known !== undefined) return known
  const isFull = all.size >= MAX_SERIES
  const own = isFull
    ? (Object.fromEntries(Object.keys(labels).map((name) => [name, 'other'])) as Record<Name, string>)
    : labels
  const ownKey = isFull ? Object.values(own).join('\n') : key
  const series = all.get(ownKey) ?? make(own)
  all.set(ownKey, series)
  return series
}

function labelText(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? '+Inf' : '-Inf'
}
