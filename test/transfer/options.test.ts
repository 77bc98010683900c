import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { LineOutcome } from '../../src/transfer/item.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { BOOKSHOP } from './bookshop.ts'
import { exported, exportedList, importInto, refusedBy } from './client.ts'

let upstream: Upstream
let weir: TestWeir
let url: string

beforeAll(async () => {
  upstream = startUpstream()
  url = upstream.on('/json', () => Response.json({ ok: true }))
  weir = await startTestWeir()
})

afterAll(async () => {
  expect(weir.warnings).toEqual([])
  await weir.close()
  await upstream.stop()
})

/** A registration that nothing is asked of. */
const still = (path: string, rest: object = {}) => ({
  url: `${url}?${path}`,
  kind: 'poll',
  start: false,
  ...rest,
})
const outcomes = (lines: LineOutcome[]) => lines.map(({ outcome }) => outcome)

describe('options', () => {
  test('a dry run reports what would be done, without doing it or requesting any API', async () => {
    const { id } = await weir.register(still('dry', { name: 'dry' }))
    const asked = upstream.on('/asked-dry', () => Response.json({}))
    const lines = [
      { url: asked },
      { url: asked, kind: 'poll' },
      { id, name: 'wet' },
      still('dry', { name: 'dry' }),
      {},
    ]
    const before = await exportedList(weir)
    const report = await importInto(weir, lines, 'dryRun=true')
    expect(report.dryRun).toBe(true)
    expect(outcomes(report.lines)).toEqual(['created', 'unchanged', 'updated', 'unchanged', 'failed'])
    expect(report.lines[0]?.id).toBeUndefined()
    expect(await exportedList(weir)).toEqual(before)
    expect(upstream.requests.get('/asked-dry')).toBeUndefined()
  })

  test('tag, start and interval apply to streams that don’t set them', async () => {
    const { kind: _kind, ...line } = still('options', { tags: ['own'], intervalMs: 900_000 })
    await importInto(weir, [line, { url: `${url}?options2` }], 'tag=shop&start=false&intervalMs=800000')
    expect(await exportedList(weir, 'tag=shop')).toMatchObject([
      { tags: ['own', 'shop'], intervalMs: 900_000, start: false },
      { tags: ['shop'], intervalMs: 800_000, start: false },
    ])
  })

  test('an omitted kind is detected, a few APIs at a time', async () => {
    let open = 0
    let most = 0
    const behavior = async () => {
      most = Math.max(most, ++open)
      await Bun.sleep(20)
      open--
      return Response.json({})
    }
    const urls = Array.from({ length: 40 }, (_, index) => upstream.on(`/kind/${index}`, behavior))
    const feed = upstream.on('/kind/feed', () => new Feed().response())
    const broken = upstream.on('/kind/broken', () => new Response('', { status: 503 }))
    const report = await importInto(
      weir,
      [feed, broken, ...urls].map((each) => ({ url: each, start: false })),
    )
    expect(report.totals).toMatchObject({ created: 41, failed: 1 })
    expect(report.lines[1]?.problem).toMatchObject({ code: 'unreachable', field: 'url' })
    expect(await weir.json(`/api/streams/${report.lines[0]?.id}`)).toMatchObject({ kind: 'sse' })
    expect(most).toBeLessThanOrEqual(16)
    expect(most).toBeGreaterThan(1)
  })

  test('NDJSON reports each line when it is done, and the totals at the end', async () => {
    const lines = Array.from({ length: 700 }, (_, index) => still(`progress ${index}`))
    const response = await fetch(`${weir.url}/api/streams/import`, {
      method: 'POST',
      body: JSON.stringify(lines),
      headers: { Accept: 'application/x-ndjson' },
    })
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    const told = (await response.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(told.slice(0, -1).map(({ line, outcome }) => `${line} ${outcome}`)).toEqual(
      lines.map((_, index) => `${index + 1} created`),
    )
    expect(told.at(-1)).toMatchObject({ totals: { lines: 700, created: 700 } })
  })

  test('an OpenAPI document is imported with its missing values; a second time, it changes nothing', async () => {
    upstream.on('/shop/books/978%2F0%201/reviews/9', () => Response.json({}))
    upstream.on('/shop/search', () => Response.json({}))
    const query = `header=X-Api-Key: k&param=reviewId=9&server=${upstream.url}/shop&start=false&tag=bookshop`
    const report = await importInto(weir, BOOKSHOP, query)
    expect(outcomes(report.lines)).toEqual([...Array(5).fill('created'), ...Array(3).fill('failed')])
    expect((await importInto(weir, BOOKSHOP, query)).totals).toMatchObject({ unchanged: 5, failed: 3 })
    const list = await exportedList(weir, 'tag=bookshop&secrets=true')
    expect(list.map(({ kind, headers }) => [kind, (headers as Record<string, string>)['X-Api-Key']])).toEqual(
      ['poll', 'poll', 'poll', 'sse', 'poll'].map((kind) => [kind, 'k']),
    )
  })
})

describe('bounds', () => {
  test('a few imports can run at a time; one more is refused until one is done', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const held = upstream.on('/held', async () => {
      await released
      return Response.json({})
    })
    const send = (accept: string, signal?: AbortSignal) =>
      fetch(`${weir.url}/api/streams/import?start=false`, {
        method: 'POST',
        body: JSON.stringify([{ url: `${held}?${crypto.randomUUID()}` }]),
        headers: { Accept: accept },
        signal: signal ?? null,
      }).then((response) => response.text())
    const gone = new AbortController()
    const given = send('application/x-ndjson', gone.signal).catch(() => 'gone')
    const others = ['application/x-ndjson', 'application/json', 'application/json'].map((accept) =>
      send(accept),
    )
    await until('all ask', () => upstream.requests.get('/held')?.length === 4)
    expect(await refusedBy(weir, '[]')).toMatchObject({ status: 429, code: 'too_many' })
    gone.abort()
    release()
    expect(await given).toBe('gone')
    for (const text of await Promise.all(others)) expect(text).toMatch(/"created":1/)
    expect(await refusedBy(weir, '[{')).toMatchObject({ status: 400 })
    await until('the one that nobody reads is done', async () => (await exportedList(weir)).some(isHeld(4)))
    const again = await Promise.all(['[]', '[]', '[]', '[]'].map((file) => importInto(weir, file)))
    expect(again.map(({ totals }) => totals.lines)).toEqual([0, 0, 0, 0])

    function isHeld(count: number) {
      return (_each: unknown, _index: number, all: { url?: unknown }[]) =>
        all.filter((stream) => String(stream.url).startsWith(held)).length === count
    }
  })

  test('CSV has a limited number of header columns', async () => {
    const headers = (part: number) =>
      Object.fromEntries(Array.from({ length: 41 }, (_, n) => [`X-${part}-${n}`, '1']))
    await importInto(
      weir,
      [1, 2, 3, 4, 5].map((part) => still(`wide ${part}`, { headers: headers(part) })),
      'tag=wide',
    )
    const refused = await weir.get('/api/streams/export?format=csv&tag=wide')
    expect(refused.status).toBe(422)
    expect(await refused.json()).toMatchObject({ code: 'invalid_field', field: 'format' })
    expect((await exported(weir, 'format=ndjson&tag=wide')).trimEnd().split('\n').length).toBe(5)
  })
})

test.each(['format=xml', 'secrets=yes', 'shade=red'])('an export with %s is refused', async (query) => {
  expect((await weir.get(`/api/streams/export?${query}`)).status).toBe(422)
})

test('the documentation lists both routes and their options', async () => {
  const { paths } = await weir.json<{
    paths: Record<string, Record<string, { parameters: { name: string }[] }>>
  }>('/openapi/json')
  const names = (parameters: { name: string }[] | undefined) => parameters?.map(({ name }) => name)
  expect(names(paths['/api/streams/import']?.post?.parameters)).toContain('dryRun')
  expect(names(paths['/api/streams/export']?.get?.parameters)).toEqual(['format', 'tag', 'secrets'])
})
