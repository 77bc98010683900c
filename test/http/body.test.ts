import { expect, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { Problem } from '../../src/errors.ts'
import { body, optionalBody } from '../../src/routes/http/body.ts'

const Key = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 5, pattern: '\\S' }),
    scope: Type.Union([Type.Literal('read'), Type.Literal('admin')]),
    expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
    tag: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    share: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    parts: Type.Optional(Type.Array(Type.Object({ id: Type.Integer() }), { maxItems: 1 })),
  },
  { additionalProperties: false },
)
const VALID = { name: 'a', scope: 'read' }
const MAX_BYTES = 1_000

function post(sent: BodyInit | null, declared = body(Key, { maxBytes: MAX_BYTES })) {
  return declared['~standard'].validate(new Request('http://localhost/', { method: 'POST', body: sent }))
}

async function refusal(sent: BodyInit) {
  const error = await post(sent).catch((error) => error)
  if (!(error instanceof Problem)) throw new Error(`Not refused: ${sent}`)
  return [error.code, error.field, error.detail]
}

test('a body that fits is taken as it is, whatever its content type', async () => {
  expect((await post(JSON.stringify({ ...VALID, expiresAt: '2030-01-01' }))).value).toEqual({
    name: 'a',
    scope: 'read',
    expiresAt: '2030-01-01',
  })
})

test.each<[sent: unknown, field: string | undefined, detail: string]>([
  [[], undefined, 'Expected a JSON object.'],
  [{ scope: 'read' }, 'name', '`name` is required.'],
  [{ name: 'a' }, 'scope', '`scope` is required: read or admin.'],
  [{ ...VALID, x: 1 }, 'x', 'Unknown field: x.'],
  [{ ...VALID, name: 1 }, 'name', 'name: expected a string.'],
  [{ ...VALID, name: ' ' }, 'name', "name: can't be blank."],
  [{ ...VALID, name: '' }, 'name', 'name: expected at least 1 character.'],
  [{ ...VALID, name: 'abcdef' }, 'name', 'name: expected at most 5 characters.'],
  [{ ...VALID, scope: 'all' }, 'scope', 'scope: expected read or admin.'],
  [{ ...VALID, tag: 1 }, 'tag', 'tag: expected a string or null.'],
  [{ ...VALID, share: 2 }, 'share', 'share: expected a number from 0 to 1.'],
  [{ ...VALID, parts: {} }, 'parts', 'parts: expected a list.'],
  [{ ...VALID, parts: [{}] }, 'parts', '`parts.0.id` is required.'],
  [{ ...VALID, parts: [{ id: 0.5 }] }, 'parts', 'parts.0.id: expected a whole number.'],
  [{ ...VALID, name: 'a\0' }, 'name', "name: NUL characters aren't allowed."],
])('%j is refused, naming the field', async (sent, field, detail) => {
  expect(await refusal(JSON.stringify(sent))).toEqual(['invalid_field', field, detail])
})

test('what is no JSON is refused', async () => {
  expect((await refusal('{"name"'))[0]).toBe('invalid_json')
  expect((await refusal(''))[0]).toBe('invalid_json')
})

test('an endless body is read no further than to its limit', async () => {
  let sent = 0
  let isLeft = false
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 100
      controller.enqueue(new Uint8Array(100).fill(32))
    },
    cancel() {
      isLeft = true
    },
  })
  expect(await refusal(endless)).toEqual([
    'body_too_large',
    undefined,
    `The body exceeds ${MAX_BYTES} bytes.`,
  ])
  expect(isLeft).toBe(true)
  expect(sent).toBeLessThan(2 * MAX_BYTES)
})

test('what the schema can’t say is checked, too', async () => {
  const check = (value: unknown) => {
    if ((value as typeof VALID).name === 'root') throw new Problem('conflict', 'Taken.', 'name')
    return 'checked'
  }
  const declared = body(Key, { check })
  const validate = (sent: unknown) =>
    declared['~standard'].validate(
      new Request('http://localhost/', { method: 'POST', body: JSON.stringify(sent) }),
    )
  expect((await validate(VALID)).value).toBe('checked')
  expect(await validate({ ...VALID, name: 'root' }).catch((error) => error)).toMatchObject({
    code: 'conflict',
  })
})

test('only an optional body may be left out', async () => {
  const declared = optionalBody(Key)
  const validate = (sent: string) =>
    declared['~standard'].validate(new Request('http://localhost/', { method: 'POST', body: sent }))
  expect((await validate(' ')).value).toBeUndefined()
  expect((await validate(JSON.stringify(VALID))).value as unknown).toEqual(VALID)
  expect(await validate('{}').catch((error) => error)).toMatchObject({ field: 'name' })
  expect([declared.requestBody.required, body(Key).requestBody.required]).toEqual([false, true])
})
