import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cliOf } from '../../cli/support.ts'
import { until } from '../../support/until.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../../support/weir.ts'

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

test('API, page and command line say what is left of the retries of a failing poll', async () => {
  const url = upstream.on('/down', () => new Response('', { status: 500 }))
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 3_600_000, name: 'down' })
  const path = `/api/streams/${id}/status`
  interface Answer {
    evidence: { nextRetryAt: string; retries: { left: number; perDay: number; resetsAt: string } | null }
  }
  const { evidence } = await until('retries were used', async () => {
    const answer = await weir.json<Answer>(path)
    return answer.evidence.retries !== null && answer
  })
  expect(evidence.retries).toMatchObject({ perDay: 1_000 })
  expect(evidence.retries?.left).toBeLessThan(1_000)
  expect(Date.parse(evidence.retries?.resetsAt ?? '') % 86_400_000).toBe(0)
  expect(evidence.nextRetryAt).toBeString()
  await weir.send('POST', `/api/streams/${id}/stop`)
  const running = await weir.register({
    url: `${url}?2`,
    kind: 'poll',
    intervalMs: 3_600_000,
    name: 'down too',
  })
  await until('the page says it', async () =>
    (await (await weir.get(`/streams/${running.id}`)).text()).includes(
      'of 1000 retries left today for this host',
    ),
  )
  expect((await cliOf(weir.url)('status', 'down too')).out).toMatch(
    /retries +9\d\d of 1000 left for the host/,
  )
})

test('a stream that doesn’t fail has no retries to tell of', async () => {
  const url = upstream.on('/up', () => Response.json({}))
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 3_600_000 })
  await weir.entry(id, 'its document is logged', ({ kind }) => kind === 'snapshot')
  const { evidence } = await weir.json<{ evidence: { retries: unknown } }>(`/api/streams/${id}/status`)
  expect(evidence.retries).toBeNull()
})
