import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { EventSource } from 'eventsource'
import { freeze } from '../support/freeze.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

setDefaultTimeout(150_000)

/** Longer than a poll may be late without a gap, in milliseconds. */
const WORKER_FROZEN_MS = 9_000
/** Longer than a process counts as present for the others, in milliseconds. */
const WEB_FROZEN_MS = 17_000

interface Received {
  event: string
  data: unknown
}

describe.each(SETUPS.filter(({ name }) => name !== 'embedded'))(
  'a subscriber of the proxy on $name',
  (setup) => {
    describe.skipIf(isSkipped(setup))('', () => {
      let services: OpenSetup
      let upstream: Upstream
      let web: WeirProcess
      let worker: WeirProcess
      let source: EventSource
      const received: Received[] = []

      beforeAll(async () => {
        services = await setup.open()
        upstream = startUpstream()
        const target = upstream.on('/counter', (_request, n) => Response.json({ n, rest: 'a'.repeat(200) }))
        web = spawnWeir({ ...services.environment, ROLE: 'web' })
        const url = await web.url()
        worker = spawnWeir({ ...services.environment, ROLE: 'worker' })
        source = new EventSource(`${url}/proxy/${target}?intervalMs=1000`)
        for (const event of ['data', 'patch', 'monitor', 'gap', 'error']) {
          source.addEventListener(event, ({ data }) => {
            if (typeof data === 'string') received.push({ event, data: JSON.parse(data) })
          })
        }
        await until('patches arrive', () => count('patch') > 2)
      })
      afterAll(async () => {
        source.close()
        for (const each of [web, worker]) each.child.kill('SIGKILL')
        await upstream.stop()
        await services.close()
      })

      const count = (wanted: string) => received.filter(({ event }) => event === wanted).length
      const morePatches = async () => {
        const before = count('patch')
        await until('more patches arrive', () => count('patch') > before + 1)
      }
      /** The values that the patches set, in order. */
      const values = () =>
        received.flatMap(({ event, data }) =>
          event === 'patch' ? (data as { value: number }[]).map(({ value }) => value) : [],
        )

      test('misses nothing while its web process was frozen', async () => {
        const thaw = await freeze(web.child.pid)
        const polls = upstream.requests.get('/counter')?.length ?? 0
        await Bun.sleep(WEB_FROZEN_MS)
        expect(upstream.requests.get('/counter')?.length).toBeGreaterThan(polls)
        thaw()
        await morePatches()
        const seen = values()
        expect(seen).toEqual(seen.map((_, at) => (seen[0] as number) + at))
        expect([count('gap'), count('monitor'), count('error')]).toEqual([0, 0, 0])
      })

      test('is told for how long its document was not polled while the worker was frozen', async () => {
        const from = Date.now()
        const thaw = await freeze(worker.child.pid)
        await Bun.sleep(WORKER_FROZEN_MS)
        const to = Date.now()
        thaw()
        await morePatches()
        const monitors = received.filter(({ event }) => event === 'monitor').map(({ data }) => data)
        expect(monitors).toMatchObject([{ reason: 'not_polled' }])
        const gap = monitors[0] as { from: string; to: string }
        expect(Date.parse(gap.from)).toBeLessThan(from + 1_000)
        expect(Date.parse(gap.to)).toBeGreaterThanOrEqual(to)
      })
    })
  },
)
