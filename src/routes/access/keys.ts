import { type Static, Type } from '@sinclair/typebox'
import { Errors } from '@sinclair/typebox/errors'
import { Elysia } from 'elysia'
import { readAudit } from '../../auth/audit.ts'
import { callerOf } from '../../auth/caller.ts'
import type { KeyInput, Keys } from '../../auth/keys.ts'
import { SCOPES } from '../../core/sets/scopes.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { isUuid } from '../../streams/registry/uuid.ts'
import * as answers from '../answers/access.ts'
import { created, json, NOTHING } from '../answers/answer.ts'
import { listOf, pageOf } from '../answers/types.ts'
import { dateOf, integerOf, query, readJson } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { typed } from '../http/typed.ts'

export interface KeyRoutesDeps {
  db: Database
  keys: Keys
}

const MAX_KEY_BYTES = 4_096
const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500

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
const schema = Type.Object(
  { ...KeySchema.properties, expiresAt: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

/** API keys and the audit log. */
export function keyRoutes({ db, keys }: KeyRoutesDeps) {
  return new Elysia({ detail: { tags: ['Access'] } })
    .post(
      '/api/keys',
      async ({ request }) => {
        const input = checkKey(await readJson(request, MAX_KEY_BYTES))
        const { key, secret } = await keys.add(input, callerOf(request)?.name ?? 'nobody')
        const headers = { Location: `/api/keys/${key.id}`, 'Cache-Control': 'no-store' }
        return Response.json({ ...key, secret }, { status: 201, headers })
      },
      {
        ...typed<{ body: Static<typeof KeySchema> }>(),
        parse: 'none',
        detail: operation('Create an API key', MAKE, {
          body: KeySchema,
          example: { name: 'Office dashboard', scope: 'read' },
          answers: created(answers.NewKey),
          problems: ['too_many'],
        }),
      },
    )
    .get('/api/keys', async () => ({ items: await keys.list() }), {
      detail: operation('List API keys', 'Newest first, including revoked and expired keys.', {
        answers: json(listOf(answers.Key)),
      }),
    })
    .get('/api/keys/:id', ({ params }) => keys.view(params.id), {
      detail: operation('Get an API key', undefined, { answers: json(answers.Key) }),
    })
    .delete(
      '/api/keys/:id',
      async ({ params }) => {
        await keys.revoke(params.id)
        return new Response(null, { status: 204 })
      },
      {
        detail: operation(
          'Revoke an API key',
          'Takes effect within seconds and ends the sessions of the key. Idempotent.',
          {
            answers: NOTHING,
          },
        ),
      },
    )
    .get(
      '/api/audit',
      async ({ request }) => {
        const asked = query(request, 'q', 'caller', 'from', 'to', 'after', 'limit')
        const page = await readAudit(db, {
          q: asked.q,
          caller: asked.caller,
          from: dateOf('from', asked.from),
          to: dateOf('to', asked.to),
          after: rowOf(asked.after),
          limit: integerOf('limit', asked.limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT,
        })
        return { items: page.items, next: page.next ?? null }
      },
      {
        detail: operation('List audit log records', AUDIT, {
          parameters: [
            { name: 'q', description: 'Search in caller name, route, subject and address' },
            { name: 'caller', description: '`token`, `local`, or `key:` with the key ID' },
            ...['from', 'to', 'after', 'limit'],
          ],
          answers: json(pageOf(answers.Deed)),
        }),
      },
    )
}

/** @throws Problem `invalid_field`, naming the field */
export function checkKey(value: unknown): KeyInput {
  const error = Errors(schema, value).First()
  if (error !== undefined) {
    const field = error.path.split('/')[1]
    const message = field === 'scope' ? `expected ${SCOPES.join(' or ')}` : error.message
    throw new Problem('invalid_field', `${field === undefined ? '' : `${field}: `}${message}.`, field)
  }
  const { name, scope, expiresAt } = value as Static<typeof KeySchema>
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
