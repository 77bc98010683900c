import { expect, test } from 'bun:test'
import { HostErrors } from '../../src/observe/host-errors.ts'
import { Counter, counter, expose, gauge, histogram, LabelledHistogram } from '../../src/observe/metrics.ts'
import { Scrape } from '../../src/observe/scrape.ts'
import { readMetrics } from './exposition.ts'

test('any label value is read back', () => {
  const labels = { odd: 'a"b\\c\nd,e="f"} 1', empty: '' }
  const text = expose([gauge('a_gauge', 'Two\nlines \\ and more', [{ labels, value: -1.5 }])])
  expect(text.split('\n')[0]).toBe('# HELP a_gauge Two\\nlines \\\\ and more')
  expect(readMetrics(text).get('a_gauge')?.samples).toEqual([{ name: 'a_gauge', labels, value: -1.5 }])
})

test('a value at a bucket’s bound is in it, and a larger one in the last bucket', () => {
  const spread = new LabelledHistogram<'of'>([0.1, 1])
  for (const value of [0.1, 0.5, 1, 7]) spread.observe({ of: 'x' }, value)
  const told = readMetrics(expose([histogram('a_seconds', 'How long.', spread)])).get('a_seconds')
  const of = (name: string) =>
    told?.samples.filter((sample) => sample.name === name).map(({ value }) => value)
  expect(of('a_seconds_bucket')).toEqual([1, 3, 4])
  expect(of('a_seconds_sum')).toEqual([8.6])
  expect(of('a_seconds_count')).toEqual([4])
})

test('series are bounded: the rest is counted together', () => {
  const counts = new Counter<'name'>()
  for (let at = 0; at < 2_500; at++) counts.add({ name: `n${at}` })
  const samples = [...counts.samples()]
  expect(samples).toHaveLength(2_001)
  expect(samples.at(-1)).toEqual({ labels: { name: 'other' }, value: 500 })
  expect(readMetrics(expose([counter('a_total', 'All.', samples)])).get('a_total')?.samples).toHaveLength(
    2_001,
  )
})

test('fifty hosts have their own series; one without recent errors makes room', () => {
  let now = 0
  const hosts = new HostErrors(() => now)
  for (let at = 0; at < 60; at++) hosts.add(`h${at}`, 'timeout')
  const of = (host: string) => [...hosts.samples()].find(({ labels }) => labels?.host === host)?.value
  expect([of('h0'), of('h49'), of('h50'), of('other')]).toEqual([1, 1, undefined, 10])
  now = 3_600_000
  for (let at = 1; at < 50; at++) hosts.add(`h${at}`, 'timeout')
  now++
  hosts.add('new', 'bad_json')
  hosts.add('h59', 'timeout')
  expect([of('h0'), of('h1'), of('new'), of('other')]).toEqual([undefined, 2, 1, 11])
})

test('a failing source is left out and reported; scrapes within a second share one reading', async () => {
  let now = 0
  const asked = { good: 0, slow: 0 }
  const good = async () => [gauge('a_gauge', 'It.', ++asked.good)]
  const kept = async () => [gauge('b_gauge', 'It.', ++asked.slow)]
  const scrape = new Scrape({
    own: [],
    sources: [
      { name: 'good', read: good },
      { name: 'kept', read: kept, forMs: 30_000 },
      { name: 'bad', read: () => Promise.reject(new Error('away')) },
    ],
    now: () => now,
  })
  const read = async () => readMetrics(await scrape.text())
  await Promise.all([read(), read()])
  const first = await read()
  expect(first.get('weir_source_up')?.samples.map(({ value }) => value)).toEqual([1, 1, 0])
  expect(asked).toEqual({ good: 1, slow: 1 })
  now = 1_000
  expect((await read()).get('a_gauge')?.samples[0]?.value).toBe(2)
  expect(asked).toEqual({ good: 2, slow: 1 })
})

test.each([
  'a_gauge 1\n',
  '# TYPE a_gauge gauge\na_gauge 1\n',
  '# HELP a_gauge A\n# TYPE a_gauge gauge\na_gauge 1',
  '# HELP a_gauge A\n# TYPE a_gauge gauge\na_gauge{b="c} 1\n',
  '# HELP a_gauge A\n# TYPE a_gauge gauge\na_gauge 1\na_gauge 2\n',
  '# HELP a_gauge A\n# TYPE a_gauge counter\na_gauge 1\n',
  '# HELP a_gauge A\n# TYPE a_gauge gauge\nb_gauge 1\n',
])('the parser of these tests is strict: %j', (text) => {
  expect(() => readMetrics(text)).toThrow()
})
