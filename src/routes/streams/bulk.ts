import { type Static, Type } from '@sinclair/typebox'
import { Errors } from '@sinclair/typebox/errors'
import { Elysia } from 'elysia'
import { KINDS } from '../../../drizzle/schema.ts'
import { callerOf } from '../../auth/caller.ts'
import { checkScope } from '../../auth/scopes.ts'
import { VERDICTS } from '../../core/judging/verdict.ts'
import { causeOf, Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import {
  BULK_ACTIONS,
  type Bulk,
  type BulkFailure,
  type BulkStep,
  bulk,
  MAX_NAMED,
} from '../../streams/registry/bulk.ts'
import { Tag } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { isUuid } from '../../streams/registry/uuid.ts'
import { jsonOrLines } from '../answers/answer.ts'
import * as answers from '../answers/transfer.ts'
import { readJson } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { typed } from '../http/typed.ts'
import { NDJSON } from '../transfer/import-report.ts'

export interface BulkRoutesDeps {
  db: Database
  streams: Streams
  warn(message: string, error: unknown): void
}

/** What was done so far, or in all. */
export interface BulkReport {
  total: number
  done: number
  changed: number
  unchanged: number
  failed: number
  /** The first of those that failed. */
  failures: BulkFailure[]
}

/** Failures told in a report; the others are counted. */
const MAX_TOLD = 100

const Text = Type.String({ minLength: 1, maxLength: 8_192 })
const choice = <T extends string>(values: readonly T[]) =>
  Type.Union(values.map((value) => Type.Literal(value)))
const FilterSchema = Type.Partial(
  Type.Object({ q: Text, tag: Text, host: Text, state: choice(VERDICTS), kind: choice(KINDS) }),
  { additionalProperties: false, description: 'As in the list of streams; empty: all' },
)
const BulkSchema = Type.Object(
  {
    action: choice(BULK_ACTIONS),
    ids: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: MAX_NAMED })),
    filter: Type.Optional(FilterSchema),
    tag: Type.Optional(Tag),
    atMost: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Where the filter matches more by now, nothing is done' }),
    ),
  },
  { additionalProperties: false },
)

/** Starting, stopping, tagging and removing many streams at once. */
export function bulkRoutes(deps: BulkRoutesDeps) {
  return new Elysia({ detail: { tags: ['Streams'] } }).post(
    '/api/streams/bulk',
    async ({ request, server }) => {
      const steps = bulk(
        { ...deps, caller: callerOf(request) },
        allowed(request, checkBulk(await readJson(request))),
      )
      server?.timeout(request, 0)
      if (!request.headers.get('accept')?.includes(NDJSON)) return reportOf(steps, request.signal)
      return progress(steps, deps)
    },
    {
      ...typed<{ body: Static<typeof BulkSchema> }>(),
      parse: 'none',
      detail: operation('Start, stop, tag or remove many streams', DESCRIPTION, {
        body: BulkSchema,
        example: { action: 'stop', filter: { tag: 'shop' } },
        answers: jsonOrLines(answers.BulkReport, answers.BulkLine),
        problems: ['conflict', 'too_many'],
      }),
    },
  )
}

/** Removing many takes more than removing one. @throws Problem `forbidden_scope` */
export function allowed(request: Request, asked: Bulk): Bulk {
  if (asked.action === 'delete') checkScope(callerOf(request), 'admin')
  return asked
}

/** @throws Problem `invalid_field`, naming the field */
export function checkBulk(value: unknown): Bulk {
  const error = Errors(BulkSchema, value).First()
  if (error !== undefined) {
    const field = error.path.split('/').slice(1, 3).join('.')
    const what = field === '' ? '' : `${field}: `
    throw new Problem('invalid_field', `${what}${error.message}.`, field || undefined)
  }
  const { action, ids, filter, tag, atMost } = value as Static<typeof BulkSchema>
  if ((ids === undefined) === (filter === undefined))
    throw new Problem('invalid_field', 'Say which streams: ids or filter, one of them.', 'ids')
  const bad = ids?.find((id) => !isUuid(id))
  if (bad !== undefined) throw new Problem('invalid_field', `ids: "${bad.slice(0, 64)}" isn't an id.`, 'ids')
  const isTagging = action === 'tag' || action === 'untag'
  if (isTagging !== (tag !== undefined))
    throw new Problem('invalid_field', isTagging ? 'Say which tag.' : `${action} takes no tag.`, 'tag')
  const streams = ids === undefined ? { filter: filter ?? {} } : { ids: ids.map((id) => id.toLowerCase()) }
  return { action, streams, tag, atMost }
}

/** The whole report; what a caller who has gone asked for stops after the batch it is at. */
export async function reportOf(steps: AsyncGenerator<BulkStep>, signal: AbortSignal): Promise<BulkReport> {
  const report = noReport()
  for await (const step of steps) {
    add(report, step)
    if (signal.aborted) break
  }
  return report
}

/** The report as it stands after each batch, a line each. It stops, too, once nobody reads it. */
async function progress(steps: AsyncGenerator<BulkStep>, { warn }: BulkRoutesDeps): Promise<Response> {
  const utf8 = new TextEncoder()
  const report = noReport()
  // A refusal can be one only before the answer begins.
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
        warn(`A change of many streams broke off: ${causeOf(error)}`, error)
        const { code, detail } = new Problem(
          'internal',
          'Something went wrong inside Weir; its log says what.',
        )
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
  'Of `ids` (at most 10,000) or of all that match a `filter`. Done a batch at a time; good ones are done, whatever the ' +
  `others are. Says how many were changed, were so already, and failed, with the first failures; with \`Accept: ${NDJSON}\` ` +
  'so after each batch. `atMost` refuses with 409 where more match than you saw. `tag` and `untag` take a `tag`; `delete` ' +
  'removes everything that was recorded, too. A caller that leaves stops it after the batch it is at.'
