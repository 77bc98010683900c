import { Elysia } from 'elysia'
import { ArchivePage, type ArchiveView } from '../../../views/storage/archive.tsx'
import type { Archive } from '../../archive/archive.ts'
import type { ArchiveReport } from '../../archive/report.ts'
import type { TriedStep } from '../../archive/try-bucket.ts'
import { json } from '../answers/answer.ts'
import * as answers from '../answers/keeping.ts'
import { html } from '../http/html.ts'
import { query } from '../http/input.ts'
import { operation } from '../http/operation.ts'

/** Days that the page shows. */
const PAGE_DAYS = 60

export interface ArchiveRoutesDeps {
  archive: Archive
}

/** What of the log lies on S3, and how it gets there. */
export function archiveRoutes({ archive }: ArchiveRoutesDeps) {
  const api = new Elysia({ detail: { tags: ['Archive'] } })
    .get('/api/archive', async () => reportJson(await archive.report()), {
      detail: operation('What is archived', REPORT, { answers: json(answers.Archive) }),
    })
    .post(
      '/api/archive/run',
      async () => {
        await archive.runLater()
        return Response.json(reportJson(await archive.report()), { status: 202 })
      },
      {
        parse: 'none',
        detail: operation('Archive closed days now', RUN, {
          answers: json(answers.Archive, 202),
          problems: ['conflict'],
        }),
      },
    )
    .post(
      '/api/archive/test',
      async ({ request }) => {
        const steps = await archive.try(request.signal)
        return { ok: steps.every(({ isOk }) => isOk), steps: steps.map(stepJson) }
      },
      {
        parse: 'none',
        detail: operation('Try the archive', TEST, {
          answers: json(answers.ArchiveTest),
          problems: ['conflict'],
        }),
      },
    )
  const pages = new Elysia({ detail: { hide: true } })
    .get('/archive', async ({ request }) => {
      const { asked } = query(request, 'asked')
      return html(<ArchivePage {...viewOf(await archive.report())} asked={asked === 'run'} />)
    })
    .post(
      '/archive/run',
      async () => {
        await archive.runLater()
        return new Response(null, { status: 303, headers: { Location: '/archive?asked=run' } })
      },
      { parse: 'none' },
    )
    .post(
      '/archive/test',
      async ({ request }) => {
        const steps = await archive.try(request.signal)
        return html(<ArchivePage {...viewOf(await archive.report())} tried={steps} />)
      },
      { parse: 'none' },
    )
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

function viewOf({ days, ...report }: ArchiveReport): ArchiveView {
  return { ...report, days: days.slice(0, PAGE_DAYS) }
}

const REPORT =
  'Days newest first: `running` (or waiting to go on, with `progress` from 0 to 1), `done` (every object was read back ' +
  'and has the SHA-256 it was sent with), `failed` with an `error` that says what to do; it is tried again after 15 ' +
  'minutes. `next` is the earliest day that is not archived, and when it is closed: 10 minutes after its end in UTC.'
const RUN =
  'Has a worker archive every closed day that is not archived, failed ones too; `GET /api/archive` tells how far it is. ' +
  'Idempotent. Problem `conflict` where S3 is not set up.'
const TEST =
  'Writes a small object to the bucket, reads it back, and deletes it: each request and its response, without what ' +
  'signs it. Problem `conflict` where S3 is not set up.'
