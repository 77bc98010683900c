import { describe, expect, test } from 'bun:test'
import type { OpenApiOptions } from '../../src/transfer/openapi/operations.ts'
import { MAX_SERVER_URLS } from '../../src/transfer/openapi/servers.ts'
import { BOOKSHOP } from './bookshop.ts'
import { read } from './operations.ts'
import { refusalOf } from './refusal.ts'

const EU = 'https://eu.books.example.com/v2'
const KEY = { headers: { 'x-api-key': 'k' } }

describe('a document of a shop', () => {
  const bookshop = Bun.YAML.parse(BOOKSHOP)

  test('becomes a complete stream for each GET operation and server', () => {
    const lines = read(bookshop, KEY)
    const [, us, , , , sales, search] = lines
    const query = 'page=1&genre=crime'
    expect(lines[0]).toEqual({
      line: 1,
      url: `${EU}/books?${query}`,
      name: 'All books (eu.books.example.com)',
      kind: 'poll',
      tags: ['books', 'new hot'],
      headers: { 'x-api-key': 'k' },
    })
    expect(us?.url).toBe(`https://us.books.example.com/v2/books?${query}`)
    expect(lines[2]).toMatchObject({ url: `${EU}/books/978%2F0%201`, kind: 'poll' })
    expect(sales).toMatchObject({ url: 'https://live.example.com/sales', kind: 'sse' })
    expect(search?.url).toBe(
      `${EU}/search?filter[lang]=%5B%22pl%22%5D&filter[max]=5&ids=7&where=%7B%22a%22%3A%22%C5%BC%20%22%7D`,
    )
    expect(search?.headers).toEqual({ 'X-Version': '3', Cookie: 'session=none', 'x-api-key': 'k' })
    expect(search?.kind).toBeUndefined()
    expect(lines.map(({ line }) => line)).toEqual(lines.map((_, index) => index + 1))
  })

  test('names a server whose address isn’t a URL by the address; registering it says why', () => {
    const servers = [{ url: 'https://{region}/', variables: { region: { enum: ['eu us', 'eu.test'] } } }]
    const lines = read({ openapi: '3.1.0', servers, paths: { '/a': { get: { summary: 'A' } } } })
    expect(lines.map(({ name, url }) => [name, url])).toEqual([
      ['A (https://eu us/)', 'https://eu us/a'],
      ['A (eu.test)', 'https://eu.test/a'],
    ])
  })

  test('lists what each operation lacks, and how to set it', () => {
    const lacking = (name: string) => read(bookshop).find((line) => line.name === name)
    expect(lacking('All books')).toMatchObject({
      field: 'headers.X-Api-Key',
      detail: expect.stringMatching(
        /header X-Api-Key \(apiKey; \?header=X-Api-Key: …\), or header Authorization/,
      ),
    })
    expect(lacking('One review')).toMatchObject({
      url: `${EU}/books/978%2F0%201/reviews/{reviewId}`,
      field: 'reviewId',
      detail: expect.stringMatching(/path parameter reviewId \(\?param=reviewId=…\); the required secret/),
    })
    expect(lacking('Sales as they happen')?.detail).toBeUndefined()
  })

  test('prefers the caller’s values over the document’s', () => {
    const params = new Map([
      ['reviewId', '9'],
      ['region', 'asia'],
      ['genre', 'a b'],
      ['sort', 'price'],
    ])
    const lines = read(bookshop, { headers: { Authorization: 'Bearer x' }, params })
    expect(lines.map(({ url }) => url)).toContain(
      'https://asia.books.example.com/v2/books/978%2F0%201/reviews/9',
    )
    expect(lines[0]?.url).toBe('https://asia.books.example.com/v2/books?page=1&genre=a%20b&sort=price')
  })

  test('a circular, external or missing reference fails only its operation', () => {
    const at = (url: string) => read(bookshop).find((line) => line.url === url)
    expect(at('/circle')).toMatchObject({ field: '$ref', detail: expect.stringMatching(/is circular/) })
    expect(at('/elsewhere')?.detail).toMatch(/outside the document/)
    expect(at('/nowhere')?.detail).toMatch(/points to nothing/)
  })
})

describe('servers', () => {
  const at = (servers: unknown, options: Partial<OpenApiOptions> = {}) =>
    read({ openapi: '3.0.0', servers, paths: { '/a': { get: {} } } }, options)

  test.each<[what: string, servers: unknown, server: string | undefined, url: string]>([
    ['a path, of the server given', [{ url: '/api/v3' }], 'https://h', 'https://h/api/v3/a'],
    ['none, but one given', undefined, 'https://h/x/', 'https://h/a'],
    ['one, and another given', [{ url: 'https://h' }], 'https://other/v1', 'https://other/v1/a'],
    ['one alone', [{ url: 'https://h/v1/' }], undefined, 'https://h/v1/a'],
  ])('%s', (_what, servers, server, url) => {
    expect(at(servers, { server })).toEqual([{ line: 1, url, name: '/a' }])
  })

  test.each<[what: string, servers: unknown, field: string]>([
    ['a path', [{ url: '/api/v3' }], 'server'],
    ['none', undefined, 'server'],
    ['another scheme', [{ url: 'ws://h' }], 'server'],
    ['no text', [{ url: { toString: 1 } }], 'server'],
    ['a variable without a value', [{ url: 'https://{tenant}.h' }], 'tenant'],
    ['a special variable', [{ url: 'https://{constructor}.h', variables: {} }], 'constructor'],
  ])('%s is not enough', (_what, servers, field) => {
    expect(at(servers)).toMatchObject([
      { field, detail: expect.stringMatching(/^The document doesn't provide/) },
    ])
  })

  test('up to a limit become streams; beyond it, the caller has to choose', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ url: `https://h${index}` }))
    expect(at(many(MAX_SERVER_URLS)).length).toBe(MAX_SERVER_URLS)
    expect(at(many(MAX_SERVER_URLS + 1))).toMatchObject([{ field: 'server' }])
  })

  test('variables with billions of combinations are recognized as too many', () => {
    const names = Array.from({ length: 10 }, (_, index) => `v${index}`)
    const variables = Object.fromEntries(
      names.map((name) => [name, { default: 'a', enum: [...'abcdefghij'] }]),
    )
    const url = `https://h/${names.map((name) => `{${name}}`).join('/')}`
    expect(at([{ url, variables }])).toMatchObject([{ field: 'server' }])
  })
})

test.each([{ swagger: '1.2', paths: {} }, { openapi: 3 }, { openapi: '4.0.0' }, null, 'x'])(
  '%j isn’t a document of version 3, or 2',
  async (document) => {
    expect((await refusalOf(() => read(document))).code).toBe('bad_request')
  },
)

test.each([
  {},
  { paths: null },
  { paths: 7 },
  { paths: [] },
  { paths: { '/a': null } },
  { paths: { '/a': { get: [] } } },
])('%j contains nothing', (rest) => {
  expect(read({ openapi: '3.1.0', ...rest })).toEqual([])
})
