import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { savedPercent } from '../../src/core/units.ts'
import { cliOf } from '../cli/support.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const POLLS = 12
const BASELINES = ['plain', 'gzip', 'conditional'] as const

type Shares = Record<(typeof BASELINES)[number], number>

interface Answer {
  polls: number
  headline: string
  saving: number
  summary: string
  median: Shares & { streams: number }
  clientBandwidthSavings: Shares
  network: { clientBandwidthSavings: Shares }
}

interface Pair {
  id: string
  saving: number
  networkSaving: number
  measuredSaving: number
}

/** The text of a page, without its tags. */
const textOf = (html: string) =>
  html
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/ \./g, '.')

describe('what streaming saves is one figure', () => {
  let upstream: Upstream
  let weir: TestWeir
  /** Savings of the stream with a twin, of another one, and of both: nothing is polled any more. */
  let one: Answer & { id: string }
  let all: Answer

  const savings = (path: string) => weir.json<Answer>(`/api/${path}savings`)
  const page = async (path: string) => textOf(await (await weir.get(path)).text())

  beforeAll(async () => {
    upstream = startUpstream()
    weir = await startTestWeir()
    const rows = Array.from({ length: 300 }, (_, id) => ({ id, price: id * 1.5 }))
    const large = upstream.on('/large', (_, hit) => Response.json({ hit: Math.floor(hit / 3), rows }))
    const small = upstream.on('/small', (_, hit) => Response.json({ hit }))
    const ids = await Promise.all([
      weir.register({ url: large, kind: 'poll', intervalMs: 500, name: 'large', twin: true, tags: ['t'] }),
      weir.register({ url: small, kind: 'poll', intervalMs: 500, name: 'small', tags: ['t'] }),
    ])
    for (const { id } of ids) {
      await until('enough is polled', async () => (await savings(`streams/${id}/`)).polls >= POLLS)
    }
    // The proxy's own stream, which the twin follows, goes on for a while.
    const { items } = await weir.json<{ items: { id: string }[] }>('/api/streams')
    for (const { id } of [...ids, ...items]) {
      await weir.send('POST', `/api/streams/${id}/stop`)
      await weir.status(id, 'stopped')
    }
    const { id } = ids[0]
    one = { ...(await savings(`streams/${id}/`)), id }
    all = await savings('')
  })

  afterAll(async () => {
    await weir.close()
    await upstream.stop()
  })

  test('the API leads with polling as a good client does, and has the others beside it', async () => {
    for (const answer of [one, all]) {
      expect(answer.headline).toBe('conditional')
      expect(answer.saving).toBe(answer.clientBandwidthSavings.conditional)
      expect(answer.summary).toContain(savedPercent(Math.abs(answer.saving)))
      expect(answer.summary).toContain(
        savedPercent(Math.abs(answer.network.clientBandwidthSavings.conditional)),
      )
    }
  })

  test('a tag says it for its streams, in the API and on the command line', async () => {
    const tagged = await weir.json<Answer>('/api/savings?tag=t')
    // What the proxy polls for the twin doesn't count again.
    expect(tagged).toMatchObject({ saving: all.saving, median: all.median, polls: all.polls })
    expect(tagged.median.streams).toBe(2)
    expect((await cliOf(weir.url)('savings', '--tag', 't')).out).toStartWith(`${tagged.summary}\n`)
  })

  test('one large stream doesn’t speak for all: the median says what most save', async () => {
    const { items } = await weir.json<{ items: { id: string; kind: string }[] }>('/api/streams?tag=t')
    const polled = items.filter(({ kind, id }) => kind === 'poll' && id !== one.id)
    const others = await Promise.all(polled.map(({ id }) => savings(`streams/${id}/`)))
    const both = [one, ...others].map(({ saving }) => saving)
    expect(all.median.streams).toBe(both.length)
    const sorted = both.toSorted((a, b) => a - b)
    const middle =
      ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.floor(sorted.length / 2)] ?? 0)) / 2
    expect(all.median.conditional).toBeCloseTo(middle, 9)
    expect(all.saving).not.toBeCloseTo(all.median.conditional, 3)
  })

  test('Home says it for all streams', async () => {
    const home = await page('/')
    expect(home).toContain(`Saved by streaming ${savedPercent(all.saving)}`)
    expect(home).toContain(`on the network, ${savedPercent(all.network.clientBandwidthSavings.conditional)}`)
    expect(home).toContain(`Median of ${all.median.streams} streams: ${savedPercent(all.median.conditional)}`)
  })

  test('the stream’s page says it with the estimate for the network', async () => {
    const stream = await page(`/streams/${one.id}`)
    expect(stream).toContain(one.summary)
    for (const baseline of BASELINES) {
      expect(stream).toContain(savedPercent(one.clientBandwidthSavings[baseline]))
      expect(stream).toContain(savedPercent(one.network.clientBandwidthSavings[baseline]))
    }
  })

  test('Twins say it, on their page and in the API, with what they measured labelled as such', async () => {
    const twins = await weir.json<{ total: Pair; items: Pair[] }>('/api/twins')
    const report = await weir.json<Pair & { polledSaving: number }>(`/api/streams/${one.id}/twin`)
    const figures = {
      saving: one.saving,
      networkSaving: one.network.clientBandwidthSavings.conditional,
    }
    expect(twins.total).toMatchObject(figures)
    expect(twins.items).toMatchObject([{ id: one.id, ...figures }])
    expect(report.saving).toBe(one.saving)
    expect(report.measuredSaving).toBe(twins.items[0]?.measuredSaving as number)
    const shown = await page('/twins')
    for (const sentence of one.summary.split(/(?<=\.) /)) expect(shown).toContain(sentence)
    expect(shown).toContain(`${savedPercent(report.measuredSaving)} ${savedPercent(one.saving)}`)
    expect(await page(`/streams/${one.id}`)).toContain(
      `streaming transferred ${savedPercent(Math.abs(report.measuredSaving))}`,
    )
  })

  test('the command line says it', async () => {
    const cli = cliOf(weir.url)
    expect((await cli('savings', one.id)).out).toStartWith(`${one.summary}\n`)
    const { out } = await cli('savings')
    expect(out).toStartWith(`${all.summary}\n`)
    expect(out).toContain(savedPercent(all.median.conditional))
  })

  test('the metrics have it', async () => {
    const metrics = await (await weir.get('/metrics')).text()
    const of = (name: string, baseline: string) =>
      Number(new RegExp(`^${name}\\{baseline="${baseline}"\\} (.*)$`, 'm').exec(metrics)?.[1])
    for (const baseline of BASELINES) {
      expect(of('weir_savings_ratio', baseline)).toBe(all.clientBandwidthSavings[baseline])
      expect(of('weir_savings_median_ratio', baseline)).toBe(all.median[baseline])
      expect(of('weir_savings_network_ratio', baseline)).toBe(all.network.clientBandwidthSavings[baseline])
    }
  })
})
