import { Elysia, status } from 'elysia'
import { ENTRY_KINDS } from '../../../drizzle/schema.ts'
import type { Archive } from '../../archive/archive.ts'
import { callerOf } from '../../auth/caller.ts'
import { HIDDEN } from '../../core/hidden.ts'
import type { Evidence, Verdict } from '../../core/judging/verdict.ts'
import { Problem } from '../../errors.ts'
import { acceptsGzip } from '../../hub/frame.ts'
import type { Hub } from '../../hub/hub.ts'
import { readerOf } from '../../limits/client.ts'
import { Places } from '../../limits/places.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { type LogQuery, lastSeq, readLog, readWholeLog } from '../../streams/log/logs.ts'
import { type EntryJson, type EntryKind, entryJson } from '../../streams/recording/entry.ts'
import { ORDERS, type Order, SORTS, type Sort } from '../../streams/registry/listing.ts'
import {
  type Change,
  ChangeSchema,
  checkChange,
  checkRegistration,
  type Registration,
  RegistrationSchema,
} from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { fleet, type Status, type StatusDeps, statusesOf, statusOf } from '../../streams/status/status.ts'
import { twinReport } from '../../streams/twins/twin.ts'
import { entriesTopic } from '../../topics.ts'
import { created, events, json, jsonOrLines, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/streams.ts'
import { pageOf } from '../answers/types.ts'
import { FILTERS, filterOf } from '../http/filter.ts'
import { dateOf, integerOf, oneOf, query, readJson } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { streamed } from '../http/streamed.ts'
import { typed } from '../http/typed.ts'

export interface StreamRoutesDeps extends StatusDeps {
  streams: Streams
  archive: Pick<Archive, 'reader'>
  hub: Hub
  /** Reports that a client watches a stream and has its entries up to a number. */
  watch(streamId: string, seq: number): void
}

/** List queries as a client writes them: timestamps in ISO 8601, comma-separated kinds. */
interface StreamsQuery {
  q?: string
  tag?: string
  host?: string
  state?: Verdict
  kind?: Stream['kind']
  sort?: Sort
  order?: Order
  after?: string
  limit?: number
}
interface LogsQuery {
  kind?: string
  from?: string
  to?: string
  after?: number
  before?: number
  limit?: number
}
interface LogsPage {
  items: EntryJson[]
  before: number | null
  after: number | null
}

const LIST_PARAMETERS = [...FILTERS, 'sort', 'order', 'after', 'limit'] as const
const SEQ = { type: 'integer', minimum: 0 }
const LOG_PARAMETERS = [
  {
    name: 'kind',
    description: `Comma-separated: ${ENTRY_KINDS.join(', ')}`,
    schema: { type: 'string' },
  },
  'from',
  'to',
  { name: 'after', description: 'Only entries after this `seq`, oldest first', schema: SEQ },
  { name: 'before', description: 'Only entries before this `seq`', schema: SEQ },
  'limit',
]
/** For routes that start or stop all streams with a tag. */
const TAGGED = {
  parameters: [{ name: 'tag', required: true, description: 'Tag of the streams' }],
  answers: json(answers.Matched),
}
const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
/** Maximum number of whole logs read at once; each holds a page of entries in memory. */
const MAX_WHOLE_LOGS = 16
/** A subscriber that missed more entries than this gets a gap and continues from now. */
const MAX_REPLAY_ENTRIES = 10_000
const DAY_MS = 24 * 3_600_000

/** Registering, changing, starting and stopping streams, and reading their status and logs. */
export function streamRoutes(deps: StreamRoutesDeps) {
  const { streams, db, hub } = deps
  const archived = deps.archive.reader
  const wholeLogs = new Places({ what: 'whole logs', atOnce: MAX_WHOLE_LOGS })
  return new Elysia({ detail: { tags: ['Streams'] } })
    .post(
      '/api/streams',
      async ({ request, set }) => {
        const stream = await streams.register(checkRegistration(await readJson(request)))
        set.headers.location = `/api/streams/${stream.id}`
        return status(201, streamJson(stream))
      },
      {
        ...typed<{ body: Registration }>(),
        parse: 'none',
        detail: operation('Register an API', REGISTER, {
          body: RegistrationSchema,
          example: { url: 'https://api.example.com/prices', intervalMs: 5_000, tags: ['shop'] },
          answers: created(answers.Stream),
          problems: ['unreachable', 'not_allowed', 'host_unknown'],
        }),
      },
    )
    .get(
      '/api/streams',
      async ({ request }) => {
        const { sort, order, after, limit, ...filter } = query(request, ...LIST_PARAMETERS)
        const page = await streams.list(
          {
            ...filterOf(filter),
            sort: oneOf('sort', sort, SORTS),
            order: oneOf('order', order, ORDERS),
            after,
            limit: integerOf('limit', limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT,
            caller: callerOf(request),
          },
          deps.now(),
        )
        return { items: await listed(page.items), next: page.next ?? null }
      },
      {
        ...typed<{ query: StreamsQuery }>(),
        detail: operation('List streams', LIST, {
          parameters: LIST_PARAMETERS,
          answers: json(pageOf(answers.ListedStream)),
        }),
      },
    )
    .get('/api/streams/:id', async ({ params }) => streamJson(await streams.get(params.id)), {
      detail: operation('Get a stream', undefined, { answers: json(answers.Stream) }),
    })
    .patch(
      '/api/streams/:id',
      async ({ params, request }) => {
        const change = checkChange(await readJson(request))
        const { stream, droppedHeaders } = await streams.change(params.id, change)
        return { ...streamJson(stream), droppedHeaders }
      },
      {
        ...typed<{ body: Change }>(),
        parse: 'none',
        detail: operation('Update a stream', CHANGE, {
          body: ChangeSchema,
          example: { intervalMs: 10_000 },
          answers: json(answers.ChangedStream),
          problems: ['not_allowed', 'host_unknown'],
        }),
      },
    )
    .delete(
      '/api/streams/:id',
      async ({ params }) => {
        await streams.remove(params.id)
        return new Response(null, { status: 204 })
      },
      {
        detail: operation('Delete a stream', 'Also deletes all recorded data.', {
          answers: NOTHING,
        }),
      },
    )
    .post('/api/streams/:id/start', async ({ params }) => streamJson(await streams.start(params.id)), {
      parse: 'none',
      detail: operation('Start a stream', 'Idempotent.', { answers: json(answers.Stream) }),
    })
    .post('/api/streams/:id/stop', async ({ params }) => streamJson(await streams.stop(params.id)), {
      parse: 'none',
      detail: operation('Stop a stream', 'Idempotent.', { answers: json(answers.Stream) }),
    })
    .post('/api/streams/start', ({ request }) => desireTagged(request, 'running'), {
      ...typed<{ query: { tag: string } }>(),
      parse: 'none',
      detail: operation('Start all streams with a tag', 'Idempotent.', TAGGED),
    })
    .post('/api/streams/stop', ({ request }) => desireTagged(request, 'stopped'), {
      ...typed<{ query: { tag: string } }>(),
      parse: 'none',
      detail: operation('Stop all streams with a tag', 'Idempotent.', TAGGED),
    })
    .get(
      '/api/streams/:id/status',
      async ({ params }) => statusJson(await statusOf(deps, (await streams.get(params.id)).id)),
      {
        detail: operation(
          'Get the status of a stream',
          'The status (`verdict`) with its evidence, the worker that runs the stream, and counts.',
          { answers: json(answers.Status) },
        ),
      },
    )
    .get(
      '/api/streams/:id/twin',
      async ({ params, request }) => {
        const { id } = await streams.get(params.id)
        const { from, to } = query(request, 'from', 'to')
        const end = dateOf('to', to) ?? new Date()
        const window = { from: dateOf('from', from) ?? new Date(end.getTime() - DAY_MS), to: end }
        const report = await twinReport(db, id, window)
        if (report === undefined) throw new Problem('not_found', 'This stream has no twin.')
        return report
      },
      {
        detail: operation(
          'Compare a stream with its twin',
          'Bytes received by a polled stream and by its twin, which follows the same API through the proxy: response ' +
            'headers, and bodies or frames as received. Polling uses gzip and validators. ' +
            '`saving` = 1 − streaming / polling.',
          { parameters: ['from', 'to'], answers: json(answers.Twin) },
        ),
      },
    )
    .get('/api/status', ({ request }) => fleet(db, callerOf(request)), {
      detail: operation('Get the overall status', 'Number of streams by status.', {
        answers: json(answers.Fleet),
      }),
    })
    .get(
      '/api/streams/:id/logs',
      async ({ params, request }) => {
        const { id } = await streams.get(params.id)
        const wanted = logQuery(request)
        if (request.headers.get('accept')?.includes('application/x-ndjson'))
          return ndjson(readWholeLog(db, id, wanted, archived), await wholeLogs.enter())
        const { items, before, after } = await readLog(db, id, wanted, archived)
        const body = `{"items":[${items.map(entryJson).join(',')}],"before":${before ?? null},"after":${after ?? null}}`
        return new Response(body, { headers: { 'Content-Type': 'application/json' } })
      },
      {
        ...typed<{ query: LogsQuery; response: LogsPage }>(),
        detail: operation(
          'List log entries',
          'Ordered by `seq`; without a cursor, the latest ones. With `Accept: application/x-ndjson`, all matching entries, ' +
            'one per line.',
          {
            parameters: LOG_PARAMETERS,
            answers: jsonOrLines(answers.LogPage, answers.Entry),
            problems: ['too_many'],
          },
        ),
      },
    )
    .get(
      '/api/streams/:id/events',
      async ({ params, request, server }) => {
        const { id, last } = await streams.watched(params.id)
        server?.timeout(request, 0)
        const { lastEventId } = query(request, 'lastEventId')
        const claimed = request.headers.get('last-event-id') ?? lastEventId
        const after = seqOf(claimed, last)
        const subscribed = hub.subscribe(entriesTopic(id), {
          ...readerOf(request),
          after: after ?? 0,
          gzip: acceptsGzip(request.headers),
          replay: claimed === undefined ? undefined : (send) => replay(id, claimed, after, send),
        })
        deps.watch(id, last)
        return subscribed
      },
      {
        detail: operation(
          'Stream log entries',
          'Server-sent events `entry`, with `seq` as the ID. Resume with `Last-Event-ID` (or `?lastEventId=`); a `gap` ' +
            'event reports entries that can no longer be replayed.',
          {
            parameters: ['lastEventId'],
            answers: events({ entry: answers.Entry, gap: answers.EntryGap }),
          },
        ),
      },
    )

  function desireTagged(request: Request, desired: 'running' | 'stopped') {
    return streams.desireTagged(tagOf(request), desired, callerOf(request))
  }

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
      const { verdict, reason, verdictSince } = known
      return [{ ...streamJson(stream), verdict, reason, since: verdictSince }]
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

/** A stream for the API: without header values and the owner of a proxied stream. */
export function streamJson({ headers, proxyKey, owner, via, ...stream }: Stream) {
  return {
    ...stream,
    proxied: proxyKey !== null,
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN])),
  }
}

export function statusJson({ stream, verdict, reason, verdictSince, evidence, run, seq, recent }: Status) {
  return {
    id: stream.id,
    name: stream.name,
    kind: stream.kind,
    desired: stream.desired,
    verdict,
    reason,
    since: verdictSince,
    evidence: evidenceJson(evidence),
    run: run ?? null,
    counts: { entries: seq, recent },
  }
}

/** Evidence with its instants as ISO 8601. */
function evidenceJson(evidence: Evidence) {
  const iso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())
  const { phase, failures, lastError } = evidence
  return {
    phase,
    phaseSince: iso(evidence.phaseSince),
    lastByteAt: iso(evidence.lastByteAt),
    lastHeartbeatAt: iso(evidence.lastHeartbeatAt),
    lastEventAt: iso(evidence.lastEventAt),
    lastPollAt: iso(evidence.lastPollAt),
    failures,
    failingSince: iso(evidence.failingSince),
    nextRetryAt: iso(evidence.nextRetryAt),
    resumes: evidence.resumes ?? null,
    lastError: lastError ? { ...lastError, at: iso(lastError.at) } : null,
  }
}

function logQuery(request: Request): LogQuery {
  const { kind, from, to, after, before, limit } = query(
    request,
    'kind',
    'from',
    'to',
    'after',
    'before',
    'limit',
  )
  const kinds = kind?.split(',').map((one) => oneOf('kind', one.trim(), ENTRY_KINDS) as EntryKind)
  if (after !== undefined && before !== undefined) {
    throw new Problem('invalid_field', 'Use either `after` or `before`, not both.', 'before')
  }
  return {
    kinds,
    from: dateOf('from', from),
    to: dateOf('to', to),
    after: integerOf('after', after, 0, Number.MAX_SAFE_INTEGER),
    before: integerOf('before', before, 0, Number.MAX_SAFE_INTEGER),
    limit: integerOf('limit', limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT,
  }
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

function tagOf(request: Request): string {
  const { tag } = query(request, 'tag')
  if (tag === undefined) throw new Problem('invalid_field', 'Specify the streams with ?tag=…', 'tag')
  return tag
}

const CHANGE =
  'Takes effect immediately. `headers` replaces all headers; the value `•••` keeps the stored value. A `url` with a ' +
  'different origin (scheme, host or port) removes the stored headers, because they were meant for the old origin: send ' +
  'the headers for the new origin in the same request. `droppedHeaders` lists the removed headers.'
const LIST =
  'Streams with their status (`verdict`), in order of registration by default. `sort` is one of ' +
  `${SORTS.join(', ')}, with \`order\` ${ORDERS.join(' or ')}; by default, names ascending and everything else with the ` +
  'worst, highest or latest first. Status sorts by severity; `perMinute` (events or answered polls), `bytes` and ' +
  '`change` cover the five whole minutes before the first page was requested. Ties are ordered by ID; streams without ' +
  'a value come last.'
const REGISTER =
  'If `kind` is omitted, it is detected with one request to the API. The stream starts immediately unless `start` is ' +
  'false. With `twin`, a polled API is also followed through the proxy, to compare both.'
