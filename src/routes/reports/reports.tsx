import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { ReportPage } from '../../../views/reports/report.tsx'
import { DAY_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import { FORMULAS } from '../../reports/formulas.ts'
import { periodOf, type Report, type ReportDeps, readReport } from '../../reports/report.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { isShared } from '../../streams/registry/visibility.ts'
import { json, jsonOrLines, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/reports.ts'
import { optionalBody } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { query } from '../http/input.ts'
import { SPAN } from '../http/parameters.ts'
import { parameters } from '../http/query.ts'
import { segmentsOf } from '../streams/stream-availability.ts'
import { FORMAT, reportLines, reportPage, wantsLines } from './answer.ts'
import { datesOf, LINK_FIELDS, type LinkDeps, MAX_LINK_BYTES, shareReport } from './links.ts'
import { tagReportRoutes } from './tag-reports.tsx'

/** The page that a link opens, as the router knows it. */
const PAGE = '/streams/:id/report'
const LinkSchema = Type.Object(LINK_FIELDS, { additionalProperties: false })

export interface ReportRoutesDeps extends ReportDeps, LinkDeps {
  streams: Streams
}

/** The report of a stream, and links to it. */
export function reportRoutes(deps: ReportRoutesDeps) {
  const { streams, access, now } = deps
  const tagged = tagReportRoutes(deps)
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
        if (wantsLines(request, format)) return lines(report)
        return Response.json({ ...report, formulas: FORMULAS })
      },
      {
        query: parameters({ ...SPAN, ...FORMAT }),
        response: jsonOrLines(answers.Report, answers.ReportLine),
        detail: describe('Report of a stream', REPORT),
      },
    )
    .post(
      '/api/streams/:id/report/link',
      async ({ params, body = {} }) => {
        const stream = await streams.get(params.id)
        if (!isShared(stream)) throw new Problem('conflict', PRIVATE)
        const path = PAGE.replace(':id', stream.id)
        return shareReport(deps, { route: PAGE, path, subject: stream.id }, body)
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
  return new Elysia().use(pages).use(api).use(tagged)
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

function page(report: Report): Promise<Response> {
  const { segmentMs, segments } = report
  const [from, to] = [report.from.getTime(), report.to.getTime()]
  const bar = segmentsOf(segments, { from: Math.floor(from / segmentMs) * segmentMs, to: to - 1 }, segmentMs)
  return reportPage(<ReportPage {...report} bar={bar} formulas={FORMULAS} />)
}

function lines({ figures, comparisons, segments, ...report }: Report): Response {
  return reportLines(
    { ...report, formulas: FORMULAS },
    { figure: figures, comparison: comparisons, segment: segments },
  )
}
