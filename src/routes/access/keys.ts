import { type Static, Type } from '@sinclair/typebox'
import { Errors } from '@sinclair/typebox/errors'
import { Elysia } from 'elysia'
import { SCOPES } from '../../../drizzle/schema.ts'
import { readAudit } from '../../auth/audit.ts'
import { callerOf } from '../../auth/caller.ts'
import type { KeyInput, Keys } from '../../auth/keys.ts'
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
      description: 'Whose it is, or what for',
    }),
    scope: Type.Union(SCOPES.map((scope) => Type.Literal(scope))),
    expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'Left out: never' })),
  },
  { additionalProperties: false },
)
const schema = Type.Object(
  { ...KeySchema.properties, expiresAt: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

/** The keys that let programs and people in, and who did what by them. */
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
        detail: operation('Make a key', MAKE, {
          body: KeySchema,
          example: { name: 'Dashboard in the hall', scope: 'read' },
          answers: created(answers.NewKey),
          problems: ['too_many'],
        }),
      },
    )
    .get('/api/keys', async () => ({ items: await keys.list() }), {
      detail: operation('List keys', 'The newest first, those that were revoked or have expired too.', {
        answers: json(listOf(answers.Key)),
      }),
    })
    .get('/api/keys/:id', ({ params }) => keys.view(params.id), {
      detail: operation('Read a key', undefined, { answers: json(answers.Key) }),
    })
    .delete(
      '/api/keys/:id',
      async ({ params }) => {
        await keys.revoke(params.id)
        return new Response(null, { status: 204 })
      },
      {
        detail: operation(
          'Revoke a key',
          'Within seconds it lets nobody in, and ends its sessions. Idempotent.',
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
        detail: operation('Who did what', AUDIT, {
          parameters: [
            { name: 'q', description: 'Part of the caller’s name, the route, the subject, or the address' },
            { name: 'caller', description: '`token`, `local`, or `key:` with its id' },
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

/** @throws Problem `invalid_field` for what is no row's id */
export function rowOf(after: string | undefined): string | undefined {
  if (after === undefined || isUuid(after)) return after
  throw new Problem('invalid_field', 'after: expected the next of the page before.', 'after')
}

const MAKE =
  'Scopes: `read` may read everything, and subscribe to the proxy; `operate` may also register, change, start, stop and ' +
  'remove streams, notify, acknowledge, and silence; `admin` may do everything. The `secret` is told this once.'

const AUDIT =
  'A row for each request that changed something, the newest first: who sent it, its route, what it was done to, and ' +
  'where it came from; never what was sent. `next` is the `after` of the next page. Reports of services about ' +
  'themselves are told once a minute for each caller.'
