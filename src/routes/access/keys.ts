import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { readAudit } from '../../auth/audit.ts'
import { callerOf } from '../../auth/caller.ts'
import type { KeyInput, Keys } from '../../auth/keys.ts'
import { SCOPES } from '../../core/sets/scopes.ts'
import { isUuid } from '../../core/uuid.ts'
import { Problem } from '../../errors.ts'
import { checked } from '../../schema.ts'
import type { Database } from '../../storage/storage.ts'
import * as answers from '../answers/access.ts'
import { created, json, NOTHING } from '../answers/answer.ts'
import { listOf, pageOf } from '../answers/types.ts'
import { body } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { dateOf } from '../http/input.ts'
import { PAGES, SPAN } from '../http/parameters.ts'
import { parameters, readAs, text } from '../http/query.ts'

export interface KeyRoutesDeps {
  db: Database
  keys: Keys
}

const MAX_KEY_BYTES = 4_096

const KeySchema = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 100,
      pattern: '\\S',
      description: 'Purpose or owner of the key',
    }),
    scope: Type.Union(SCOPES.map((scope) => Type.Literal(scope))),
    expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'Default: never expires' })),
  },
  { additionalProperties: false },
)

/** API keys and the audit log. */
export function keyRoutes({ db, keys }: KeyRoutesDeps) {
  return new Elysia({ detail: { tags: ['Access'] } })
    .post(
      '/api/keys',
      async ({ body, request }) => {
        const { key, secret } = await keys.add(body, callerOf(request)?.name ?? 'nobody')
        const headers = { Location: `/api/keys/${key.id}`, 'Cache-Control': 'no-store' }
        return Response.json({ ...key, secret }, { status: 201, headers })
      },
      {
        body: body(KeySchema, {
          check: checkKey,
          maxBytes: MAX_KEY_BYTES,
          example: { name: 'Office dashboard', scope: 'read' },
        }),
        response: created(answers.NewKey),
        detail: describe('Create an API key', MAKE, { problems: ['too_many'] }),
      },
    )
    .get('/api/keys', async () => ({ items: await keys.list() }), {
      response: json(listOf(answers.Key)),
      detail: describe('List API keys', 'Newest first, including revoked and expired keys.'),
    })
    .get('/api/keys/:id', ({ params }) => keys.view(params.id), {
      response: json(answers.Key),
      detail: describe('Get an API key'),
    })
    .delete(
      '/api/keys/:id',
      async ({ params }) => {
        await keys.revoke(params.id)
        return new Response(null, { status: 204 })
      },
      {
        response: NOTHING,
        detail: describe(
          'Revoke an API key',
          'Takes effect within seconds and ends the sessions of the key. Idempotent.',
        ),
      },
    )
    .get(
      '/api/audit',
      async ({ query }) => {
        const page = await readAudit(db, query)
        return { items: page.items, next: page.next ?? null }
      },
      {
        query: parameters({
          q: text('Search in caller name, route, subject and address'),
          caller: text('`token`, `local`, or `key:` with the key ID'),
          ...SPAN,
          ...PAGES,
          after: readAs('Cursor: `next` of the previous page', (_, after) => rowOf(after)),
        }),
        response: json(pageOf(answers.Deed)),
        detail: describe('List audit log records', AUDIT),
      },
    )
}

/** @throws Problem `invalid_field`, naming the field */
export function checkKey(value: unknown): KeyInput {
  const { name, scope, expiresAt } = checked(KeySchema, value)
  return { name: name.trim(), scope, expiresAt: dateOf('expiresAt', expiresAt) }
}

/** @throws Problem `invalid_field` unless it's a row ID */
export function rowOf(after: string | undefined): string | undefined {
  if (after === undefined || isUuid(after)) return after
  throw new Problem('invalid_field', 'after: expected `next` of the previous page.', 'after')
}

const MAKE =
  'Scopes: `read` can read everything and subscribe to the proxy; `operate` can also create, change, start, stop and ' +
  'remove streams, send notifications, acknowledge incidents and create silences; `admin` can do everything. The ' +
  '`secret` is returned only once.'

const AUDIT =
  'One record for each request that changed something, newest first: caller, route, affected object and client ' +
  'address, but never the request body. Topology reports and traces are recorded once a minute per caller.'
