import { Elysia, status } from 'elysia'
import type { Archive } from '../../archive/archive.ts'
import { callerOf } from '../../auth/caller.ts'
import type { Bus } from '../../bus/bus.ts'
import { HIDDEN } from '../../core/hidden.ts'
import { type Refusals, refusedLately } from '../../core/judging/refusals.ts'
import { resumesOf } from '../../core/judging/resumes.ts'
import type { Evidence } from '../../core/judging/status.ts'
import { ENTRY_KINDS } from '../../core/sets/entry-kinds.ts'
import { isPushed } from '../../core/sets/stream-kinds.ts'
import { DAY_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import { acceptsGzip } from '../../hub/frame.ts'
import type { Hub } from '../../hub/hub.ts'
import { subscriberOf } from '../../limits/client.ts'
import { Semaphore } from '../../limits/semaphore.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { type LogQuery, lastSeq, readLog, readWholeLog } from '../../streams/log/logs.ts'
import { entryJson } from '../../streams/recording/entry.ts'
import { ORDERS, SORTS } from '../../streams/registry/listing.ts'
import { shownMessages } from '../../streams/registry/messages.ts'
import { shownPush } from '../../streams/registry/push-settings.ts'
import {
  ChangeSchema,
  checkChange,
  checkRegistration,
  RegistrationSchema,
} from '../../streams/registry/registration.ts'
import { shownOptions } from '../../streams/registry/request-options.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { retryBudgetOf } from '../../streams/requests/retry-budget.ts'
import {
  fleet,
  type StatusDeps,
  type StreamStatus,
  statusesOf,
  statusOf,
} from '../../streams/status/status.ts'
import { twinReport } from '../../streams/twins/twin.ts'
import { entriesTopic } from '../../topics.ts'
import { created, events, json, jsonOrLines, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/streams.ts'
import { pageOf } from '../answers/types.ts'
import { body } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { invalid } from '../http/input.ts'
import { PAGES, pageSize, SORT, SPAN, STREAM_FILTERS } from '../http/parameters.ts'
import { choice, choices, parameters, required, text, whole } from '../http/query.ts'
import { streamed } from '../http/streamed.ts'
import { newPushUrl, type PushUrlDeps } from '../push/push-url.ts'

export interface StreamRoutesDeps extends StatusDeps, PushUrlDeps {
  streams: Streams
  archive: Pick<Archive, 'reader'>
  hub: Hub
  /** Receives `stream.watched` events. */
  bus: Bus
}

const ListQuery = parameters({ ...STREAM_FILTERS, sort: SORT, order: choice(ORDERS), ...PAGES })
const SEQ = { min: 0, max: Number.MAX_SAFE_INTEGER }
const LogsQuery = parameters({
  kind: choices(ENTRY_KINDS),
  ...SPAN,
  after: whole(SEQ, 'Only entries after this `seq`, oldest first'),
  before: whole(SEQ, 'Only entries before this `seq`'),
  limit: pageSize(),
})
/** For routes that start or stop all streams with a tag. */
const TagQuery = parameters({ tag: required(text('Tag of the streams')) })
/** Maximum number of whole logs read at once; each holds a page of entries in memory. */
const MAX_WHOLE_LOGS = 16
/** A subscriber that missed more entries than this gets a gap and continues from now. */
const MAX_REPLAY_ENTRIES = 10_000

/** Registering, changing, starting and stopping streams, and reading their status and logs. */
export function streamRoutes(deps: StreamRoutesDeps) {
  const { streams, db, hub } = deps
  const archived = deps.archive.reader
  const wholeLogs = new Semaphore({ what: 'whole logs', atOnce: MAX_WHOLE_LOGS })
  return new Elysia({ detail: { tags: ['Streams'] } })
    .post(
      '/api/streams',
      async ({ body, set }) => {
        let kindReason: string | undefined
        const stream = await streams.register(body, (because) => {
          kindReason = because
        })
        set.headers.location = `/api/streams/${stream.id}`
        const shown = { ...streamJson(stream), ...(kindReason && { kindReason }) }
        if (!isPushed(stream.kind)) return status(201, shown)
        const pushUrl = await newPushUrl(deps, stream.id)
        return status(201, { ...shown, hasPushUrl: true, pushUrl })
      },
      {
        body: body(RegistrationSchema, {
          check: checkRegistration,
          example: { url: 'https://api.example.com/prices', intervalMs: 5_000, tags: ['shop'] },
        }),
        response: created(answers.NewStream),
        detail: describe('Register an API', REGISTER, {
          problems: ['unreachable', 'not_allowed', 'host_unknown'],
        }),
      },
    )
    .get(
      '/api/streams',
      async ({ query: { state, status = state, ...query }, request }) => {
        const page = await streams.list({ ...query, status, caller: callerOf(request) }, deps.now())
        return { items: await listed(page.items), next: page.next ?? null }
      },
      {
        query: ListQuery,
        response: json(pageOf(answers.ListedStream)),
        detail: describe('List streams', LIST),
      },
    )
    .get('/api/streams/:id', async ({ params }) => streamJson(await streams.get(params.id)), {
      response: json(answers.Stream),
      detail: describe('Get a stream'),
    })
    .patch(
      '/api/streams/:id',
      async ({ params, body }) => {
        const { stream, droppedHeaders } = await streams.change(params.id, body)
        return { ...streamJson(stream), droppedHeaders }
      },
      {
        body: body(ChangeSchema, { check: checkChange, example: { intervalMs: 10_000 } }),
        response: json(answers.ChangedStream),
        detail: describe('Update a stream', CHANGE, { problems: ['not_allowed', 'host_unknown'] }),
      },
    )
    .delete(
      '/api/streams/:id',
      async ({ params }) => {
        await streams.remove(params.id)
        return new Response(null, { status: 204 })
      },
      {
        response: NOTHING,
        detail: describe('Delete a stream', 'Also deletes all recorded data.'),
      },
    )
    .post('/api/streams/:id/start', async ({ params }) => streamJson(await streams.start(params.id)), {
      response: json(answers.Stream),
      detail: describe('Start a stream', 'Idempotent.'),
    })
    .post('/api/streams/:id/stop', async ({ params }) => streamJson(await streams.stop(params.id)), {
      response: json(answers.Stream),
      detail: describe('Stop a stream', 'Idempotent.'),
    })
    .post(
      '/api/streams/start',
      ({ query, request }) => streams.desireTagged(query.tag, 'running', callerOf(request)),
      {
        query: TagQuery,
        response: json(answers.Matched),
        detail: describe('Start all streams with a tag', 'Idempotent.'),
      },
    )
    .post(
      '/api/streams/stop',
      ({ query, request }) => streams.desireTagged(query.tag, 'stopped', callerOf(request)),
      {
        query: TagQuery,
        response: json(answers.Matched),
        detail: describe('Stop all streams with a tag', 'Idempotent.'),
      },
    )
    .get(
      '/api/streams/:id/status',
      async ({ params }) => statusJson(await statusOf(deps, (await streams.get(params.id)).id)),
      {
        response: json(answers.Status),
        detail: describe(
          'Get the status of a stream',
          'The `status` with its evidence, the worker that runs the stream, and counts.',
        ),
      },
    )
    .get(
      '/api/streams/:id/twin',
      async ({ params, query: { from, to = new Date() } }) => {
        const { id } = await streams.get(params.id)
        const report = await twinReport(db, id, { from: from ?? new Date(to.getTime() - DAY_MS), to })
        if (report === undefined) throw new Problem('not_found', 'This stream has no twin.')
        return report
      },
      {
        response: json(answers.Twin),
        detail: describe(
          'Compare a stream with its twin',
          'Bytes received by a polled stream and by its twin, which follows the same API through the proxy: response ' +
            'headers, and bodies or frames as received. Polling uses gzip and validators. ' +
            '`saving` = 1 − streaming / polling.',
        ),
        query: parameters(SPAN),
      },
    )
    .get('/api/status', ({ request }) => fleet(db, callerOf(request)), {
      response: json(answers.Fleet),
      detail: describe('Get the overall status', 'Number of streams by status.'),
    })
    .get(
      '/api/streams/:id/logs',
      async ({ params, query: { kind: kinds, ...range }, request }) => {
        const wanted = { ...range, kinds }
        const { id } = await streams.get(params.id)
        checkCursor(wanted)
        if (request.headers.get('accept')?.includes('application/x-ndjson'))
          return ndjson(readWholeLog(db, id, wanted, archived), await wholeLogs.enter())
        const { items, before, after } = await readLog(db, id, wanted, archived)
        const body = `{"items":[${items.map(entryJson).join(',')}],"before":${before ?? null},"after":${after ?? null}}`
        return new Response(body, { headers: { 'Content-Type': 'application/json' } })
      },
      {
        query: LogsQuery,
        response: jsonOrLines(answers.LogPage, answers.Entry),
        detail: describe(
          'List log entries',
          'Ordered by `seq`; without a cursor, the latest ones. With `Accept: application/x-ndjson`, all matching entries, ' +
            'one per line.',
          { problems: ['too_many'] },
        ),
      },
    )
    .get(
      '/api/streams/:id/events',
      async ({ params, query, request, server }) => {
        const { id, last } = await streams.watched(params.id)
        server?.timeout(request, 0)
        const claimed = request.headers.get('last-event-id') ?? query.lastEventId
        const after = seqOf(claimed, last)
        const subscribed = hub.subscribe(entriesTopic(id), {
          ...subscriberOf(request),
          after: after ?? 0,
          gzip: acceptsGzip(request.headers),
          replay: claimed === undefined ? undefined : (send) => replay(id, claimed, after, send),
        })
        deps.bus.publish({ type: 'stream.watched', streamId: id, seq: last })
        return subscribed
      },
      {
        response: events({ entry: answers.Entry, gap: answers.EntryGap }),
        detail: describe(
          'Stream log entries',
          'Server-sent events `entry`, with `seq` as the ID. Resume with `Last-Event-ID` (or `?lastEventId=`); a `gap` ' +
            'event reports entries that can no longer be replayed.',
        ),
        query: parameters({
          lastEventId: text('ID of the last event received; same as the Last-Event-ID header'),
        }),
      },
    )

  /** A page of streams with their status; streams removed in the meantime are left out. */
  async function listed(page: readonly Stream[]) {
    const found = await statusesOf(
      deps,
      page.map(({ id }) => id),
    )
    const byId = new Map(found.map((each) => [each.stream.id, each]))
    return page.flatMap((stream) => {
      const known = byId.get(stream.id)
      if (known === undefined) return []
      const { status, reason, statusSince, availability } = known
      return [{ ...streamJson(stream), status, verdict: status, reason, since: statusSince, availability }]
    })
  }

  type Send = (message: { event: string; data: string; position: number }) => Promise<void>

  async function replay(id: string, claimed: string, known: number | undefined, send: Send): Promise<void> {
    const last = await lastSeq(db, id)
    if (known === undefined) {
      const data = JSON.stringify({ from: claimed.slice(0, 64), to: last, reason: 'unknown_id' })
      await send({ event: 'gap', data, position: last })
      return
    }
    const from = Math.max(known, last - MAX_REPLAY_ENTRIES)
    if (from > known) {
      const data = JSON.stringify({ from: known + 1, to: from, reason: 'too_many' })
      await send({ event: 'gap', data, position: from })
    }
    let next = from + 1
    for await (const items of readWholeLog(db, id, { after: from })) {
      for (const entry of items) {
        if (entry.seq > next) await send(notKept(next, entry.seq - 1))
        await send({ event: 'entry', data: entryJson(entry), position: entry.seq })
        next = entry.seq + 1
      }
    }
    if (next <= last) await send(notKept(next, last))
  }
}

/** Reports missed entries that have been dropped. */
function notKept(from: number, to: number) {
  return { event: 'gap', data: JSON.stringify({ from, to, reason: 'not_kept' }), position: to }
}

/**
 * A stream for the API: without header values, credentials, texts that are sent, the secret and token of what is pushed,
 * and the owner of a proxied stream.
 */
export function streamJson(stream: Stream) {
  const { headers, messages, proxyKey, owner, via, auth, tls, push, pushToken, ...shown } = stream
  return {
    ...shown,
    ...shownOptions({ auth, tls }),
    messages: shownMessages(messages),
    proxied: proxyKey !== null,
    push: shownPush(push),
    hasPushUrl: pushToken !== null,
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN])),
  }
}

export function statusJson({
  stream,
  status,
  reason,
  statusSince,
  evidence,
  run,
  seq,
  recent,
  availability,
}: StreamStatus) {
  return {
    id: stream.id,
    name: stream.name,
    kind: stream.kind,
    desired: stream.desired,
    status,
    verdict: status,
    reason,
    since: statusSince,
    availability,
    evidence: evidenceJson(evidence),
    run: run ?? null,
    counts: { entries: seq, recent },
  }
}

/** Evidence with its instants as ISO 8601. */
function evidenceJson(evidence: Evidence) {
  const iso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())
  const { phase, failures, lastError, certificate } = evidence
  return {
    phase,
    phaseSince: iso(evidence.phaseSince),
    lastByteAt: iso(evidence.lastByteAt),
    lastHeartbeatAt: iso(evidence.lastHeartbeatAt),
    lastEventAt: iso(evidence.lastEventAt),
    connections: evidence.connections ?? null,
    lastEnd: evidence.ended
      ? {
          ...evidence.ended,
          at: new Date(evidence.ended.at).toISOString(),
          lastedMs: evidence.ended.lastedMs ?? null,
        }
      : null,
    lastPollAt: iso(evidence.lastPollAt),
    failures,
    failingSince: iso(evidence.failingSince),
    degradedSince: iso(evidence.degradedSince),
    nextRetryAt: iso(evidence.nextRetryAt),
    retries: retriesJson(evidence),
    redirects: [...(evidence.redirects ?? [])],
    resumes: evidence.resumes ? resumesOf(evidence.resumes) : null,
    certificate: certificate
      ? { ...certificate, expiresAt: iso(certificate.expiresAt), seenAt: iso(certificate.seenAt) }
      : null,
    lastError: lastError ? lastErrorJson(lastError) : null,
    refused: evidence.refused ? refusedJson(evidence.refused) : null,
  }
}

function retriesJson(evidence: Evidence) {
  const budget = retryBudgetOf(evidence)
  return budget ? { ...budget, resetsAt: budget.resetsAt.toISOString() } : null
}

function lastErrorJson({ code, message, body, at }: NonNullable<Evidence['lastError']>) {
  return { code, message, ...(body !== undefined && { body }), at: new Date(at).toISOString() }
}

function refusedJson(refused: Refusals) {
  const { reason, at } = refused.last
  return { lastHour: refusedLately(refused, Date.now()), reason, at: new Date(at).toISOString() }
}

function checkCursor({ after, before }: LogQuery): void {
  if (after === undefined || before === undefined) return
  throw invalid('before', 'Use either `after` or `before`, not both.')
}

type Pages = AsyncGenerator<Parameters<typeof entryJson>[0][]>

function ndjson(pages: Pages, ended: () => void): Response {
  const headers = { 'Content-Type': 'application/x-ndjson' }
  return new Response(streamed(linesOf(pages), ended), { headers })
}

async function* linesOf(pages: Pages): AsyncGenerator<string> {
  for await (const page of pages) yield page.map(ndjsonLine).join('')
}

/** Stored JSON may contain insignificant line breaks. */
function ndjsonLine(entry: Parameters<typeof entryJson>[0]): string {
  return `${entryJson(entry).replaceAll(/[\r\n]/g, ' ')}\n`
}

/** The last `seq` that a subscriber claims to have; `undefined` if the log hasn't reached it yet. */
function seqOf(lastEventId: string | undefined, last: number): number | undefined {
  if (lastEventId === undefined || !/^\d{1,15}$/.test(lastEventId)) return undefined
  return Number(lastEventId) <= last ? Number(lastEventId) : undefined
}

const CHANGE =
  'Takes effect immediately. `headers` replaces all headers; the value `•••` keeps the stored value. A `url` with a ' +
  'different origin (scheme, host or port) removes the stored headers, because they were meant for the old origin: send ' +
  'the headers for the new origin in the same request. `droppedHeaders` lists the removed headers.'
const LIST =
  'Streams with their `status`, in order of registration by default. `sort` is one of ' +
  `${SORTS.join(', ')}, with \`order\` ${ORDERS.join(' or ')}; by default, names and availability ascending and everything else with the ` +
  'worst, highest or latest first. Status sorts by severity, `availability` by the last 24 hours; `perMinute` (events or answered polls), `bytes` and ' +
  '`change` cover the five whole minutes before the first page was requested. Ties are ordered by ID; streams without ' +
  'a value come last.'
const REGISTER =
  'If `kind` is omitted, it is detected with one request to the API. The stream starts immediately unless `start` is ' +
  'false. With `twin`, a polled API is also followed through the proxy, to compare both.'
