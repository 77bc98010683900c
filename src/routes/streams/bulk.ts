import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { callerOf } from '../../auth/caller.ts'
import { checkScope } from '../../auth/scopes.ts'
import { STATUSES } from '../../core/sets/statuses.ts'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { isUuid } from '../../core/uuid.ts'
import { Problem } from '../../errors.ts'
import { checked } from '../../schema.ts'
import type { Database } from '../../storage/storage.ts'
import {
  BULK_ACTIONS,
  type Bulk,
  type BulkAction,
  type BulkFailure,
  type BulkStep,
  bulk,
  MAX_NAMED,
} from '../../streams/registry/bulk.ts'
import { type DeadAfter, DeadAfterSchemas, Tag } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { jsonOrLines } from '../answers/answer.ts'
import * as answers from '../answers/transfer.ts'
import { body } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { filterOf } from '../http/filter.ts'
import { problemOf } from '../http/problem-of.ts'
import { NDJSON } from '../transfer/import-report.ts'

export interface BulkRoutesDeps {
  db: Database
  streams: Streams
  warn(message: string, error: unknown): void
}

/** Progress so far, or the final result. */
export interface BulkReport {
  total: number
  done: number
  changed: number
  unchanged: number
  failed: number
  /** The first failures. */
  failures: BulkFailure[]
}

/** Maximum number of failures listed in a report; the others are only counted. */
const MAX_TOLD = 100

const Text = Type.String({ minLength: 1, maxLength: 8_192 })
const choice = <T extends string>(values: readonly T[]) =>
  Type.Union(values.map((value) => Type.Literal(value)))
const FilterSchema = Type.Partial(
  Type.Object({
    q: Text,
    tag: Text,
    host: Text,
    status: choice(STATUSES),
    state: choice(STATUSES),
    kind: choice(STREAM_KINDS),
  }),
  { additionalProperties: false, description: 'As in the list of streams; empty matches all' },
)
const BulkSchema = Type.Object(
  {
    action: choice(BULK_ACTIONS),
    ids: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: MAX_NAMED })),
    filter: Type.Optional(FilterSchema),
    tag: Type.Optional(Tag),
    ...DeadAfterSchemas,
    atMost: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Refuse if the filter matches more streams than this' }),
    ),
  },
  { additionalProperties: false },
)

/** Starting, stopping, tagging and removing many streams at once. */
export function bulkRoutes(deps: BulkRoutesDeps) {
  return new Elysia({ detail: { tags: ['Streams'] } }).post(
    '/api/streams/bulk',
    async ({ body, request, server }) => {
      const steps = bulk({ ...deps, caller: callerOf(request) }, allowed(request, body))
      server?.timeout(request, 0)
      if (!request.headers.get('accept')?.includes(NDJSON))
        return Response.json(await bulkReportOf(steps, request.signal))
      return progress(steps, deps)
    },
    {
      body: body(BulkSchema, { check: checkBulk, example: { action: 'stop', filter: { tag: 'shop' } } }),
      response: jsonOrLines(answers.BulkReport, answers.BulkLine),
      detail: describe('Start, stop, tag or delete many streams', DESCRIPTION, {
        problems: ['conflict', 'too_many'],
      }),
    },
  )
}

/** Bulk deletion requires the scope `admin`. @throws Problem `forbidden_scope` */
export function allowed(request: Request, asked: Bulk): Bulk {
  if (asked.action === 'delete') checkScope(callerOf(request), 'admin')
  return asked
}

/** @throws Problem `invalid_field`, naming the field */
export function checkBulk(value: unknown): Bulk {
  const { action, ids, filter, tag, atMost, ...deadAfter } = checked(BulkSchema, value, { isExact: true })
  if ((ids === undefined) === (filter === undefined))
    throw new Problem('invalid_field', 'Specify either `ids` or `filter`.', 'ids')
  const bad = ids?.find((id) => !isUuid(id))
  if (bad !== undefined)
    throw new Problem('invalid_field', `ids: "${bad.slice(0, 64)}" isn't a stream ID.`, 'ids')
  const isTagging = action === 'tag' || action === 'untag'
  if (isTagging !== (tag !== undefined))
    throw new Problem(
      'invalid_field',
      isTagging ? `${action} requires a tag.` : `${action} doesn't take a tag.`,
      'tag',
    )
  checkDeadAfter(action, deadAfter)
  const streams =
    ids === undefined ? { filter: filterOf(filter ?? {}) } : { ids: ids.map((id) => id.toLowerCase()) }
  return { action, streams, tag, deadAfter, atMost }
}

function checkDeadAfter(action: BulkAction, { deadAfterFailures, deadAfterMs }: DeadAfter): void {
  const isGiven = deadAfterFailures !== undefined || deadAfterMs !== undefined
  if (isGiven === (action === 'deadAfter')) return
  throw new Problem(
    'invalid_field',
    isGiven
      ? `${action} doesn't take \`deadAfterMs\`.`
      : 'deadAfter requires `deadAfterFailures` or `deadAfterMs`.',
    'deadAfterMs',
  )
}

/** The final report. Stops after the current batch if the client disconnects. */
export async function bulkReportOf(
  steps: AsyncGenerator<BulkStep>,
  signal: AbortSignal,
): Promise<BulkReport> {
  const report = noReport()
  for await (const step of steps) {
    add(report, step)
    if (signal.aborted) break
  }
  return report
}

/** One line after each batch with the report so far. Stops when the client disconnects. */
async function progress(steps: AsyncGenerator<BulkStep>, { warn }: BulkRoutesDeps): Promise<Response> {
  const utf8 = new TextEncoder()
  const report = noReport()
  // An error status is possible only before the response starts.
  let next: IteratorResult<BulkStep> | undefined = await steps.next()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const line = (value: unknown) => controller.enqueue(utf8.encode(`${JSON.stringify(value)}\n`))
      try {
        const { done, value } = next ?? (await steps.next())
        next = undefined
        if (done) {
          if (report.total === 0) line(report)
          return controller.close()
        }
        add(report, value)
        line(report)
      } catch (error) {
        const { code, detail } = problemOf(error, 'A bulk operation failed', warn)
        line({ ...report, problem: { code, detail } })
        controller.close()
      }
    },
    async cancel() {
      await steps.return(undefined)
    },
  })
  return new Response(body, { headers: { 'Content-Type': NDJSON, 'X-Accel-Buffering': 'no' } })
}

function noReport(): BulkReport {
  return { total: 0, done: 0, changed: 0, unchanged: 0, failed: 0, failures: [] }
}

function add(report: BulkReport, { total, changed, unchanged, failed }: BulkStep): void {
  report.total = total
  report.changed += changed
  report.unchanged += unchanged
  report.failed += failed.length
  report.done = report.changed + report.unchanged + report.failed
  report.failures.push(...failed.slice(0, MAX_TOLD - report.failures.length))
}

const DESCRIPTION =
  'Applies to `ids` (at most 10,000) or to all streams that match a `filter`, in batches; failures don’t affect other ' +
  `streams. Returns the number of changed, unchanged and failed streams, with the first failures; with \`Accept: ${NDJSON}\` ` +
  'after each batch. With `atMost`, fails with 409 if more streams match. `tag` and `untag` require a `tag`; `deadAfter` ' +
  'requires `deadAfterFailures`, `deadAfterMs` or both, null for the default; `delete` also deletes all recorded data. If the client disconnects, it stops after the current batch.'
