import { Elysia } from 'elysia'
import { ArchivePage } from '../../../views/storage/archive.tsx'
import type { Archive } from '../../archive/archive.ts'
import type { ArchiveReport } from '../../archive/report.ts'
import type { TriedStep } from '../../archive/try-bucket.ts'
import { readerOf } from '../access/reader.ts'
import { json } from '../answers/answer.ts'
import * as answers from '../answers/keeping.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'
import { query } from '../http/input.ts'

/** Days shown on the page. */
const PAGE_DAYS = 60

export interface ArchiveRoutesDeps {
  archive: Archive
}

/** The part of the log that is on S3, and how it gets there. */
export function archiveRoutes({ archive }: ArchiveRoutesDeps) {
  const api = new Elysia({ detail: { tags: ['Archive'] } })
    .get('/api/archive', async () => reportJson(await archive.report()), {
      response: json(answers.Archive),
      detail: describe('Get archive status', REPORT),
    })
    .post(
      '/api/archive/run',
      async () => {
        await archive.runLater()
        return Response.json(reportJson(await archive.report()), { status: 202 })
      },
      {
        response: json(answers.Archive, 202),
        detail: describe('Start archiving', RUN, { problems: ['conflict'] }),
      },
    )
    .post(
      '/api/archive/test',
      async ({ request }) => {
        const steps = await archive.try(request.signal)
        return { ok: steps.every(({ isOk }) => isOk), steps: steps.map(stepJson) }
      },
      {
        response: json(answers.ArchiveTest),
        detail: describe('Test the archive', TEST, { problems: ['conflict'] }),
      },
    )
  const pages = new Elysia({ detail: { hide: true } })
    .get('/archive', async ({ request }) => {
      const { asked } = query(request, 'asked')
      return html(
        <ArchivePage
          reader={readerOf(request)}
          {...viewOf(await archive.report())}
          asked={asked === 'run'}
        />,
      )
    })
    .post('/archive/run', async () => {
      await archive.runLater()
      return new Response(null, { status: 303, headers: { Location: '/archive?asked=run' } })
    })
    .post('/archive/test', async ({ request }) => {
      const steps = await archive.try(request.signal)
      return html(
        <ArchivePage reader={readerOf(request)} {...viewOf(await archive.report())} tried={steps} />,
      )
    })
  return new Elysia().use(api).use(pages)
}

function reportJson({ isConfigured, target, days, totals, next }: ArchiveReport) {
  return {
    configured: isConfigured,
    target,
    days: days.map(({ day, state, progress, streams, bytes, errorCode, error, startedAt, endedAt }) => ({
      day,
      state,
      progress,
      objects: streams,
      bytes,
      error: error === null ? null : { code: errorCode, message: error },
      startedAt,
      endedAt,
    })),
    totals,
    next: next && { day: next.day, closesAt: next.closesAt },
  }
}

function stepJson({ isOk, ...step }: TriedStep) {
  return { ok: isOk, ...step }
}

function viewOf({ days, ...report }: ArchiveReport): ArchiveReport {
  return { ...report, days: days.slice(0, PAGE_DAYS) }
}

const REPORT =
  'Days, newest first: `running` (or waiting to continue, with `progress` from 0 to 1), `done` (every object was read ' +
  'back and its SHA-256 matches), or `failed` with an `error` that says what to do; retried after 15 minutes. `next` is ' +
  'the earliest day that is not archived, and when it closes: 10 minutes after its end in UTC.'
const RUN =
  'Starts archiving all closed days that are not archived yet, including failed ones; poll `GET /api/archive` for ' +
  'progress. Idempotent. Fails with `conflict` if S3 is not configured.'
const TEST =
  'Writes a small object to the bucket, reads it back, and deletes it. Returns each request and its response, without ' +
  'signatures. Fails with `conflict` if S3 is not configured.'
