import { Elysia } from 'elysia'
import { type Estimate, frequencyOf, missedShare } from '../../core/change/rate.ts'
import {
  baselines,
  changeRate,
  compressedStreaming,
  freshness,
  type PollSums,
  STEPS_MS,
  type Step,
  streaming,
  streamRank,
  suggestInterval,
} from '../../core/measures.ts'
import { HEADLINE } from '../../core/saved.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { DAY_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import {
  availabilityOf,
  availabilitySteps,
  availabilityWindows,
} from '../../streams/measures/availability.ts'
import { changesOf, changesOfMany } from '../../streams/measures/comparisons.ts'
import { lastChangedAt } from '../../streams/measures/last-change.ts'
import { latencyStepsOf } from '../../streams/measures/latency-steps.ts'
import {
  checkSteps,
  type FanoutSums,
  fanoutSums,
  hourOfWeek,
  lastChange,
  type MeasureScope,
  polledStepsOf,
  polledSumsOf,
  type SteppedWindow,
  stepsOf,
  sumsOf,
  topPaths,
  type Window,
} from '../../streams/measures/measures.ts'
import { readSavings, type ScopeSavings, upstreamSavings } from '../../streams/measures/savings.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { json } from '../answers/answer.ts'
import * as answers from '../answers/measures.ts'
import { describe } from '../http/describe.ts'
import { invalid } from '../http/input.ts'
import { SPAN } from '../http/parameters.ts'
import { choice, otherwise, parameters, text, whole } from '../http/query.ts'
import { sharedBy } from '../http/shared.ts'

/** Default: the last 24 hours in hourly steps. */
const DEFAULT_SPAN_MS = DAY_MS
const DEFAULT_STEP: Step = 'hour'
const STEPS = Object.keys(STEPS_MS) as Step[]
/** Period of the weekly profile, in milliseconds: eight weeks. */
const PROFILE_MS = 56 * DAY_MS
/** Maximum number of changed paths in a response. */
const MAX_PATHS = 20
/** Maximum value of the `subscribers` parameter. */
const MAX_SUBSCRIBERS = 1_000_000_000

/** Intervals whose missed changes are estimated, as multiples of the current one. */
const MISSED_BY = [0.1, 0.5, 1, 2, 10]

/** How long savings of all streams are cached, in milliseconds: they are read stream by stream. */
const SHARED_MS = 4_000
/** The same for the availability of many streams, over 90 days. */
const AVAILABILITY_SHARED_MS = 15_000

const STEPPED = { ...SPAN, step: otherwise(choice(STEPS), DEFAULT_STEP) }
const SUBSCRIBERS = {
  subscribers: whole({ min: 1, max: MAX_SUBSCRIBERS }, 'Number of subscribers to assume'),
}
const TAG = { tag: text('Only streams with this tag') }
const SpanQuery = parameters(STEPPED)
const TagQuery = parameters({ ...STEPPED, ...TAG })

/** Size, change rate, savings and latency of a stream, a tag, or all streams. */
export function measureRoutes({ db, streams, now }: { db: Database; streams: Streams; now(): number }) {
  const ofFleet = sharedBy((window: Window) => readSavings(db, 'fleet', window), minutesOf, {
    now,
    forMs: SHARED_MS,
  })
  const windowsOf = sharedBy(
    (tag: string | undefined) => availabilityWindows(db, tag === undefined ? 'fleet' : { tag }, now()),
    (tag) => tag ?? '',
    { now, forMs: AVAILABILITY_SHARED_MS },
  )
  return new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/streams/:id/size',
      async ({ params, query }) => {
        const { id } = await streams.get(params.id)
        return size(db, { streamId: id }, spanOf(query))
      },
      { query: SpanQuery, response: json(answers.Size), detail: describe('Sizes of a stream', SIZE) },
    )
    .get(
      '/api/streams/:id/change',
      async ({ params, query }) => {
        const stream = await streams.get(params.id)
        return change(db, { streamId: stream.id }, spanOf(query), stream)
      },
      {
        query: SpanQuery,
        response: json(answers.Change),
        detail: describe('Change rate of a stream', CHANGE),
      },
    )
    .get(
      '/api/streams/:id/savings',
      async ({ params, query }) => {
        const { id, kind } = await streams.get(params.id)
        const span = spanOf(query)
        const saved = await saving(db, { streamId: id }, span, {
          total: readSavings(db, { streamId: id }, span),
          asked: query.subscribers,
        })
        return STREAM_KIND[kind].isPolled ? saved : { ...saved, reason: NOT_POLLED }
      },
      {
        query: parameters({ ...STEPPED, ...SUBSCRIBERS }),
        response: json(answers.Savings),
        detail: describe('Savings of a stream', SAVINGS),
      },
    )
    .get(
      '/api/streams/:id/latency',
      async ({ params, query }) => {
        const { id } = await streams.get(params.id)
        const span = spanOf(query)
        checkSteps(span)
        return { ...span, steps: await latencyStepsOf(db, id, span, STEPS_MS[span.step]) }
      },
      {
        query: SpanQuery,
        response: json(answers.Latency),
        detail: describe('Latency of a stream', LATENCY),
      },
    )
    .get(
      '/api/streams/:id/availability',
      async ({ params, query }) => {
        const scope = { stream: await streams.get(params.id) }
        const span = spanOf(query)
        checkSteps(span)
        const [total, windows, steps] = await Promise.all([
          availabilityOf(db, scope, span),
          availabilityWindows(db, scope, now()),
          availabilitySteps(db, scope, span, STEPS_MS[span.step]),
        ])
        return { ...span, ...total, windows, steps }
      },
      {
        query: SpanQuery,
        response: json(answers.Availability),
        detail: describe('Availability of a stream', AVAILABILITY),
      },
    )
    .get('/api/availability', async ({ query: { tag } }) => ({ windows: await windowsOf(tag) }), {
      query: parameters(TAG),
      response: json(answers.FleetAvailability),
      detail: describe('Availability of many streams', `${GROUP} ${AVAILABILITY_OF_MANY} ${AVAILABILITY}`),
    })
    .get('/api/size', ({ query }) => size(db, scopeOf(query.tag), spanOf(query)), {
      query: TagQuery,
      response: json(answers.Size),
      detail: describe('Sizes of many streams', `${GROUP} ${SIZE}`),
    })
    .get('/api/change', ({ query }) => change(db, scopeOf(query.tag), spanOf(query)), {
      query: TagQuery,
      response: json(answers.Change),
      detail: describe('Change rate of many streams', `${GROUP} ${CHANGE}`),
    })
    .get(
      '/api/savings',
      ({ query }) => {
        const [scope, span] = [scopeOf(query.tag), spanOf(query)]
        const total = scope === 'fleet' ? ofFleet(span) : readSavings(db, scope, span)
        return saving(db, scope, span, { total, asked: query.subscribers })
      },
      {
        query: parameters({ ...STEPPED, ...TAG, ...SUBSCRIBERS }),
        response: json(answers.Savings),
        detail: describe('Savings of many streams', `${GROUP} ${SAVINGS}`),
      },
    )
}

const MINUTES =
  'Counts whole minutes, including those of `from` and `to`. Default: the last 24 hours in hourly steps; at most 1,440 ' +
  'steps.'
const GROUP = 'For all streams, or only those with the `tag`.'
const SIZE =
  '`wireBytes`: as received, before decompression; `bodyBytes`: after decompression; `headBytes`: status lines and ' +
  'headers of answered polls; `patchBytes`: changes as RFC 6902 patches, or as a snapshot if smaller (0 for an unchanged ' +
  `poll). \`notModified\`: the number of \`polls\` answered with 304. ${MINUTES}`
const CHANGE =
  '`changeRate` = changed / compared. `frequency`: changes per hour with the 95% interval, estimated from the real times ' +
  'between polls; `perHour` and `high` are null if nearly every poll found a change, as only a lower bound is known ' +
  'then. `missed`: the share of changes that polling at other intervals would miss. `streamRank`: `rank` is the ' +
  'frequency over the last 24 h on a logarithmic scale from once a day (0) to once a second (100), with the number of ' +
  '`samples`; `time`: share of polls that found nothing new, `size`: share of bytes that is not new, `change`: rank / ' +
  '100. `freshness` = patchBytes / bytes of the bodies received by plain polling, 0 to 1. ' +
  '`suggestedIntervalMs` is the interval at which half of the polls find a change, ln 2 / frequency, from 500 ms to ' +
  'a week, rounded; null with fewer than 10 comparisons, without a change, if nearly every poll found one, and for many ' +
  'streams. `paths` lists the 20 ' +
  'paths that changed most, by whole hours, with their share of all changes. `hourOfWeek` runs from Monday 00:00 UTC (0) ' +
  `to Sunday 23:00 (167), over the last eight weeks. ${MINUTES}`
const SAVINGS =
  'Bytes transferred by polling compared with streaming to one permanently connected subscriber per stream. `saving` is the ' +
  'headline, as everywhere in Weir: the share that streaming saves over the baseline in `headline`, `conditional`; `summary` ' +
  'says it in a sentence, with the estimate for the network. `median` has the median of the streams’ shares. `baselines`: ' +
  'response bodies and headers when polled plainly, with gzip, and with gzip and validators (`conditional`). `streaming`: ' +
  'changes as SSE frames, a 13-byte heartbeat every 15 s, connections with headers and snapshot, and HTTP chunk framing; ' +
  '`plain` and with `gzip`. `clientBandwidthSavings` = 1 − streaming / baseline: plain against plain, `gzip` and ' +
  '`conditional` against streaming with gzip; for `plain`, never below −overheadBytes / baseline. `network` estimates what ' +
  'crosses the network: `payloadBytes` as above, and requests, TCP/IP headers of all packets (`packetBytes`), and TLS if the ' +
  'API is encrypted. `serverBandwidthSavings` = 1 − bytes that Weir polled / (subscribers × baseline); `subscribers` is the ' +
  'parameter, or the mean number of actual subscribers, at least 1. `measured` is the traffic to actual subscribers; null ' +
  'without subscribers. Connections count in the total, not in the `steps`. Without polls, the values are null and `reason` ' +
  `says why. ${MINUTES}`
const LATENCY =
  'Median and 95th percentile of the time from request to end of response of each poll, in milliseconds, accurate to ' +
  '3%, from 1 ms to 11 minutes. Steps without a response are left out. Available for as long as per-minute rollups are ' +
  `kept. ${MINUTES}`
const AVAILABILITY =
  '`share`: for polled streams (`basis`: `checks`), answered / all scheduled checks: the first request of each interval, and ' +
  'intervals that passed while retries failed or the API asked to wait; for event streams (`time`), the share of observed ' +
  'time with a connection that was not silent for too long. Time in which Weir did not follow the stream, or its ' +
  'notifications were silenced, counts neither way. `windows`: the last 1 h, 24 h, 7 d, 30 d and 90 d.'
const AVAILABILITY_OF_MANY = 'The mean over streams (`basis`: `mean`), without twins and private streams.'
/** Steps assume subscribers that stay connected. */
const STAYING = { connections: 0, snapshotBytes: 0, snapshotGzipBytes: 0 }
const NOT_POLLED = 'The API already sends an event stream, so there is no polling to save.'
const NO_POLLS = 'No poll was answered in this period.'
const NO_SHARES = { plain: null, gzip: null, conditional: null }

async function size(db: Database, scope: MeasureScope, span: SteppedWindow) {
  const [total, steps] = await Promise.all([sumsOf(db, scope, span), stepsOf(db, scope, span)])
  return { ...span, total: sizes(total), steps: steps.map((step) => ({ at: step.at, ...sizes(step) })) }
}

function sizes({ entries, polls, notModified, errors, ...bytes }: PollSums) {
  const { wireBytes, bodyBytes, headBytes, patchBytes } = bytes
  return { entries, polls, notModified, errors, wireBytes, bodyBytes, headBytes, patchBytes }
}

async function change(db: Database, scope: MeasureScope, span: SteppedWindow, stream?: Stream) {
  const now = new Date()
  const since = (ms: number) => ({ from: new Date(now.getTime() - ms), to: now })
  const changes = (window: Window) =>
    stream === undefined ? changesOfMany(db, scope, window) : changesOf(db, stream, window)
  const [total, polled, lastDay, estimate, ofLastDay, steps, changedAt, paths, profile] = await Promise.all([
    sumsOf(db, scope, span),
    polledSumsOf(db, scope, span),
    sumsOf(db, scope, since(DAY_MS)),
    changes(span),
    changes(since(DAY_MS)),
    stepsOf(db, scope, span),
    stream === undefined ? lastChange(db, scope) : lastChangedAt(db, stream.id),
    topPaths(db, scope, span, MAX_PATHS),
    hourOfWeek(db, scope, since(PROFILE_MS)),
  ])
  return {
    ...span,
    compared: total.compared,
    changed: total.changed,
    changeRate: changeRate(total),
    frequency: frequencyOf(estimate),
    streamRank: streamRank(lastDay, ofLastDay),
    freshness: freshness(polled),
    ...intervals(estimate, total.compared, stream),
    lastChangedAt: changedAt ?? null,
    paths,
    steps: steps.map((step) => ({
      at: step.at,
      compared: step.compared,
      changed: step.changed,
      changeRate: changeRate(step),
    })),
    hourOfWeek: profile.map((hour) => ({ ...hour, changeRate: changeRate(hour) })),
  }
}

/** What other intervals would miss, and the one that is suggested: only for one stream that is polled. */
function intervals(estimate: Estimate | null, samples: number, stream: Stream | undefined) {
  if (estimate === null || stream === undefined || !STREAM_KIND[stream.kind].isPolled) {
    return { suggestedIntervalMs: null, missed: [] }
  }
  const isKnown = estimate.perHour !== null
  const intervalsMs = MISSED_BY.map((factor) => Math.round(stream.intervalMs * factor))
  return {
    suggestedIntervalMs: suggestInterval(estimate, samples),
    missed: isKnown
      ? intervalsMs.map((intervalMs) => ({ intervalMs, share: missedShare(estimate.perMs, intervalMs) }))
      : [],
  }
}

async function saving(
  db: Database,
  scope: MeasureScope,
  span: SteppedWindow,
  { total, asked }: { total: Promise<ScopeSavings | undefined>; asked: number | undefined },
) {
  const [saved, sent, steps] = await Promise.all([
    total,
    fanoutSums(db, scope, span),
    polledStepsOf(db, scope, span),
  ])
  const subscribers = asked ?? Math.max(1, saved?.subscribers ?? 0)
  return {
    ...span,
    polls: saved?.polls ?? 0,
    connections: saved?.connections ?? 0,
    headline: HEADLINE,
    saving: saved?.saving ?? null,
    summary: saved?.summary ?? null,
    median: saved?.median ?? { streams: 0, ...NO_SHARES },
    baselines: saved?.totals.baselines ?? null,
    streaming: saved?.totals.streaming ?? null,
    overheadBytes: saved?.totals.overheadBytes ?? null,
    clientBandwidthSavings: saved?.totals.clientBandwidthSavings ?? NO_SHARES,
    network: saved?.network ?? null,
    serverBandwidthSavings: {
      subscribers,
      ...(saved ? upstreamSavings(saved, subscribers) : NO_SHARES),
    },
    measured: measured(sent, saved?.subscribers ?? null),
    reason: saved ? null : NO_POLLS,
    steps: steps.map((step) => ({
      at: step.at,
      polls: step.polls,
      baselines: baselines(step),
      streamingBytes: streaming({ ...step, ...STAYING }).bytes,
      streamingGzipBytes: compressedStreaming({ ...step, ...STAYING }).bytes,
    })),
  }
}

function measured(
  { connections, subscriberMs, wireBytes, snapshots, slow }: FanoutSums,
  mean: number | null,
) {
  if (connections === 0 && subscriberMs === 0) return null
  return { connections, subscribers: mean, wireBytes, snapshots, slow }
}

function scopeOf(tag: string | undefined): MeasureScope {
  return tag === undefined ? 'fleet' : { tag }
}

/** Cache key: windows with the same start and end minute have the same totals. */
function minutesOf({ from, to }: Window): string {
  return `${Math.floor(from.getTime() / STEPS_MS.minute)},${Math.ceil(to.getTime() / STEPS_MS.minute)}`
}

/** The span that a query asks for. */
function spanOf({ from, to = new Date(), step }: { from?: Date; to?: Date; step: Step }): SteppedWindow {
  const start = from ?? new Date(to.getTime() - DEFAULT_SPAN_MS)
  if (start >= to) throw invalid('from', '`from` must be before `to`.')
  return { from: start, to, step }
}
