import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { MAX_IMPORT_BYTES } from '../../src/routes/transfer/transfer.ts'
import type { LineOutcome } from '../../src/transfer/item.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { exportedList, importInto, refusedBy } from './client.ts'

const ID = '01a20200-1921-70a6-bb27-dd1b93130b54'
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

describe('valid and invalid lines', () => {
  test('each is reported in order; the valid ones are imported', async () => {
    const lines = [
      still('good'),
      { ...still('bad interval'), intervalMs: 1 },
      null,
      'text',
      { name: 'no url' },
      { ...still('special'), ...JSON.parse('{"__proto__": {"url": 1}}') },
      { ...still('bad id'), id: 'x' },
      { ...still('hidden'), headers: { 'X-Key': '•••' } },
      { ...still('twin'), kind: 'sse', twin: true },
      still('also good'),
    ]
    const report = await importInto(weir, lines)
    expect(report.totals).toEqual({ lines: 10, created: 2, unchanged: 0, updated: 0, skipped: 0, failed: 8 })
    expect(report.lines.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(report.lines.map(({ problem }) => problem?.field)).toEqual([
      undefined,
      'intervalMs',
      undefined,
      undefined,
      'url',
      '__proto__',
      'id',
      'headers.X-Key',
      'twin',
      undefined,
    ])
    expect(report.lines[0]).toMatchObject({
      outcome: 'created',
      url: `${url}?good`,
      name: expect.any(String),
    })
    expect(report.lines[4]).toMatchObject({ outcome: 'failed', url: null, name: 'no url' })
    expect(await weir.json(`/api/streams/${report.lines[9]?.id}`)).toMatchObject({
      url: `${url}?also%20good`,
    })
  })

  test('an invalid line of NDJSON or CSV doesn’t affect the others', async () => {
    const ndjson = await importInto(
      weir,
      `${JSON.stringify(still('n1'))}\n{bad\n${JSON.stringify(still('n2'))}`,
    )
    expect(outcomes(ndjson.lines)).toEqual(['created', 'failed', 'created'])
    const csv = `\ufeffurl,kind,start,intervalMs\r\n${url}?c1,poll,false,\r\n${url}?c2,poll,false,soon\r\n`
    expect(outcomes((await importInto(weir, csv)).lines)).toEqual(['created', 'failed'])
  })

  test.each<
    [what: string, body: string, query: string, status: number, code: string, field: string | undefined]
  >([
    ['no file', '', '', 400, 'bad_request', 'format'],
    ['half an array', '[{', '', 400, 'invalid_json', undefined],
    ['a column that is not known', 'url,shade\nx,y', '', 422, 'invalid_field', 'shade'],
    ['an unknown option', '[]', 'dry=true', 422, 'invalid_field', 'dry'],
    ['an unknown format', '[]', 'format=xml', 422, 'invalid_field', 'format'],
    ['a word that is no yes', '[]', 'dryRun=yes', 422, 'invalid_field', 'dryRun'],
    ['an interval that no stream may have', '[]', 'intervalMs=1', 422, 'invalid_field', 'intervalMs'],
    ['a tag that no stream may have', '[]', 'tag=a,b', 422, 'invalid_field', 'tags'],
    ['a header without a value', '[]', 'header=X-Key', 422, 'invalid_field', 'header'],
    ['a header that HTTP does not allow', '[]', 'header=X Key: a', 422, 'invalid_field', 'headers'],
    ['a parameter without a value', '[]', 'param=id', 422, 'invalid_field', 'param'],
    ['a server that is no URL', '[]', 'server=example.com', 422, 'invalid_field', 'server'],
  ])('%s is rejected as a whole', async (_what, body, query, status, code, field) => {
    expect(await refusedBy(weir, body, query)).toMatchObject({ status, code, ...(field && { field }) })
  })

  test('a file that is too large is rejected, however it is sent', async () => {
    const large = ' '.repeat(MAX_IMPORT_BYTES + 1)
    expect(await refusedBy(weir, large)).toMatchObject({ status: 413, code: 'body_too_large' })
    expect(await refusedBy(weir, new Blob([large]).stream())).toMatchObject({ status: 413 })
    expect((await importInto(weir, `[]${large.slice(3)}`)).totals.lines).toBe(0)
  })
})

describe('existing streams', () => {
  test('the same file twice creates them once, in any format', async () => {
    const lines = [still('same'), still('same', { name: 'other' }), { url: `${url}?asked`, start: false }]
    expect((await importInto(weir, lines)).totals.created).toBe(3)
    const again = await importInto(weir, { streams: lines })
    expect(again.totals).toMatchObject({ unchanged: 3 })
    const csv = ['url,kind,start,name', `${url}?same,poll,false,`, `${url}?same,poll,false,other`].join('\n')
    const third = await importInto(weir, csv)
    expect(third.lines.map(({ id }) => id)).toEqual(again.lines.slice(0, 2).map(({ id }) => id))
    expect(upstream.requests.get('/json')?.filter((request) => request.url.endsWith('?asked')).length).toBe(1)
  })

  test.each<[string, object]>([
    ['name', { name: 'another' }],
    ['method', { method: 'POST' }],
    ['payload pointer', { payloadPointer: '/ok' }],
    ['headers', { headers: { 'X-A': '1' } }],
    ['kind', { kind: 'sse' }],
  ])('a different %s makes a different stream', async (what, other) => {
    const line = still(`another-${what}`, { method: 'GET', name: 'one' })
    const twice = { ...line, headers: {} }
    const { lines } = await importInto(weir, [line, { ...line, ...other }, twice])
    expect(outcomes(lines)).toEqual(['created', 'created', 'unchanged'])
    expect(lines[2]?.id).toBe(lines[0]?.id as string)
  })

  test('a line with an ID changes only its fields of that stream', async () => {
    const { id } = await weir.register(
      still('known', { headers: { A: '1', B: '2' }, tags: ['x'], body: '', name: 'n' }),
    )
    const line = { id: id.toUpperCase(), name: 'new', headers: { a: '•••', C: '3' } }
    const report = await importInto(weir, [line], 'tag=imported&start=true&intervalMs=700')
    expect(report.lines).toEqual([{ line: 1, outcome: 'updated', id, url: `${url}?known`, name: 'new' }])
    const found = (await exportedList(weir, 'secrets=true&tag=imported')).find((each) => each.id === id)
    expect(found).toMatchObject({ name: 'new', headers: { a: '1', C: '3' }, tags: ['x', 'imported'] })
    expect(found).toMatchObject({ start: false, intervalMs: 60_000 })
    expect(Object.keys(found?.headers as object).sort()).toEqual(['C', 'a'])
  })

  test('a line with an ID starts, stops and twins its stream', async () => {
    const { id } = await weir.register(still('switched', { intervalMs: 600_000 }))
    const say = async (said: object) => outcomes((await importInto(weir, [{ id, ...said }])).lines)
    expect(await say({ start: true })).toEqual(['updated'])
    await weir.status(id, 'live')
    expect(await say({ start: true, twin: true })).toEqual(['updated'])
    expect(await say({ start: true, twin: true })).toEqual(['unchanged'])
    expect((await exportedList(weir)).find((each) => each.id === id)).toMatchObject({ twin: true })
    expect(await say({ twin: false })).toEqual(['failed'])
    expect(await say({ start: false })).toEqual(['updated'])
    await weir.status(id, 'stopped')
  })

  test('an unknown ID is kept; a repeated one is used once', async () => {
    const { lines } = await importInto(weir, [still('id', { id: ID }), still('id 2', { id: ID })])
    expect(lines).toMatchObject([
      { outcome: 'created', id: ID },
      { outcome: 'failed', problem: { code: 'conflict', field: 'id' } },
    ])
    expect(await weir.json(`/api/streams/${ID}`)).toMatchObject({ url: `${url}?id` })
  })

  test('a proxied stream and a twin can’t be changed by ID', async () => {
    const { id } = await weir.register({ url: `${url}?twin`, kind: 'poll', twin: true, start: false })
    const { items } = await weir.json<{ items: { id: string; twinOf: string }[] }>('/api/streams?limit=500')
    const twin = items.find(({ twinOf }) => twinOf === id)
    const { lines } = await importInto(weir, [{ id: twin?.id, name: 'x' }])
    expect(lines).toMatchObject([{ outcome: 'failed', problem: { code: 'conflict', field: 'id' } }])
  })
})
