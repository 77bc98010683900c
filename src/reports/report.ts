import { AVAILABILITY_WINDOW_NAMES, type AvailabilityStep } from '../core/availability.ts'
import type { Comparisons } from '../core/change/groups.ts'
import { type Estimate, estimateRate } from '../core/change/rate.ts'
import { publicUrl, withoutHidden } from '../core/public-url.ts'
import { STREAM_KIND } from '../core/sets/stream-kinds.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { availabilityOf, availabilitySteps, availabilityWindows } from '../streams/measures/availability.ts'
import { comparisonsOf } from '../streams/measures/comparisons.ts'
import { lastCpuTrials, type StoredCpuTrial } from '../streams/measures/cpu-trials.ts'
import { type StepOf, sumsOf, type Window } from '../streams/measures/measures.ts'
import { readStreamSavings, type StreamSavings, summaryOf } from '../streams/measures/savings.ts'
import { hideValues } from '../streams/registry/own-secrets.ts'
import { optionSecrets } from '../streams/registry/request-options.ts'
import {
  availabilityFigures,
  changeFigures,
  cpuFigures,
  type Figure,
  savingsFigures,
  sizeFigures,
} from './figures.ts'

/** Longest period of a report, in milliseconds: a year and a day of a leap year. */
export const MAX_PERIOD_MS = 367 * DAY_MS
/** Default period. */
const PERIOD_MS = 7 * DAY_MS
/** Lengths of a segment of the bar, in milliseconds; the first with at most {@link MAX_SEGMENTS} is used. */
const SEGMENTS_MS = [MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 12 * HOUR_MS, DAY_MS, 7 * DAY_MS]
const MAX_SEGMENTS = 100

/** A report of one stream over a period. Contains nothing that its readers may not know. */
export interface Report {
  version: string
  madeAt: Date
  from: Date
  to: Date
  subject: Subject
  /** In the order in which they are shown. */
  figures: readonly Figure[]
  /** Sentences. `frequency` is null if nothing was compared; `savings` if nothing was polled. */
  words: { frequency: string | null; savings: string | null }
  /** The last measurement of a server's CPU, whenever it was made; null if there is none. */
  cpu: StoredCpuTrial | null
  comparisons: readonly StepOf<Comparisons>[]
  segmentMs: number
  /** Availability over the period, oldest first; those without data are left out. */
  segments: readonly AvailabilityStep[]
}

/** What figures are about. */
export interface Subject {
  name: string
  url: string
  kind: Stream['kind']
  /** Null for an event stream. */
  intervalMs: number | null
  registeredAt: Date
}

export interface ReportDeps {
  db: Database
  version: string
  now(): number
}

/**
 * The period of a report, by default the last 7 days. Its end may not be in the future, where nothing is known.
 * @throws Problem `invalid_field`
 */
export function periodOf({ from, to }: { from?: Date; to?: Date }, now: number): Window {
  const end = new Date(Math.min(to?.getTime() ?? now, now))
  const start = from ?? new Date(end.getTime() - PERIOD_MS)
  const ms = end.getTime() - start.getTime()
  if (ms <= 0) throw new Problem('invalid_field', '`from` must be before `to`, and in the past.', 'from')
  if (ms > MAX_PERIOD_MS) throw new Problem('invalid_field', 'A report covers at most 367 days.', 'from')
  return { from: start, to: end }
}

export async function readReport(
  { db, version, now }: ReportDeps,
  stream: Stream,
  period: Window,
): Promise<Report> {
  const scope = { streamId: stream.id }
  const segmentMs = segmentFor(period)
  const [sums, comparisons, share, windows, segments, savings, trials] = await Promise.all([
    sumsOf(db, scope, period),
    comparisonsOf(db, stream, period),
    availabilityOf(db, { stream }, period),
    availabilityWindows(db, { stream }, period.to.getTime()),
    availabilitySteps(db, { stream }, period, segmentMs),
    savingsOf(db, stream, period),
    lastCpuTrials(db, [stream.id]),
  ])
  const estimate = estimateRate(comparisons)
  const trial = trials.get(stream.id)
  const { isPolled } = STREAM_KIND[stream.kind]
  return {
    version,
    madeAt: new Date(now()),
    ...period,
    subject: subjectOf(stream),
    figures: [
      ...sizeFigures(sums, isPolled),
      ...changeFigures(sums, estimate, isPolled),
      ...availabilityFigures(
        [['period', share], ...AVAILABILITY_WINDOW_NAMES.map((name) => [name, windows[name]] as const)],
        period,
      ),
      ...(savings === undefined ? [] : savingsFigures(savings)),
      ...(isPolled ? cpuFigures(trial) : []),
    ],
    words: wordsOf(estimate, savings),
    cpu: trial ?? null,
    comparisons,
    ...{ segmentMs, segments },
  }
}

async function savingsOf(
  db: Database,
  { id, kind }: Stream,
  period: Window,
): Promise<StreamSavings | undefined> {
  if (!STREAM_KIND[kind].isPolled) return undefined
  const [found] = await readStreamSavings(db, { streamId: id }, period)
  return found
}

function wordsOf(estimate: Estimate | null, savings: StreamSavings | undefined): Report['words'] {
  return { frequency: estimate?.words ?? null, savings: savings === undefined ? null : summaryOf(savings) }
}

/** What the report is about, without header values and without keys in the URL. */
export function subjectOf(stream: Stream): Subject {
  const { url, hidden } = publicUrl(stream.url)
  const hide = hideValues(stream.headers, optionSecrets(stream))
  return {
    name: hide(withoutHidden(stream.name, hidden)),
    url: hide(url),
    kind: stream.kind,
    intervalMs: STREAM_KIND[stream.kind].isPolled ? stream.intervalMs : null,
    registeredAt: stream.createdAt,
  }
}

function segmentFor({ from, to }: Window): number {
  const ms = to.getTime() - from.getTime()
  return SEGMENTS_MS.find((segmentMs) => ms / segmentMs <= MAX_SEGMENTS) ?? 7 * DAY_MS
}
