import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { selectIn } from '../../src/streams/content/select.ts'
import { isXml, parseSelection, type Selection } from '../../src/streams/content/selection.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const PAGE = `<!doctype html><title>Shop</title><script>var price = '<p class="price">no</p>'</script>
<ul><li class="item" data-id=1><a href="/a?x=1&amp;y=2">Apple</a> <b class="price">1 &euro;</b>
<li class="item" data-id=2><a href="/b">Pear</a> <b class="price">2&nbsp;€<i> each</i></b></ul>`
const RSS = `<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>
<item><guid>1</guid><title>First &amp; best</title><link>http://a.test/1</link><pubDate>Tue, 01 Dec 2026 10:00:00 GMT</pubDate><description><![CDATA[<b>Hi</b>]]></description></item>
<item><guid>2</guid><title>Second</title><link>http://a.test/2</link></item></channel></rss>`
const ATOM = `<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><id>urn:1</id><title>One</title>
<link href="http://a.test/one"/><updated>2026-12-01T10:00:00Z</updated><summary>S</summary></entry></feed>`
const XML =
  '<?xml version="1.0"?><Rates><Rate Code="EUR">1.1</Rate><Rate Code="CHF">1.2</Rate><rate>0</rate></Rates>'
const ENTITY_BOMB = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><l>&b;</l>`

const of = (select: string) => parseSelection(select) as Selection

describe('what is selected', () => {
  test.each<[string, string, string, unknown]>([
    ['texts', PAGE, 'css: .price', ['1 €', '2 € each']],
    ['an attribute', PAGE, 'css: a | @href', ['/a?x=1&y=2', '/b']],
    ['an attribute that some lack', PAGE, 'css: li, a | @data-id', ['1', '2']],
    ['inner HTML', PAGE, 'css: li:first-child a | html', ['Apple']],
    [
      'all',
      PAGE,
      'css: li.item > a | all',
      [
        { text: 'Apple', attributes: { href: '/a?x=1&y=2' } },
        { text: 'Pear', attributes: { href: '/b' } },
      ],
    ],
    ['nothing', PAGE, 'css: table', []],
    [
      'elements of XML, by case',
      XML,
      'css: Rate | all',
      [
        { text: '1.1', attributes: { Code: 'EUR' } },
        { text: '1.2', attributes: { Code: 'CHF' } },
      ],
    ],
    [
      'RSS',
      RSS,
      'feed',
      [
        {
          id: '1',
          title: 'First & best',
          link: 'http://a.test/1',
          at: '2026-12-01T10:00:00.000Z',
          description: '<b>Hi</b>',
        },
        { id: '2', title: 'Second', link: 'http://a.test/2' },
      ],
    ],
    [
      'Atom',
      ATOM,
      'feed',
      [
        {
          id: 'urn:1',
          title: 'One',
          link: 'http://a.test/one',
          at: '2026-12-01T10:00:00.000Z',
          description: 'S',
        },
      ],
    ],
    ['no feed', PAGE, 'feed', []],
    ['no declared entity', ENTITY_BOMB, 'css: l', ['&b;']],
    ['broken markup', '<p class=a>x<p class=a>y</b></p>', 'css: .a', ['x', 'y']],
  ])('%s', (_what, text, select, document) => {
    const found = selectIn(text, isXml('', text), of(select))
    expect(found).toEqual(document as never)
  })

  test('too many levels, and too much text, end it', () => {
    expect(() => selectIn('<div>'.repeat(2_000), false, of('css: p'))).toThrow(/levels/)
    const nested = `${'<i>'.repeat(900)}${'x'.repeat(20_000)}`
    expect(() => selectIn(nested, false, of('css: i'))).toThrow(/characters/)
    expect(() => selectIn('<p>'.repeat(50_001), false, of('css: p'))).toThrow(/elements/)
  })
})

test.each(['price', 'css:', 'css: a[', 'css: :never()', 'css: a | b', 'xpath: //a', 'css: a:has('])(
  '%p is refused',
  (select) => {
    expect(() => parseSelection(select)).toThrow(
      expect.objectContaining({ code: 'invalid_field', field: 'select' }),
    )
  },
)

let upstream: Upstream
let weir: TestWeir
beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
})
afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const page =
  (body: string, type = 'text/html') =>
  () =>
    new Response(body, { headers: { 'Content-Type': type } })

test('a page is followed as the document that is selected in it', async () => {
  const prices = Array.from({ length: 20 }, (_, at) => `<b class=price>${at} euros</b>`)
  const url = upstream.on('/page', (_request, hit) => page(`${prices.join('')}<b class=price>${hit}</b>`)())
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500, select: 'css: .price' })
  const patch = await weir.entry(id, 'a change is logged', ({ kind }) => kind === 'patch')
  expect(patch.data).toMatchObject([{ op: 'replace', path: '/20' }])
  expect(await weir.json(`/api/streams/${id}`)).toMatchObject({ select: 'css: .price' })
  const response = await weir.send('PATCH', `/api/streams/${id}`, { select: 'css: .none' })
  expect(response.status).toBe(200)
  await weir.entry(
    id,
    'nothing is found',
    ({ kind, data }) => kind === 'snapshot' && JSON.stringify(data) === '[]',
  )
  await weir.status(id, 'live')
})

test('JSON is a document whatever is selected, and a pointer applies to what is selected', async () => {
  const json = await weir.register({
    url: upstream.on('/json', () => Response.json({ a: 1 })),
    kind: 'poll',
    select: 'feed',
  })
  expect((await weir.entry(json.id, 'it is polled', ({ seq }) => seq === 1)).data).toEqual({ a: 1 })
  const url = upstream.on('/rss', page(RSS, 'application/rss+xml'))
  const first = await weir.register({ url, kind: 'poll', select: 'feed', payloadPointer: '/0/id' })
  expect((await weir.entry(first.id, 'it is polled', ({ seq }) => seq === 1)).data).toBe('1')
  const image = upstream.on('/image', () => new Response(new Uint8Array([0, 1, 255])))
  const bytes = await weir.register({ url: image, kind: 'poll', select: 'feed' })
  const error = await weir.entry(bytes.id, 'it is polled', ({ seq }) => seq === 1)
  expect(error).toMatchObject({ kind: 'error', data: { code: 'bad_json' } })
})

test('a preview shows what is selected, and a bad selection is refused by name', async () => {
  const url = upstream.on('/preview', page(PAGE))
  const preview = async (select: string) => weir.send('POST', '/api/streams/preview', { url, select })
  const { answer, problem } = (await (await preview('css: .price')).json()) as {
    answer: { shape: string; sample: { text: string } }
    problem: unknown
  }
  expect([problem, answer.shape, JSON.parse(answer.sample.text)]).toEqual([null, 'json', ['1 €', '2 € each']])
  const refused = await preview('css: a[')
  expect([refused.status, await refused.json()]).toEqual([422, expect.objectContaining({ field: 'select' })])
})

test('a twin and the proxy select the same', async () => {
  const url = `${upstream.on('/twin', page(PAGE))}?select=theirs`
  const { id } = await weir.register({
    url,
    kind: 'poll',
    intervalMs: 500,
    select: 'css: a | @href',
    twin: true,
  })
  const { items } = await weir.json<{ items: { id: string; twinOf: string | null }[] }>('/api/streams')
  const twin = items.find(({ twinOf }) => twinOf === id)
  const entry = await weir.entry(twin?.id ?? '', 'it has the document', ({ kind }) => kind === 'snapshot')
  expect(entry.data).toEqual(['/a?x=1&y=2', '/b'])
  const queries = upstream.requests.get('/twin')?.map((request) => new URL(request.url).search)
  expect(new Set(queries)).toEqual(new Set(['?select=theirs']))
})

test('a selection survives export and import, and keeps streams of one page apart', async () => {
  const url = upstream.on('/export', page(PAGE))
  const lines = ['css: b', 'css: a'].map((select) => ({
    url,
    name: 'page',
    kind: 'poll',
    select,
    start: false,
  }))
  await weir.send('POST', '/api/streams/import', lines)
  const exported = await weir.json<{ url: string; select?: string }[]>('/api/streams/export')
  expect(exported.filter((each) => each.url === url).map(({ select }) => select)).toEqual([
    'css: b',
    'css: a',
  ])
})

test('an event stream ignores it', async () => {
  const feed = new Feed()
  const { id } = await weir.register({
    url: upstream.on('/events', () => feed.response({}, 'data: <b>x</b>\n\n')),
    kind: 'sse',
    select: 'css: b',
  })
  await weir.entry(id, 'the event is logged', ({ data }) => data === '<b>x</b>')
})
