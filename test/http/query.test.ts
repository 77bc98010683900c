import { expect, test } from 'bun:test'
import { INSTANT_FORMS } from '../../src/core/time.ts'
import { Problem } from '../../src/errors.ts'
import { invalid } from '../../src/routes/http/input.ts'
import { pageSize } from '../../src/routes/http/parameters.ts'
import {
  choice,
  choices,
  documentedQuery,
  each,
  flag,
  instant,
  otherwise,
  parameters,
  readAs,
  required,
  text,
  whole,
} from '../../src/routes/http/query.ts'

const PARAMETERS = {
  q: text('Search'),
  kind: choices(['patch', 'snapshot']),
  step: otherwise(choice(['minute', 'hour']), 'hour'),
  from: instant(),
  past: flag(),
  header: each('Repeatable', (_, one) => one.toUpperCase()),
  even: readAs('An even number', (name, one) => {
    if (Number(one) % 2 !== 0) throw invalid(name, `${name}: expected an even number.`)
    return Number(one)
  }),
  points: whole({ min: 1, max: 9 }),
  limit: pageSize(),
}
const Query = parameters(PARAMETERS)

async function read(search: string) {
  const { value } = await Query['~standard'].validate(new Request(`http://localhost/?${search}`))
  return value
}

async function refusal(search: string) {
  const error = await read(search).catch((error) => error)
  if (!(error instanceof Problem)) throw new Error(`Not refused: ${search}`)
  return [error.code, error.field, error.detail]
}

test('what is left out, or empty, has its default', async () => {
  const left = { header: [], step: 'hour', limit: 50 }
  expect((await read('')) as unknown).toEqual(left)
  expect((await read('q=&limit=&kind=')) as unknown).toEqual(left)
})

test('each parameter is read as what it is', async () => {
  const search = 'q=a,b%20[1]&kind=patch,%20snapshot&from=2026-01-31T12:00:00Z&past=true&points=9&even=4'
  expect((await read(`${search}&header=a&header=b&limit=1&limit=500`)) as unknown).toEqual({
    q: 'a,b [1]',
    kind: ['patch', 'snapshot'],
    step: 'hour',
    from: new Date('2026-01-31T12:00:00Z'),
    past: true,
    header: ['A', 'B'],
    even: 4,
    points: 9,
    limit: 500,
  })
})

test.each([
  ['x=1', 'x', 'Unknown parameter: x.'],
  ['__proto__=1', '__proto__', 'Unknown parameter: __proto__.'],
  ['toString=1', 'toString', 'Unknown parameter: toString.'],
  ['q=a%00', 'q', "q: NUL characters aren't allowed."],
  ['limit=0', 'limit', 'limit: expected a whole number from 1 to 500.'],
  ['limit=501', 'limit', 'limit: expected a whole number from 1 to 500.'],
  ['limit=1e2', 'limit', 'limit: expected a whole number from 1 to 500.'],
  ['from=yesterday', 'from', `from: expected a time such as ${INSTANT_FORMS}.`],
  ['from=2026-03-04T10:00', 'from', `from: the time has no zone; expected a time such as ${INSTANT_FORMS}.`],
  ['from=03/04/2026', 'from', `from: expected a time such as ${INSTANT_FORMS}.`],
  ['kind=patch,poll', 'kind', 'kind: expected patch or snapshot.'],
  ['step=day', 'step', 'step: expected minute or hour.'],
  ['past=1', 'past', 'past: expected true or false.'],
  ['even=3', 'even', 'even: expected an even number.'],
])('%s is refused, naming the parameter', async (search, field, detail) => {
  expect(await refusal(search)).toEqual(['invalid_field', field, detail])
})

test('a required parameter is asked for', async () => {
  const { validate } = parameters({ tag: required(text('Tag')) })['~standard']
  const error = await validate(new Request('http://localhost/?tag=')).catch((error) => error)
  expect(error).toMatchObject({ code: 'invalid_field', field: 'tag', detail: '`tag` is required.' })
})

test('a parameter is documented by what it accepts', () => {
  expect(
    documentedQuery({ limit: PARAMETERS.limit, step: PARAMETERS.step, tag: required(text('Tag')) }),
  ).toEqual([
    {
      name: 'limit',
      in: 'query',
      description: 'Page size',
      schema: { type: 'integer', minimum: 1, maximum: 500, default: 50 },
    },
    { name: 'step', in: 'query', schema: { type: 'string', enum: ['minute', 'hour'], default: 'hour' } },
    { name: 'tag', in: 'query', description: 'Tag', required: true, schema: { type: 'string' } },
  ])
})
