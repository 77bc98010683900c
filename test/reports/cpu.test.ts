import { afterAll, beforeAll, expect, test } from 'bun:test'
import { CPU_TRIALS_KEPT } from '../../src/streams/measures/cpu-trials.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { type PublishedReport, recalculate } from './recalculate.ts'

let weir: TestWeir
let upstream: Upstream
let ids: string[] = []

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  const names = ['one', 'two', 'three']
  const made = names.map((name) =>
    weir.register({ url: upstream.url, name, kind: 'poll', start: false, tags: ['shop'] }),
  )
  ids = (await Promise.all(made)).map(({ id }) => id)
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

/** What `weir bench` measured: the server's CPU for polling, and for streaming. */
function trial(pollingMs: number, streamingMs: number, spreadMs = 1) {
  const cost = (cpuMs: number) => ({ cpuMs, leastMs: cpuMs - spreadMs, mostMs: cpuMs + spreadMs })
  const polling = { plain: cost(2 * pollingMs), gzip: cost(1.5 * pollingMs), conditional: cost(pollingMs) }
  return {
    ...{ subscribers: 1_000, seconds: 5, clients: { polling: 76, streaming: 256 } },
    recorded: { from: '2026-11-30T23:34:23.888Z', to: '2026-11-30T23:35:30.000Z', polls: 131, changes: 26 },
    ...{ polling, streaming: cost(streamingMs) },
  }
}

interface Trials {
  items: { at: string; subscribers: number; saved: Record<string, { share: number; isClear: boolean }> }[]
}
const store = (id: string, body: unknown) => weir.send('POST', `/api/streams/${id}/cpu`, body)
const pageOf = async (path: string) =>
  (await (await weir.get(path)).text()).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
const figureOf = (report: PublishedReport, id: string) =>
  report.figures.find((figure) => figure.id === id)?.value

test('a report without a measurement says so, and how to make one', async () => {
  const page = await pageOf(`/streams/${ids[0]}/report`)
  expect(page).toContain('CPU was never measured for this API.')
  expect(page).toContain('weir bench')
  const report = await weir.json<PublishedReport & { cpu: unknown }>(`/api/streams/${ids[0]}/report`)
  expect(report.cpu).toBeNull()
  expect(figureOf(report, 'cpu.conditional')).toBeNull()
  expect(await pageOf('/report?tag=shop')).toContain('CPU was never measured for any of these APIs.')
})

test('the last measurement is in the report, with when and how it was made, and can be recalculated', async () => {
  const [id = ''] = ids
  expect((await store(id, trial(100, 90))).status).toBe(201)
  expect((await store(id, trial(100, 20))).status).toBe(201)
  const { items } = await weir.json<Trials>(`/api/streams/${id}/cpu`)
  expect(items.map(({ saved }) => saved.conditional?.share.toFixed(2))).toEqual(['0.80', '0.10'])
  const report = await weir.json<PublishedReport & { cpu: Trials['items'][0] }>(`/api/streams/${id}/report`)
  expect(report.cpu).toMatchObject({ at: items[0]?.at, subscribers: 1_000, saved: items[0]?.saved })
  expect(figureOf(report, 'cpu.conditional')).toBeCloseTo(0.8, 9)
  expect(figureOf(report, 'cpu.plain')).toBeCloseTo(0.9, 9)
  for (const name of ['plain', 'gzip', 'conditional'])
    expect(recalculate(report).get(`cpu.${name}`)).toBeCloseTo(figureOf(report, `cpu.${name}`) as number, 9)
  const page = await pageOf(`/streams/${id}/report`)
  expect(page).toContain('For 1,000 clients, streaming needs 80.0% less CPU')
  expect(page).toContain('polling with gzip and validators')
  expect(page).toContain('131 polls and 26 changes')
  expect(page).toContain(`${items[0]?.at.slice(0, 16).replace('T', ' ')} UTC`)
})

test('a difference within the spread of the measurements is not told as a saving', async () => {
  const [, id = ''] = ids
  await store(id, trial(100, 95, 30))
  const { items } = await weir.json<Trials>(`/api/streams/${id}/cpu`)
  expect(items[0]?.saved.conditional?.isClear).toBe(false)
  const page = await pageOf(`/streams/${id}/report`)
  expect(page).toContain('no clear difference')
  expect(page).not.toContain('less CPU')
})

test('a tag has the median of its streams', async () => {
  const [one = '', two = '', three = ''] = ids
  for (const [id, ms] of [
    [one, 20],
    [two, 120],
    [three, 60],
  ] as const)
    await store(id, trial(100, ms))
  interface OfTag extends PublishedReport {
    rows: { cpuSaving: number | null }[]
  }
  const report = await weir.json<OfTag>('/api/report?tag=shop')
  // By name: one, three, two.
  expect(report.rows.map(({ cpuSaving }) => cpuSaving?.toFixed(2))).toEqual(['0.80', '0.40', '-0.20'])
  expect(figureOf(report, 'cpu.median')).toBeCloseTo(0.4, 9)
  expect(await pageOf('/report?tag=shop')).toContain('40.0%')
})

test('only the last measurements are kept, and only of that stream', async () => {
  const [one = '', , three = ''] = ids
  for (let count = 0; count < CPU_TRIALS_KEPT + 3; count++) await store(three, trial(100, 10 + count))
  const { items } = await weir.json<Trials>(`/api/streams/${three}/cpu`)
  expect(items).toHaveLength(CPU_TRIALS_KEPT)
  expect(items[0]?.saved.conditional?.share).toBeCloseTo(1 - (10 + CPU_TRIALS_KEPT + 2) / 100, 9)
  expect((await weir.json<Trials>(`/api/streams/${one}/cpu`)).items.length).toBeGreaterThan(1)
})

test('what isn’t a measurement is refused', async () => {
  const [id = ''] = ids
  const good = trial(100, 20)
  for (const bad of [
    {},
    { ...good, more: 1 },
    { ...good, subscribers: 0 },
    { ...good, streaming: { cpuMs: -1, leastMs: 0, mostMs: 1 } },
    { ...good, polling: { ...good.polling, conditional: { cpuMs: 0, leastMs: 0, mostMs: 0 } } },
    { ...good, recorded: { ...good.recorded, from: 'then' } },
  ])
    expect((await store(id, bad)).status).toBe(422)
  expect((await store(crypto.randomUUID(), good)).status).toBe(404)
})
