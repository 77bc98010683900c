import type { TSchema } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import {
  baselines,
  changeRate,
  compressedStreaming,
  freshness,
  type PollSums,
  STEPS_MS,
  type Step,
  savings,
  serverSavings,
  streaming,
  streamRank,
  suggestInterval,
} from '../../core/measures.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { latencyStepsOf } from '../../streams/measures/latency-steps.ts'
import {
  type Connections,
  checkSteps,
  connectionsOf,
  type FanoutSums,
  fanoutSums,
  hourOfWeek,
  lastChange,
  polledStepsOf,
  polledSumsOf,
  type Scope,
  type Span,
  stepsOf,
  sumsOf,
  topPaths,
  type Window,
} from '../../streams/measures/measures.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { json } from '../answers/answer.ts'
import * as answers from '../answers/measures.ts'
import { dateOf, integerOf, oneOf, query } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { sharedBy } from '../http/shared.ts'
import { typed } from '../http/typed.ts'

const DAY_MS = STEPS_MS.day
/** What is measured when nothing is said: the last 24 hours, by the hour. */
const DEFAULT_SPAN_MS = DAY_MS
const DEFAULT_STEP: Step = 'hour'
const STEPS = Object.keys(STEPS_MS) as Step[]
/** The profile of the week is taken over this long, in milliseconds: eight weeks. */
const PROFILE_MS = 56 * DAY_MS
/** Paths told of those that changed. */
const MAX_PATHS = 20
/** Most subscribers that a saving can be asked for. */
const MAX_SUBSCRIBERS = 1_000_000_000

/** How old a subscriber's connections to all streams may be, in milliseconds: they are read stream by stream. */
const SHARED_MS = 4_000

/** What can be asked, as a client writes it: instants in ISO 8601. */
interface SpanQuery {
  from?: string
  to?: string
  step?: Step
}
interface SavingsQuery extends SpanQuery {
  subscribers?: number
}
interface Grouped {
  tag?: string
}

const SPAN_PARAMETERS = ['from', 'to', 'step'] as const

/** How large responses are, how often they change, and what streaming them saves: of a stream, a tag, or the fleet. */
export function measureRoutes({ db, streams, now }: { db: Database; streams: Streams; now(): number }) {
  const ofFleet = sharedBy((window: Window) => connectionsOf(db, 'fleet', window), minutesOf, {
    now,
    forMs: SHARED_MS,
  })
  return new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/streams/:id/size',
      async ({ params, request }) => {
        const { id } = await streams.get(params.id)
        return size(db, { streamId: id }, spanOf(query(request, ...SPAN_PARAMETERS)))
      },
      {
        ...typed<{ query: SpanQuery }>(),
        detail: docs('Bytes of every partial response', SIZE, answers.Size),
      },
    )
    .get(
      '/api/streams/:id/change',
      async ({ params, request }) => {
        const stream = await streams.get(params.id)
        return change(db, { streamId: stream.id }, spanOf(query(request, ...SPAN_PARAMETERS)), stream)
      },
      {
        ...typed<{ query: SpanQuery }>(),
        detail: docs('Whether and how often it changed', CHANGE, answers.Change),
      },
    )
    .get(
      '/api/streams/:id/savings',
      async ({ params, request }) => {
        const { id, kind } = await streams.get(params.id)
        const asked = query(request, ...SPAN_PARAMETERS, 'subscribers')
        const span = spanOf(asked)
        const saved = await saving(db, { streamId: id }, span, {
          connections: connectionsOf(db, { streamId: id }, span),
          asked: subscribersOf(asked.subscribers),
        })
        return kind === 'sse' ? { ...saved, reason: NOT_POLLED } : saved
      },
      {
        ...typed<{ query: SavingsQuery }>(),
        detail: docs('What streaming saves over polling', SAVINGS, answers.Savings, ['subscribers']),
      },
    )
    .get(
      '/api/streams/:id/latency',
      async ({ params, request }) => {
        const { id } = await streams.get(params.id)
        const span = spanOf(query(request, ...SPAN_PARAMETERS))
        checkSteps(span)
        return { ...span, steps: await latencyStepsOf(db, id, span, STEPS_MS[span.step]) }
      },
      {
        ...typed<{ query: SpanQuery }>(),
        detail: docs('How long its answers took', LATENCY, answers.Latency),
      },
    )
    .get(
      '/api/size',
      ({ request }) => {
        const asked = query(request, ...SPAN_PARAMETERS, 'tag')
        return size(db, scopeOf(asked.tag), spanOf(asked))
      },
      {
        ...typed<{ query: SpanQuery & Grouped }>(),
        detail: docs('Bytes of many streams', `${GROUP} ${SIZE}`, answers.Size, ['tag']),
      },
    )
    .get(
      '/api/change',
      ({ request }) => {
        const asked = query(request, ...SPAN_PARAMETERS, 'tag')
        return change(db, scopeOf(asked.tag), spanOf(asked))
      },
      {
        ...typed<{ query: SpanQuery & Grouped }>(),
        detail: docs('How often many streams changed', `${GROUP} ${CHANGE}`, answers.Change, ['tag']),
      },
    )
    .get(
      '/api/savings',
      ({ request }) => {
        const asked = query(request, ...SPAN_PARAMETERS, 'tag', 'subscribers')
        const [scope, span] = [scopeOf(asked.tag), spanOf(asked)]
        const connections = scope === 'fleet' ? ofFleet(span) : connectionsOf(db, scope, span)
        return saving(db, scope, span, { connections, asked: subscribersOf(asked.subscribers) })
      },
      {
        ...typed<{ query: SavingsQuery & Grouped }>(),
        detail: docs(
          'What streaming many streams saves over polling',
          `${GROUP} ${SAVINGS}`,
          answers.Savings,
          ['tag', 'subscribers'],
        ),
      },
    )
}

const MINUTES =
  'Whole minutes are counted, the ones that `from` and `to` lie in included; the last 24 hours by the hour unless ' +
  'asked otherwise, and at most 1,440 steps.'
const GROUP = 'Of the streams that have the `tag`; without one, of all.'
const SIZE =
  '`wireBytes` as received, before decompression; `bodyBytes` after; `headBytes` of the status lines and headers of ' +
  'answered polls; `patchBytes` of the changes as RFC 6902 patches, or of the snapshot where that was smaller. No ' +
  `change, no patch, 0 bytes. \`notModified\` of the \`polls\` were answered 304. ${MINUTES}`
const CHANGE =
  '`changeRate` = changed / compared. `streamRank` = 100 × changeRate over the last 24 h, with the number of ' +
  'samples behind it. `freshness` = patchBytes / bytes of the bodies that polling plainly brings, 0 to 1. ' +
  '`suggestedIntervalMs` is the interval at which every other poll would find a change, ln 2 / λ with ' +
  'λ = −ln((compared − changed + 0.5) / (compared + 0.5)) / intervalMs (Cho and Garcia-Molina, 2003), from 500 ms to ' +
  'a week, rounded; null below 10 comparisons or without a change, and for many streams. `paths` are the 20 that ' +
  'changed most, by whole hours, with their share of all such changes. `hourOfWeek` counts from Monday 00:00 UTC (0) ' +
  `to Sunday 23:00 (167), over the last eight weeks. ${MINUTES}`
const SAVINGS =
  'What polling moves against what streaming moves to one subscriber that is connected all the time. `baselines`: ' +
  'bodies and response heads, polled plainly, with gzip, and with gzip and validators (`conditional`). `streaming`: ' +
  'changes as SSE frames, a heartbeat of 13 bytes every 15 s, connections with head and snapshot, and HTTP chunk ' +
  'framing; `plain`, and as `gzip` has it. `clientBandwidthSavings` = 1 − streaming / baseline: plain against plain, ' +
  '`gzip` and `conditional` against streaming with gzip; never below −overheadBytes / baseline for `plain`. `serverBandwidthSavings` = 1 − what Weir received by polling / ' +
  '(subscribers × baseline); `subscribers` is the mean number of real ones, at least 1, or as asked. `measured` is ' +
  'what real subscribers were sent; null when there were none. Connections are in the total, not in the `steps`. ' +
  `Without polls the figures are null, and \`reason\` says why. ${MINUTES}`
const LATENCY =
  'Median and 95th percentile of the time from the request to the end of the answer of each poll, ' +
  'in milliseconds, right to 3 %, from 1 ms to 11 minutes. Steps without an answer are left out. As far back as minutes ' +
  `are kept. ${MINUTES}`
/** Steps are of subscribers who came before and stay. */
const STAYING = { connections: 0, snapshotBytes: 0, snapshotGzipBytes: 0 }
const NOT_POLLED = 'The stream is an event stream already: nothing is polled that streaming could save.'
const NO_POLLS = 'No poll was answered in this time.'
const NO_SHARES = { plain: null, gzip: null, conditional: null }

async function size(db: Database, scope: Scope, span: Span) {
  const [total, steps] = await Promise.all([sumsOf(db, scope, span), stepsOf(db, scope, span)])
  return { ...span, total: sizes(total), steps: steps.map((step) => ({ at: step.at, ...sizes(step) })) }
}

function sizes({ entries, polls, notModified, errors, ...bytes }: PollSums) {
  const { wireBytes, bodyBytes, headBytes, patchBytes } = bytes
  return { entries, polls, notModified, errors, wireBytes, bodyBytes, headBytes, patchBytes }
}

async function change(db: Database, scope: Scope, span: Span, stream?: Stream) {
  const now = new Date()
  const since = (ms: number) => ({ from: new Date(now.getTime() - ms), to: now })
  const [total, polled, lastDay, steps, lastChangedAt, paths, profile] = await Promise.all([
    sumsOf(db, scope, span),
    polledSumsOf(db, scope, span),
    sumsOf(db, scope, since(DAY_MS)),
    stepsOf(db, scope, span),
    lastChange(db, scope),
    topPaths(db, scope, span, MAX_PATHS),
    hourOfWeek(db, scope, since(PROFILE_MS)),
  ])
  return {
    ...span,
    compared: total.compared,
    changed: total.changed,
    changeRate: changeRate(total),
    streamRank: streamRank(lastDay),
    freshness: freshness(polled),
    suggestedIntervalMs:
      stream?.kind === 'poll' ? suggestInterval(total, stream.intervalMs).intervalMs : null,
    lastChangedAt: lastChangedAt ?? null,
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

async function saving(
  db: Database,
  scope: Scope,
  span: Span,
  { connections: reading, asked }: { connections: Promise<Connections>; asked: number | undefined },
) {
  const [sums, connections, sent, steps] = await Promise.all([
    polledSumsOf(db, scope, span),
    reading,
    fanoutSums(db, scope, span),
    polledStepsOf(db, scope, span),
  ])
  const saved = savings({ ...sums, ...connections })
  const subscribers = asked ?? Math.max(1, connections.subscribers)
  return {
    ...span,
    polls: sums.polls,
    connections: connections.connections,
    baselines: saved?.baselines ?? null,
    streaming: saved?.streaming ?? null,
    overheadBytes: saved?.overheadBytes ?? null,
    clientBandwidthSavings: saved?.clientBandwidthSavings ?? NO_SHARES,
    serverBandwidthSavings: { subscribers, ...(saved ? serverSavings(sums, subscribers) : NO_SHARES) },
    measured: measured(sent, saved ? connections.subscribers : null),
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

function scopeOf(tag: string | undefined): Scope {
  return tag === undefined ? 'fleet' : { tag }
}

/** Windows that begin and end in the same minutes have the same sums, but for what comes meanwhile. */
function minutesOf({ from, to }: Window): string {
  return `${Math.floor(from.getTime() / STEPS_MS.minute)},${Math.ceil(to.getTime() / STEPS_MS.minute)}`
}

function subscribersOf(text: string | undefined): number | undefined {
  return integerOf('subscribers', text, 1, MAX_SUBSCRIBERS)
}

function spanOf({ from, to, step }: Partial<Record<(typeof SPAN_PARAMETERS)[number], string>>): Span {
  const end = dateOf('to', to) ?? new Date()
  const start = dateOf('from', from) ?? new Date(end.getTime() - DEFAULT_SPAN_MS)
  if (start >= end) throw new Problem('invalid_field', 'from must be before to.', 'from')
  return { from: start, to: end, step: oneOf('step', step, STEPS) ?? DEFAULT_STEP }
}

function docs(summary: string, description: string, answer: TSchema, more: string[] = []) {
  return operation(summary, description, { parameters: [...SPAN_PARAMETERS, ...more], answers: json(answer) })
}
