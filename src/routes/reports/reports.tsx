import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { REPORT_POLICY, ReportPage } from '../../../views/reports/report.tsx'
import type { Links } from '../../auth/links.ts'
import { DAY_MS, MINUTE_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import { FORMULAS } from '../../reports/formulas.ts'
import { periodOf, type Report, type ReportDeps, readReport } from '../../reports/report.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { isShared } from '../../streams/registry/visibility.ts'
import { json, jsonOrLines, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/reports.ts'
import { optionalBody } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'
import { dateOf, query } from '../http/input.ts'
import { SPAN } from '../http/parameters.ts'
import { choice, parameters } from '../http/query.ts'
import { segmentsOf } from '../streams/stream-availability.ts'

/** The page that a link opens, as the router knows it. */
const PAGE = '/streams/:id/report'
/** How long a link is valid, in milliseconds: default, and bounds. */
const LINK_MS = 30 * DAY_MS
const MIN_LINK_MS = MINUTE_MS
const MAX_LINK_MS = 366 * DAY_MS
const MAX_LINK_BYTES = 4_096

const FORMATS = ['json', 'ndjson'] as const
const NDJSON = 'application/x-ndjson'

const LinkSchema = Type.Object(
  {
    expiresInMs: Type.Optional(
      Type.Integer({ minimum: MIN_LINK_MS, maximum: MAX_LINK_MS, default: LINK_MS }),
    ),
    from: Type.Optional(Type.String({ format: 'date-time' })),
    to: Type.Optional(Type.String({ format: 'date-time' })),
  },
  { additionalProperties: false },
)

export interface ReportRoutesDeps extends ReportDeps {
  streams: Streams
  access: { links: Links }
  /** Public URL of Weir, without a trailing slash. */
  self(): string
}

/** The report of a stream, and links to it. */
export function reportRoutes(deps: ReportRoutesDeps) {
  const { streams, access, now } = deps
  const pages = new Elysia({ detail: { hide: true } }).get(PAGE, async ({ params, request }) => {
    // The parameters of a link were checked where its reader was let in.
    const { from, to } = query(request, 'from', 'to', 'expires', 'signature')
    const period = periodOf(datesOf({ from, to }), now())
    return page(await readReport(deps, await streams.get(params.id), period))
  })
  const api = new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/streams/:id/report',
      async ({ params, query: { format, ...span }, request }) => {
        const report = await readReport(deps, await streams.get(params.id), periodOf(span, now()))
        const accepts = request.headers.get('accept')?.includes(NDJSON) ? 'ndjson' : 'json'
        if ((format ?? accepts) === 'ndjson') return lines(report)
        return Response.json({ ...report, formulas: FORMULAS })
      },
      {
        query: parameters({ ...SPAN, format: choice(FORMATS, 'Default: as accepted') }),
        response: jsonOrLines(answers.Report, answers.ReportLine),
        detail: describe('Report of a stream', REPORT),
      },
    )
    .post(
      '/api/streams/:id/report/link',
      async ({ params, body = {} }) => {
        const stream = await streams.get(params.id)
        if (!isShared(stream)) throw new Problem('conflict', PRIVATE)
        const { from, to } = periodOf(datesOf(body), now())
        const expires = new Date(now() + (body.expiresInMs ?? LINK_MS))
        const [since, until, expiresAt] = [from, to, expires].map((at) => at.toISOString()) as [
          ...[string, string, string],
        ]
        const terms = { route: PAGE, subject: stream.id, from: since, to: until, expires: expiresAt }
        const url = `${deps.self()}${PAGE.replace(':id', stream.id)}?${await access.links.sign(terms)}`
        const headers = { 'Cache-Control': 'no-store' }
        return Response.json({ url, from, to, expiresAt }, { status: 201, headers })
      },
      {
        body: optionalBody(LinkSchema, { maxBytes: MAX_LINK_BYTES, example: { expiresInMs: 7 * DAY_MS } }),
        response: json(answers.ReportLink, 201),
        detail: describe('Share a report', SHARE, { problems: ['conflict'] }),
      },
    )
    .delete(
      '/api/report/links',
      async () => {
        await access.links.revokeAll()
        return new Response(null, { status: 204 })
      },
      { response: NOTHING, detail: describe('Revoke all links to reports', 'At once, for all streams.') },
    )
  return new Elysia().use(pages).use(api)
}

const REPORT =
  'What the API does over a period, the last 7 days by default: size, change, availability, and what streaming it saves. Each ' +
  'figure has the name of its formula and its inputs, so that anyone can calculate it again; `comparisons` are the inputs of ' +
  '`frequency`. What could be a key in the URL is hidden. As NDJSON, the first line is the report without its lists.'
const SHARE =
  'A URL that opens the report of this period without signing in, until it expires (default: in 30 days, at most 366), and ' +
  'nothing else. Whoever has it can read the report. A stream with private request headers can’t be shared.'
const PRIVATE =
  'This stream was made by the proxy for a request with headers of its own, so its figures are private. ' +
  'Register the API as a stream to share a report.'

function datesOf({ from, to }: { from?: string | undefined; to?: string | undefined }) {
  return {
    ...(from !== undefined && { from: dateOf('from', from) }),
    ...(to !== undefined && { to: dateOf('to', to) }),
  }
}

/** It's complete by itself, and tells no other site where it was opened. */
async function page(report: Report): Promise<Response> {
  const { segmentMs, segments } = report
  const [from, to] = [report.from.getTime(), report.to.getTime()]
  const bar = segmentsOf(segments, { from: Math.floor(from / segmentMs) * segmentMs, to: to - 1 }, segmentMs)
  const response = await html(<ReportPage {...report} bar={bar} formulas={FORMULAS} />)
  response.headers.set('Content-Security-Policy', REPORT_POLICY)
  response.headers.set('Referrer-Policy', 'no-referrer')
  return response
}

function lines({ figures, comparisons, segments, ...report }: Report): Response {
  const typed = (type: string, items: readonly object[]) => items.map((item) => ({ type, ...item }))
  const all = [
    { type: 'report', ...report, formulas: FORMULAS },
    ...typed('figure', figures),
    ...typed('comparison', comparisons),
    ...typed('segment', segments),
  ]
  const text = all.map((line) => `${JSON.stringify(line)}\n`).join('')
  return new Response(text, { headers: { 'Content-Type': NDJSON } })
}
