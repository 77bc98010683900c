import { describe, expect, test } from 'bun:test'
import { csvHead, csvLines, csvRow } from '../../src/transfer/csv.ts'
import { formatOf } from '../../src/transfer/lines.ts'
import { refusalOf } from './refusal.ts'

const values = async (text: string) =>
  (await Array.fromAsync(csvLines(text))).map((line) => line.value ?? line.problem?.detail)

describe('reading', () => {
  test('cells become the fields named in the first line, with their types', async () => {
    const head = 'url,name,kind,intervalMs,silenceMs,tags,ignorePaths,start,twin,header:X-Key'
    const line = 'http://a,Ä "b",poll,5000,1000,a; b c ;,/at;/x/*,TRUE,false,secret'
    expect(await values(`${head}\n${line.replace('Ä "b"', '"Ä ""b"""')}`)).toEqual([
      {
        url: 'http://a',
        name: 'Ä "b"',
        kind: 'poll',
        intervalMs: 5_000,
        silenceMs: 1_000,
        tags: ['a', 'b c'],
        ignorePaths: ['/at', '/x/*'],
        start: true,
        twin: false,
        headers: { 'X-Key': 'secret' },
      },
    ])
  })

  test('an empty or missing cell omits the field', async () => {
    expect(await values('url,name,header:A,tags\nhttp://a,,,\nhttp://b')).toEqual([
      { url: 'http://a' },
      { url: 'http://b' },
    ])
  })

  test.each([
    ['commas', ','],
    ['semicolons', ';'],
    ['tabs', '\t'],
  ])('separated by %s, with any line endings', async (_what, separator) => {
    const rows = [`url${separator}name`, `http://a${separator}x`, `http://b${separator}y`]
    for (const ending of ['\n', '\r\n', '\r']) {
      expect(await values(rows.join(ending))).toEqual([
        { url: 'http://a', name: 'x' },
        { url: 'http://b', name: 'y' },
      ])
    }
  })

  test.each([
    ['a line for Excel', 'sep=;\r\nurl;name\r\nhttp://a;x\r\nhttp://b;y\r\n'],
    ['the same, quoted', '"sep=;"\nurl;name\nhttp://a;x\nhttp://b;y'],
    ['a separator of its own', 'sep=|\nurl|name\nhttp://a|x\nhttp://b|y'],
    ['empty columns', 'url,name,,\r\nhttp://a,x,,\r\nhttp://b,y,,\r\n'],
    ['empty columns of rows alone', 'url,name\nhttp://a,x,,,\nhttp://b,y,'],
    ['empty rows', 'url,name\nhttp://a,x\n,\nhttp://b,y\n,\n , \n'],
    ['an empty first line', '\r\nurl,name\r\nhttp://a,x\r\nhttp://b,y\r\n'],
    ['capitals', 'URL,Name\nhttp://a,x\nhttp://b,y'],
  ])('as spreadsheets write it: %s', async (_what, text) => {
    expect(await values(text)).toEqual([
      { url: 'http://a', name: 'x' },
      { url: 'http://b', name: 'y' },
    ])
    expect(formatOf(text, null)).toBe('csv')
  })

  test('a cell beyond the named columns is refused, and an empty name between others', async () => {
    expect(await values('url,name\nhttp://a,x,more')).toEqual(['The line has 3 cells, the first line 2.'])
    expect((await refusalOf(() => values('url,,name\nhttp://a,,x'))).detail).toBe('Column 2 has no name.')
  })

  test('a header keeps its case', async () => {
    expect(await values('URL,Header:X-Key\nhttp://a,k')).toEqual([
      { url: 'http://a', headers: { 'X-Key': 'k' } },
    ])
  })

  test('after a line for Excel, lines are numbered like in an editor, too', async () => {
    const lines = await Array.fromAsync(csvLines('sep=,\nurl\nhttp://a\n\nhttp://b'))
    expect(lines.map(({ line }) => line)).toEqual([3, 5])
  })

  test('lines are numbered like in an editor, including empty and invalid ones', async () => {
    const lines = await Array.fromAsync(
      csvLines('url,body\r\n\r\nhttp://a,"one\r\ntwo\r\nthree"\r\nhttp://b,\r\n'),
    )
    expect(lines).toEqual([
      { line: 3, value: { url: 'http://a', body: 'one\r\ntwo\r\nthree' } },
      { line: 6, value: { url: 'http://b' } },
    ])
  })

  test('a list with semicolons in its members is written as JSON', async () => {
    expect(await values('url,tags\nhttp://a,"[""a;b"", ""c""]"\nhttp://b,[x')).toEqual([
      { url: 'http://a', tags: ['a;b', 'c'] },
      { url: 'http://b', tags: '[x' },
    ])
  })

  test('a value of the wrong type is kept, and rejected by name', async () => {
    expect(await values('url,intervalMs,start\nhttp://a,5s,yes')).toEqual([
      { url: 'http://a', intervalMs: '5s', start: 'yes' },
    ])
  })

  test('a line with too many cells fails alone', async () => {
    expect(await values('url,name\nhttp://a,x,y\nhttp://b,z')).toEqual([
      'The line has 3 cells, the first line 2.',
      { url: 'http://b', name: 'z' },
    ])
  })

  test('multi-byte characters survive at any chunk boundary', async () => {
    const names = Array.from({ length: 30_000 }, (_, index) => `${'x'.repeat(index % 4)}🐢ż`)
    const lines = await Array.fromAsync(
      csvLines(`url,name\n${names.map((name) => `http://a,${name}`).join('\n')}`),
    )
    expect(lines.map(({ value }) => (value as { name: string }).name)).toEqual(names)
  })

  test.each<[what: string, text: string, code: string, field: string | undefined, detail: RegExp]>([
    ['an unknown column', 'url,shade\nhttp://a,red', 'invalid_field', 'shade', /^Unknown column: shade/],
    ['a special column', 'url,__proto__\nhttp://a,x', 'invalid_field', '__proto__', /^Unknown column/],
    ['headers in one column', 'url,headers\nhttp://a,x', 'invalid_field', 'headers', /header:Name/],
    ['a header without a name', 'url,header:\nhttp://a,x', 'invalid_field', 'header:', /header:Name/],
    ['a column twice', 'url,url\nhttp://a,x', 'invalid_field', 'url', /^Duplicate column/],
    ['a quote that never ends', 'url,name\nhttp://a,"x\nhttp://b,y', 'bad_request', undefined, /line 3/],
    ['a quote within a cell', 'url,name\nhttp://a,"x"y', 'bad_request', undefined, /line 2/],
  ])('%s is refused', async (_what, text, code, field, detail) => {
    const refusal = await refusalOf(() => Array.fromAsync(csvLines(text)))
    expect(refusal).toMatchObject({ code, detail: expect.stringMatching(detail) })
    expect(refusal.field).toBe(field as string)
  })

  test('special keys can be headers and have no effect', async () => {
    const [value] = await values('url,header:__proto__\nhttp://a,x')
    expect(Object.entries((value as { headers: object }).headers)).toEqual([['__proto__', 'x']])
  })
})

describe('writing', () => {
  const FULL = {
    id: '01a20200-1921-70a6-bb27-dd1b93130b54',
    name: 'a "quoted", name;\nof two lines',
    url: 'http://a/?q=1,2',
    kind: 'poll',
    intervalMs: 60_000,
    silenceMs: null,
    deadAfterFailures: 5,
    deadAfterMs: 300_000,
    resumes: true,
    method: 'POST',
    headers: { 'X-A': 'a,b', 'x-ż': ' padded ' },
    body: '{"q": "ż"}\r\n',
    payloadPointer: '/a',
    ignorePaths: ['/a;b', '/c'],
    arrayKeys: [' sku '],
    tags: ['a b', '[x]'],
    notify: [],
    retention: { maxEntries: 5, maxAgeMs: 60_000 },
    start: false,
    twin: true,
  }
  const roundTrip = (fields: Record<string, unknown>, names: string[]) =>
    values(csvHead(names) + csvRow(fields, names))

  test('written values are read back unchanged; null and an empty list are omitted', async () => {
    const { silenceMs: _null, notify: _empty, ...rest } = FULL
    expect(await roundTrip(FULL, ['X-A', 'X-B', 'x-ż'])).toEqual([rest])
  })

  test.each(['=1+1', '+1', '-1', '@x', "'quoted", "'=x", '\tx'])(
    '%j isn’t a formula for a spreadsheet, and is read back',
    async (name) => {
      const fields = { url: 'http://a', headers: { A: name }, name, body: name, tags: [name.trim()] }
      const cells = csvRow(fields, ['A']).match(/(^|,)"?[=+\-@\t]/)
      expect(cells).toBeNull()
      expect(await roundTrip(fields, ['A'])).toEqual([fields])
    },
  )
})
