import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { TagReportPage } from '../../../views/reports/tag-report.tsx'
import { type Caller, callerOf } from '../../auth/caller.ts'
import { DAY_MS } from '../../core/time.ts'
import { periodOf, type ReportDeps } from '../../reports/report.ts'
import { TAG_FORMULAS } from '../../reports/tag-figures.ts'
import { MAX_STREAMS, readTagReport, type TagReport } from '../../reports/tag-report.ts'
import type { Window } from '../../streams/measures/measures.ts'
import { Tag } from '../../streams/registry/registration.ts'
import { json, jsonOrLines } from '../answers/answer.ts'
import * as answers from '../answers/reports.ts'
import { body as bodyOf } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { invalid, query } from '../http/input.ts'
import { SPAN } from '../http/parameters.ts'
import { parameters, required, text } from '../http/query.ts'
import { sharedBy } from '../http/shared.ts'
import { FORMAT, reportLines, reportPage, wantsLines } from './answer.ts'
import { datesOf, LINK_FIELDS, type LinkDeps, MAX_LINK_BYTES, shareReport } from './links.ts'

/** The page that a link opens, as the router knows it. */
const PAGE = '/report'
/** How long a report is reused for the same readers, in milliseconds: it reads up to a hundred streams. */
const SHARED_MS = 10_000

const LinkSchema = Type.Object({ tag: Tag, ...LINK_FIELDS }, { additionalProperties: false })

interface Asked {
  tag: string
  caller: Caller | undefined
  period: Window
}

/** The report of the streams with a tag, and links to it. */
export function tagReportRoutes(deps: ReportDeps & LinkDeps) {
  const { now } = deps
  const read = sharedBy(({ period, ...of }: Asked) => readTagReport(deps, of, period), keyOf, {
    now,
    forMs: SHARED_MS,
  })
  const pages = new Elysia({ detail: { hide: true } }).get(PAGE, async ({ request }) => {
    // The parameters of a link were checked where its reader was let in.
    const { tag, from, to } = query(request, 'tag', 'from', 'to', 'expires', 'signature')
    if (tag === undefined) throw invalid('tag', '`tag` is required.')
    const period = periodOf(datesOf({ from, to }), now())
    const report = await read({ tag, caller: callerOf(request), period })
    return reportPage(<TagReportPage {...report} formulas={TAG_FORMULAS} />)
  })
  const api = new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/report',
      async ({ query: { tag, format, ...span }, request }) => {
        const report = await read({ tag, caller: callerOf(request), period: periodOf(span, now()) })
        if (wantsLines(request, format)) return lines(report)
        return Response.json({ ...report, formulas: TAG_FORMULAS })
      },
      {
        query: parameters({ tag: required(text('The streams with this tag')), ...SPAN, ...FORMAT }),
        response: jsonOrLines(answers.TagReport, answers.TagReportLine),
        detail: describe('Report of a tag', REPORT, { problems: ['not_found'] }),
      },
    )
    .post(
      '/api/report/link',
      ({ body: { tag, ...asked } }) => shareReport(deps, { route: PAGE, path: PAGE, subject: tag }, asked),
      {
        body: bodyOf(LinkSchema, {
          maxBytes: MAX_LINK_BYTES,
          example: { tag: 'shop', expiresInMs: 7 * DAY_MS },
        }),
        response: json(answers.ReportLink, 201),
        detail: describe('Share a report of a tag', SHARE),
      },
    )
  return new Elysia().use(pages).use(api)
}

const REPORT =
  'What the APIs with a tag do over a period, the last 7 days by default: totals and medians, and a row for each stream that ' +
  `you may see. At most ${MAX_STREAMS} streams, the first by name; \`streams.total\` is their number without that limit. Twins ` +
  'are left out. As NDJSON, the first line is the report without its lists.'
const SHARE =
  'A URL that opens the report of this tag and period without signing in, until it expires (default: in 30 days, at most 366), ' +
  'and nothing else. It shows the streams that have the tag when it is opened. Streams with private request headers are never ' +
  'in it.'

/** Callers see different streams. Every opening of a link asks for the same period. */
function keyOf({ tag, caller, period: { from, to } }: Asked): string {
  return JSON.stringify([caller?.id, caller?.scope, tag, from, to])
}

function lines({ figures, rows, ...report }: TagReport): Response {
  return reportLines({ ...report, formulas: TAG_FORMULAS }, { figure: figures, stream: rows })
}
